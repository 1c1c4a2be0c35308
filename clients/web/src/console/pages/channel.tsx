import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import type { PresenceRow, Publication } from "../contract";
import { count, duration } from "../state/format";
import { Button, LINK } from "../ui/controls";
import { Fact, Facts, PageHead, Panel } from "../ui/panel";
import { Asked, Badge, Empty } from "../ui/states";
import { Table, type Column } from "../ui/table";
import { Code, Who } from "../ui/words";
import { TailPanel } from "./tail";

const PAGE = 50;
const words = texts.channels;
const VIEWS = [
  ["presence", words.presence],
  ["history", words.past],
  ["tail", words.tail],
] as const;
export type View = (typeof VIEWS)[number][0];

/** One channel: what it is; who is there, what was said, or what is being said. */
export function ChannelPage({ channel, view }: { channel: string; view: string }): ReactNode {
  const shown = useAsked("channels.show", { channel });
  const current = VIEWS.find(([name]) => name === view)?.[0] ?? "presence";
  return (
    <>
      <PageHead title={<bdi>{channel}</bdi>}>
        <Link to="/channels" className={LINK}>
          {texts.actions.back}
        </Link>
      </PageHead>
      <Panel title={words.facts}>
        <Asked query={shown}>
          {(found) => (
            <Facts>
              <Fact name={words.clients}>{count(found.clients)}</Fact>
              <Fact name={words.users}>{count(found.users)}</Fact>
              <Fact name={words.namespace}>{found.namespace}</Fact>
              <Fact name={words.owner}>{found.app === "" ? words.configuration : found.app}</Fact>
              <Fact name={words.history}>{found.epoch === "" && found.history_size === 0 ? words.noHistory : words.historyKept(count(found.history_size), duration(found.history_ttl_ms))}</Fact>
              <Fact name={words.offset}>{found.epoch === "" ? "–" : count(found.offset)}</Fact>
              <Fact name={words.epoch}>
                <Code>{found.epoch === "" ? "–" : found.epoch}</Code>
              </Fact>
              <Fact name={words.slow}>{found.slow_reader}</Fact>
            </Facts>
          )}
        </Asked>
      </Panel>
      <nav aria-label={words.views} className="flex gap-1 border-b border-line">
        {VIEWS.map(([name, text]) => (
          <Link
            key={name}
            to="/channels"
            search={{ channel, view: name }}
            replace
            aria-current={name === current ? "page" : undefined}
            className="-mb-px flex min-h-9 items-center border-b-2 border-transparent px-3 font-medium text-dim hover:text-ink aria-[current=page]:border-accent aria-[current=page]:text-accent max-sm:min-h-11"
          >
            {text}
          </Link>
        ))}
      </nav>
      {current === "presence" ? <Presence channel={channel} /> : current === "history" ? <History channel={channel} /> : <TailPanel key={channel} channel={channel} />}
    </>
  );
}

function Presence({ channel }: { channel: string }): ReactNode {
  const presence = useAsked("channels.presence", { channel });
  return (
    <Panel title={words.presence} note={presence.data === undefined ? undefined : count(presence.data.total)}>
      <Asked query={presence}>
        {({ clients }) =>
          clients.length === 0 ? <Empty title={words.presenceEmpty}>{words.presenceEmptyTodo}</Empty> : <Table label={words.presence} columns={PRESENCE} rows={clients} id={(row) => row.client} />
        }
      </Asked>
    </Panel>
  );
}

const PRESENCE: Column<PresenceRow>[] = [
  {
    head: words.presenceColumns.user,
    cell: ({ user, client }) =>
      user === "" ? (
        <Who user="" />
      ) : (
        <Link to="/users" search={{ user }} aria-label={`${user} (${client})`} className={LINK}>
          <bdi>{user}</bdi>
        </Link>
      ),
  },
  { head: words.presenceColumns.client, cell: ({ client }) => <Code>{client}</Code> },
  { head: words.presenceColumns.info, wide: true, className: "w-full", cell: (row) => <Json value={row.chan_info ?? row.conn_info} /> },
];

function History({ channel }: { channel: string }): ReactNode {
  const [before, setBefore] = useState<{ offset: number; epoch: string } | null>(null);
  const history = useAsked("channels.history", { channel, limit: PAGE, since: before, reverse: true });
  const last = history.data?.publications.at(-1);
  const older = history.data !== undefined && last !== undefined && last.offset > 1 && history.data.publications.length === PAGE;
  return (
    <Panel
      title={words.past}
      actions={
        <>
          <Button disabled={before === null} onClick={() => setBefore(null)}>
            {words.newest}
          </Button>
          <Button disabled={!older} onClick={() => older && setBefore({ offset: last.offset, epoch: history.data.epoch })}>
            {words.older}
          </Button>
        </>
      }
    >
      <Asked query={history}>
        {({ publications }) =>
          publications.length === 0 ? <Empty title={words.pastEmpty}>{words.pastEmptyTodo}</Empty> : <Table label={words.past} columns={PAST} rows={publications} id={(row) => String(row.offset)} />
        }
      </Asked>
    </Panel>
  );
}

const PAST: Column<Publication>[] = [
  { head: words.pastColumns.offset, end: true, cell: ({ offset }) => <Code>{offset}</Code> },
  { head: words.pastColumns.user, cell: ({ user }) => (user === "" ? <Badge>{words.server}</Badge> : <Who user={user} />) },
  { head: words.pastColumns.data, className: "w-full min-w-64", cell: ({ data, b64data }) => <Json value={b64data || data} /> },
];

/** A value in one run of text, wrapped. */
function Json({ value }: { value: unknown }): ReactNode {
  return value === undefined || value === null ? null : <Code className="text-dim wrap-anywhere">{JSON.stringify(value)}</Code>;
}
