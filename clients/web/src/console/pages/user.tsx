import { useState, type ReactNode } from "react";
import { Link } from "@tanstack/react-router";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import type { Ban as BanRow, ClientRow } from "../contract";
import { count } from "../state/format";
import { Choice, LINK, TextField } from "../ui/controls";
import { Deed } from "../ui/deed";
import { Fact, Facts, Panel } from "../ui/panel";
import { Asked, Empty } from "../ui/states";
import { Table, type Column } from "../ui/table";
import { Code, When, Who } from "../ui/words";
import { Unban } from "./users";

const words = texts.users;
const CHANNELS = 5;

/** A user's connections and ban, and what can be done about them. */
export function UserPanels({ user }: { user: string }): ReactNode {
  const shown = useAsked("users.show", { user });
  const banned = shown.data?.ban ?? null;
  return (
    <>
      {banned === null ? null : <Banned ban={banned} />}
      <Panel
        title={words.connections(user)}
        note={shown.data === undefined ? undefined : count(shown.data.total)}
        actions={
          <>
            <Disconnect user={user} client="" disabled={shown.data?.clients.length === 0} />
            {banned === null ? <Ban user={user} /> : null}
          </>
        }
      >
        <Asked query={shown}>
          {({ clients }) =>
            clients.length === 0 ? (
              <Empty title={words.none}>{words.noneTodo}</Empty>
            ) : (
              <Table label={words.connections(user)} columns={columns(user)} rows={clients} id={(row) => row.client} />
            )
          }
        </Asked>
      </Panel>
    </>
  );
}

function columns(user: string): Column<ClientRow>[] {
  const heads = words.columns;
  return [
    { head: heads.client, cell: ({ client }) => <Code>{client}</Code> },
    { head: heads.since, cell: ({ connected_ms: since }) => <When ms={since} /> },
    { head: heads.transport, wide: true, cell: ({ transport, codec }) => `${transport}, ${codec}` },
    { head: heads.sdk, wide: true, cell: ({ name, version }) => <bdi className="wrap-anywhere">{`${name} ${version}`.trim()}</bdi> },
    { head: heads.address, wide: true, cell: ({ address }) => <Code>{address}</Code> },
    { head: heads.node, wide: true, cell: ({ node }) => <Code>{node}</Code> },
    { head: heads.channels, className: "min-w-40", cell: ({ client, channels, num_channels: all }) => <Channels client={client} channels={channels} all={all} /> },
    { head: <span className="sr-only">{words.disconnect}</span>, end: true, cell: ({ client }) => <Disconnect user={user} client={client} /> },
  ];
}

function Channels({ client, channels, all }: { client: string; channels: readonly string[]; all: number }): ReactNode {
  const more = all - Math.min(channels.length, CHANNELS);
  return (
    <ul aria-label={`${words.columns.channels} (${client})`} className="flex flex-wrap gap-x-2">
      {channels.slice(0, CHANNELS).map((channel) => (
        <li key={channel}>
          <Link to="/channels" search={{ channel }} aria-label={`${channel} (${client})`} className={`${LINK} inline-block min-h-6`}>
            {channel}
          </Link>
        </li>
      ))}
      {more > 0 ? <li className="text-dim">{words.more(more)}</li> : null}
    </ul>
  );
}

function Banned({ ban }: { ban: BanRow }): ReactNode {
  return (
    <Panel title={words.isBanned} className="border-bad/50" actions={<Unban user={ban.user} />}>
      <Facts>
        <Fact name={words.banColumns.until}>{ban.expire_at_ms === 0 ? words.forEver : <When ms={ban.expire_at_ms} />}</Fact>
        <Fact name={words.banColumns.by}>
          <Who user={ban.by} />
        </Fact>
        <Fact name={words.banColumns.at}>
          <When ms={ban.at_ms} />
        </Fact>
        <Fact name={words.banColumns.reason}>{ban.reason === "" ? texts.common.none : <bdi>{ban.reason}</bdi>}</Fact>
      </Facts>
    </Panel>
  );
}

function Disconnect({ user, client, disabled = false }: { user: string; client: string; disabled?: boolean }): ReactNode {
  return (
    <Deed
      kind={client === "" ? "quiet" : "small"}
      operation="users.disconnect"
      request={{ user, client, code: 0, reason: "" }}
      label={client === "" ? words.disconnectAll : words.disconnect}
      name={client === "" ? words.disconnectAll : words.disconnectClient(client)}
      title={client === "" ? words.disconnectTitle(user) : `${words.disconnectClient(client)}?`}
      about={words.disconnectAbout}
      action={words.disconnect}
      done={({ clients }) => words.disconnected(user, clients)}
      disabled={disabled}
      danger
    />
  );
}

function Ban({ user }: { user: string }): ReactNode {
  const [reason, setReason] = useState("");
  const [length, setLength] = useState("0");
  const expire = length === "0" ? 0 : Date.now() + Number(length);
  return (
    <Deed
      operation="users.ban"
      request={{ user, expire_at_ms: expire, reason: reason.trim() }}
      label={words.ban}
      title={words.banTitle(user)}
      about={words.banAbout}
      action={words.banApply}
      done={() => words.banned(user)}
      danger
    >
      <Choice id="ban-length" label={words.until} options={words.lengths} value={length} onChange={(event) => setLength(event.target.value)} />
      <TextField id="ban-reason" label={words.reason} hint={words.reasonHint} maxLength={200} spellCheck value={reason} onChange={(event) => setReason(event.target.value)} />
    </Deed>
  );
}
