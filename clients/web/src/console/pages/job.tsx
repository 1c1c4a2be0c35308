import type { ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import type { Attempt } from "../contract";
import { duration } from "../state/format";
import { traceId } from "../state/traces";
import { Deed } from "../ui/deed";
import { Fact, Facts, Panel } from "../ui/panel";
import { Asked, Badge, Empty, type Tone } from "../ui/states";
import { Table, type Column } from "../ui/table";
import { Tree } from "../ui/tree";
import { Code, Trace, When } from "../ui/words";
import { StateBadge } from "./jobs";

const words = texts.jobs;
const OUTCOMES: Record<string, Tone> = { done: "good", retry: "warn", dead: "bad" };

/** One job: what it is, its payload, what became of each attempt. */
export function JobPanels({ id }: { id: string }): ReactNode {
  const job = useAsked("jobs.show", { id });
  return (
    <Asked query={job}>
      {(found) => (
        <>
          <Panel
            title={<Code className="text-sm!">{id}</Code>}
            actions={
              <>
                <StateBadge state={found.state} />
                {found.state === "dead" ? (
                  <Deed
                    operation="jobs.redrive"
                    request={{ ids: [id] }}
                    kind="main"
                    label={words.redrive}
                    title={words.redriveTitle(1)}
                    about={words.redriveAbout}
                    action={words.redriveApply}
                    done={({ redriven }) => words.redriven(redriven.length, 1)}
                  />
                ) : null}
              </>
            }
          >
            <Facts>
              <Fact name={words.operation}>{found.operation}</Fact>
              <Fact name={words.app}>{found.app || texts.common.none}</Fact>
              <Fact name={words.tries}>{found.tries}</Fact>
              <Fact name={words.created}>
                <When ms={found.created_ms} />
              </Fact>
              <Fact name={found.ended_ms === 0 ? words.nextTry : words.endedAt}>
                <When ms={found.ended_ms || found.next_at_ms} />
              </Fact>
              <Fact name={texts.common.trace}>
                {traceId(found.traceparent) === "" ? texts.common.none : <Trace of={id} parent={found.traceparent} />}
              </Fact>
              {found.note === "" ? null : (
                <Fact name={words.note} wide>
                  <bdi>{found.note}</bdi>
                </Fact>
              )}
            </Facts>
          </Panel>
          <Panel title={words.attempts}>
            {found.attempts.length === 0 ? <Empty title={words.attemptsEmpty} /> : <Table label={words.attempts} columns={ATTEMPTS} rows={found.attempts} id={(row) => `${row.number} ${row.at_ms}`} />}
          </Panel>
          <Panel title={words.payload}>
            <Tree value={found.payload} label={words.payload} />
          </Panel>
        </>
      )}
    </Asked>
  );
}

/** How an attempt ended. */
export function OutcomeBadge({ outcome, status }: { outcome: string; status: number | undefined }): ReactNode {
  return <Badge tone={OUTCOMES[outcome] ?? "calm"}>{status ? `${outcome} ${status}` : outcome}</Badge>;
}

const ATTEMPTS: Column<Attempt>[] = [
  { head: words.attemptColumns.number, end: true, cell: ({ number }) => number },
  { head: words.attemptColumns.at, cell: ({ at_ms: at }) => <When ms={at} /> },
  { head: words.attemptColumns.took, end: true, cell: ({ duration_ms: took }) => duration(took) },
  { head: words.attemptColumns.outcome, cell: ({ outcome, status }) => <OutcomeBadge outcome={outcome} status={status} /> },
  { head: words.attemptColumns.answer, className: "w-full min-w-40", cell: ({ answer = "" }) => <bdi className="text-dim wrap-anywhere">{answer}</bdi> },
  { head: <span className="sr-only">{texts.common.trace}</span>, cell: ({ number, trace_id: trace = "" }) => <Trace of={words.tryTrace(number)} parent={trace} /> },
];
