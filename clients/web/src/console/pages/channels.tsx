import { Link, useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import type { ChannelRow } from "../contract";
import { count } from "../state/format";
import { Button, Choice, LINK, TextField } from "../ui/controls";
import { PageHead, Panel } from "../ui/panel";
import { Asked, Empty } from "../ui/states";
import { Table, type Column } from "../ui/table";

const LIMIT = 200;
const words = texts.channels;
const ORDERS = [
  ["clients", words.byClients],
  ["name", words.byName],
] as const;

/** Channels with subscribers; a full name opens any channel. */
export function ChannelsPage({ pattern, order }: { pattern: string; order: string }): ReactNode {
  const sorting = order === "name" ? "name" : "clients";
  const channels = useAsked("channels.list", { pattern, after: "", limit: LIMIT, order: sorting });
  return (
    <>
      <PageHead title={words.title} about={words.about} />
      <Find key={pattern} pattern={pattern} order={sorting} />
      <Panel title={words.list} note={channels.data?.more === true ? words.more : undefined}>
        <Asked query={channels}>
          {({ channels: rows }) =>
            rows.length === 0 ? (
              <Empty title={pattern === "" ? words.empty : words.emptyFor(pattern)}>{words.emptyTodo}</Empty>
            ) : (
              <Table label={words.list} columns={COLUMNS} rows={rows} id={(row) => row.channel} />
            )
          }
        </Asked>
      </Panel>
    </>
  );
}

const COLUMNS: Column<ChannelRow>[] = [
  {
    head: words.columns.channel,
    className: "w-full",
    cell: ({ channel }) => (
      <Link to="/channels" search={{ channel }} className={LINK}>
        {channel}
      </Link>
    ),
  },
  { head: words.columns.clients, end: true, cell: ({ clients }) => count(clients) },
];

function Find({ pattern, order }: { pattern: string; order: "clients" | "name" }): ReactNode {
  const navigate = useNavigate();
  const [text, setText] = useState(pattern);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const wanted = text.trim();
    if (wanted.includes(":") && !/[*?[]/.test(wanted)) {
      void navigate({ to: "/channels", search: { channel: wanted } });
    } else {
      void navigate({ to: "/channels", search: { pattern: wanted, order } });
    }
  };
  return (
    <form onSubmit={submit} className="flex flex-wrap items-start gap-3">
      <TextField id="find-channel" label={words.find} hint={words.findHint} className="w-full max-w-md" value={text} onChange={(event) => setText(event.target.value)} />
      <Choice
        id="channel-order"
        label={words.order}
        className="w-52"
        options={ORDERS}
        value={order}
        onChange={(event) => void navigate({ to: "/channels", search: { pattern, order: event.target.value } })}
      />
      <Button type="submit" className="mt-5">
        {texts.actions.look}
      </Button>
    </form>
  );
}
