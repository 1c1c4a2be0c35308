import { useNavigate } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import type { Delivery, EndpointInFull, Secret } from "../contract";
import { duration } from "../state/format";
import { Choice } from "../ui/controls";
import { Act, Deed } from "../ui/deed";
import { Fact, Facts, Panel } from "../ui/panel";
import { SecretOnce } from "../ui/secret";
import { Asked, Badge, Empty, Problem } from "../ui/states";
import { Table, type Column } from "../ui/table";
import { Code, When } from "../ui/words";
import { OutcomeBadge } from "./job";
import { EndpointState } from "./webhooks";

const words = texts.webhooks;
const OVERLAP_MS = 24 * 3600 * 1000;

/** One endpoint: how it stands, its last attempts, what can be done about it. */
export function EndpointPanels({ id }: { id: string }): ReactNode {
  const endpoint = useAsked("webhooks.show", { id });
  return (
    <Asked query={endpoint}>
      {(found) => (
        <>
          <Panel title={<span className="wrap-anywhere">{found.url}</span>} actions={<EndpointState disabled={found.disabled} />}>
            <Shown {...found} />
            <Deeds {...found} />
          </Panel>
          <Panel title={words.attempts} note={words.attemptsNote}>
            {found.attempts.length === 0 ? (
              <Empty title={words.attemptsEmpty}>{words.attemptsEmptyTodo}</Empty>
            ) : (
              <Table label={words.attempts} columns={ATTEMPTS} rows={found.attempts.toReversed()} id={(row) => `${row.webhook_id} ${row.at_ms}`} />
            )}
          </Panel>
        </>
      )}
    </Asked>
  );
}

function Shown(found: EndpointInFull): ReactNode {
  return (
    <Facts>
      <Fact name={words.event}>{found.event}</Fact>
      <Fact name={words.app}>{found.app}</Fact>
      <Fact name={words.created}>{found.configured ? words.configured : <When ms={found.created_ms} />}</Fact>
      {found.failing_since_ms === 0 ? null : (
        <Fact name={words.failing}>
          <Badge tone="warn">
            <When ms={found.failing_since_ms} />
          </Badge>
        </Fact>
      )}
      {found.previous_secret_until_ms > Date.now() ? (
        <Fact name={words.previous}>
          <When ms={found.previous_secret_until_ms} />
        </Fact>
      ) : null}
      {found.disabled === "" ? null : (
        <Fact name={words.off} wide>
          <bdi>{found.disabled}</bdi>, <When ms={found.disabled_ms} />
        </Fact>
      )}
    </Facts>
  );
}

function Deeds({ id, disabled, configured }: EndpointInFull): ReactNode {
  const navigate = useNavigate();
  const [secret, setSecret] = useState<Secret | null>(null);
  const [length, setLength] = useState<string>(words.replayLengths[0][0]);
  const [problem, setProblem] = useState<Error | null>(null);
  return (
    <div className="flex flex-col gap-2 border-t border-line/60 px-4 py-3">
      {problem === null ? null : <Problem error={problem} />}
      <div className="flex flex-wrap gap-2">
        <Act
          operation="webhooks.test"
          request={{ id }}
          label={words.test}
          done={({ outcome, duration_ms: took, status, answer }) => {
            setProblem(null);
            return words.tested(status === 0 ? outcome : `${outcome} (${status})`, duration(took), answer);
          }}
          failed={setProblem}
        />
        {disabled === "" ? null : <Act operation="webhooks.enable" request={{ id }} label={words.enable} done={() => words.enabled} failed={setProblem} />}
        {disabled !== "" || configured ? null : (
          <Deed operation="webhooks.disable" request={{ id }} label={words.disable} title={words.disableTitle} about={words.disableAbout} action={words.disable} done={() => words.disabled} />
        )}
        <Deed
          operation="webhooks.replay"
          request={{ id, since_ms: Date.now() - Number(length) }}
          label={words.replay}
          title={words.replayTitle}
          about={words.replayAbout}
          action={words.replay}
          done={({ replay }) => words.replayed(replay)}
        >
          <Choice id="replay-since" label={words.replaySince} options={words.replayLengths} value={length} onChange={(event) => setLength(event.target.value)} />
        </Deed>
        <Deed
          operation="webhooks.rotate"
          request={{ id, overlap_ms: OVERLAP_MS }}
          label={words.rotate}
          title={words.rotateTitle}
          about={words.rotateAbout}
          action={words.rotateApply}
          done={() => words.rotated}
          after={setSecret}
        />
        {configured ? null : (
          <Deed
            operation="webhooks.remove"
            request={{ id }}
            label={words.remove}
            title={words.removeTitle}
            about={words.removeAbout}
            action={words.remove}
            done={() => words.removed}
            after={() => void navigate({ to: "/webhooks" })}
            danger
          />
        )}
      </div>
      <SecretOnce secret={secret} close={() => setSecret(null)} />
    </div>
  );
}

const ATTEMPTS: Column<Delivery>[] = [
  { head: words.attemptColumns.at, cell: ({ at_ms: at }) => <When ms={at} /> },
  { head: words.attemptColumns.outcome, cell: ({ outcome, status }) => <OutcomeBadge outcome={outcome} status={status} /> },
  { head: words.attemptColumns.took, end: true, cell: ({ duration_ms: took }) => duration(took) },
  { head: words.attemptColumns.answer, className: "w-full min-w-32", cell: ({ answer }) => <bdi className="line-clamp-3 text-dim wrap-anywhere">{answer}</bdi> },
  { head: words.attemptColumns.id, wide: true, cell: ({ webhook_id: id }) => <Code>{id}</Code> },
];
