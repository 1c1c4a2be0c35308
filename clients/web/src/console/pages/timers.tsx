import { Link, useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import type { Timer } from "../contract";
import { Button, LINK, TextField } from "../ui/controls";
import { PageHead, Panel } from "../ui/panel";
import { Asked, Empty } from "../ui/states";
import { Table, type Column } from "../ui/table";
import { Code, Trace, When } from "../ui/words";
import type { Name } from "./entities";

const words = texts.timers;
const PAGE = 100;

/** What is set for later, the soonest first. */
export function TimersPage(name: Name): ReactNode {
  const [before, setBefore] = useState<string[]>([]);
  const timers = useAsked("timers.list", { ...name, after: before.at(-1) ?? "", limit: PAGE });
  const next = timers.data?.next ?? "";
  return (
    <>
      <PageHead title={words.title} about={words.about} />
      <Filter key={JSON.stringify(name)} {...name} />
      <Panel
        title={words.list}
        actions={
          before.length === 0 && next === "" ? undefined : (
            <>
              <Button disabled={before.length === 0} onClick={() => setBefore(before.slice(0, -1))}>
                {texts.actions.previous}
              </Button>
              <Button disabled={next === ""} onClick={() => setBefore([...before, next])}>
                {texts.actions.next}
              </Button>
            </>
          )
        }
      >
        <Asked query={timers}>
          {({ timers: rows }) => (rows.length === 0 ? <Empty title={words.empty}>{words.emptyTodo}</Empty> : <TimerTable label={words.list} timers={rows} />)}
        </Asked>
      </Panel>
    </>
  );
}

function Filter(given: Name): ReactNode {
  const navigate = useNavigate();
  const [name, setName] = useState(given);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void navigate({ to: "/timers", search: { app: name.app.trim(), kind: name.kind.trim(), id: name.id.trim() } });
  };
  return (
    <form onSubmit={submit} className="flex flex-wrap items-end gap-3">
      <TextField id="timer-app" label={words.app} className="w-40" value={name.app} onChange={(event) => setName({ ...name, app: event.target.value })} />
      <TextField id="timer-kind" label={words.kind} className="w-40" value={name.kind} onChange={(event) => setName({ ...name, kind: event.target.value })} />
      <TextField id="timer-id" label={words.id} className="w-full max-w-xs" value={name.id} onChange={(event) => setName({ ...name, id: event.target.value })} />
      <Button type="submit">{texts.actions.filter}</Button>
    </form>
  );
}

/** Timers as a table; `own`: all of one entity, whose name then goes without saying. */
export function TimerTable({ label, timers, own = false }: { label: string; timers: readonly Timer[]; own?: boolean }): ReactNode {
  const columns = own ? COLUMNS.filter((column) => column.head !== words.columns.entity) : COLUMNS;
  return <Table label={label} columns={columns} rows={timers} id={(row) => `${nameOf(row)} ${row.name}`} />;
}

const COLUMNS: Column<Timer>[] = [
  {
    head: words.columns.at,
    cell: ({ at_ms: at }) => (
      <span className="inline-flex flex-wrap gap-x-2">
        <When ms={at} />
        <span className="text-dim">
          <When ms={at} relative />
        </span>
      </span>
    ),
  },
  { head: words.columns.name, cell: ({ name }) => <Code className="font-medium">{name}</Code> },
  {
    head: words.columns.entity,
    className: "w-full",
    cell: ({ app, kind, id, name }) => (
      <Link to="/entities" search={{ app, kind, id }} aria-label={`${words.entity(app, kind, id)} (${name})`} className={LINK}>
        {words.entity(app, kind, id)}
      </Link>
    ),
  },
  { head: words.columns.task, cell: ({ task }) => <Code>{task}</Code> },
  { head: words.columns.version, end: true, wide: true, cell: ({ version }) => words.version(version) },
  { head: <span className="sr-only">{texts.common.trace}</span>, wide: true, cell: (timer) => <Trace of={words.of(timer.name, nameOf(timer))} parent={timer.traceparent} /> },
];

function nameOf({ app, kind, id }: Timer): string {
  return words.entity(app, kind, id);
}
