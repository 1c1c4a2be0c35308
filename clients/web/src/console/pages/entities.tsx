import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import type { Entity, Version, Waiting } from "../contract";
import { useMay } from "../session";
import { Button, TextField } from "../ui/controls";
import { PageHead, Panel } from "../ui/panel";
import { Asked, Badge, Empty } from "../ui/states";
import { Table, type Column } from "../ui/table";
import { Tree } from "../ui/tree";
import { Code, Trace, When, Who } from "../ui/words";
import { TimerTable } from "./timers";

const words = texts.entities;

/** Which entity. */
export interface Name {
  app: string;
  kind: string;
  id: string;
}

/** One entity, looked up by its name. */
export function EntitiesPage(name: Name): ReactNode {
  const complete = name.app !== "" && name.kind !== "" && name.id !== "";
  return (
    <>
      <PageHead title={words.title} about={words.about} />
      <Find key={JSON.stringify(name)} {...name} />
      {complete ? <Found {...name} /> : <Start />}
    </>
  );
}

/** Where nothing is asked for yet: entities that are known of, since they wait for something. */
function Start(): ReactNode {
  const timers = useAsked("timers.list", { app: "", kind: "", id: "", after: "", limit: 20 }, { enabled: useMay("timers.list") });
  const known = timers.data?.timers ?? [];
  return (
    <>
      <Empty title={words.start}>{words.startTodo}</Empty>
      {known.length === 0 ? null : (
        <Panel title={words.waiting} note={words.waitingNote}>
          <TimerTable label={words.waiting} timers={known} />
        </Panel>
      )}
    </>
  );
}

function Find(given: Name): ReactNode {
  const navigate = useNavigate();
  const apps = useAsked("apps.list", { app: "" }, { every: 30_000, enabled: useMay("apps.list") });
  const [name, setName] = useState(given);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void navigate({ to: "/entities", search: { app: name.app.trim(), kind: name.kind.trim(), id: name.id.trim() } });
  };
  return (
    <form onSubmit={submit} className="flex flex-wrap items-start gap-3">
      <TextField id="entity-app" label={words.app} list="entity-apps" required className="w-40" value={name.app} onChange={(event) => setName({ ...name, app: event.target.value })} />
      <datalist id="entity-apps">{apps.data?.apps.map(({ app }) => <option key={app} value={app} />)}</datalist>
      <TextField id="entity-kind" label={words.kind} hint={words.kindHint} required className="w-56" value={name.kind} onChange={(event) => setName({ ...name, kind: event.target.value })} />
      <TextField id="entity-id" label={words.id} required className="w-full max-w-sm" value={name.id} onChange={(event) => setName({ ...name, id: event.target.value })} />
      <Button type="submit" className="mt-5">
        {texts.actions.look}
      </Button>
    </form>
  );
}

function Found(name: Name): ReactNode {
  const entity = useAsked("entity.inspect", name);
  const timers = useAsked("timers.list", { ...name, after: "", limit: 50 }, { enabled: useMay("timers.list") });
  return (
    <Asked query={entity}>
      {(found) =>
        found.version === 0 && found.versions.length === 0 && found.outbox.length === 0 ? (
          <Empty title={words.missing}>{words.missingTodo}</Empty>
        ) : (
          <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
            <State {...found} />
            <div className="flex min-w-0 flex-col gap-4">
              <Panel title={words.outbox} note={found.outbox.length === 0 ? undefined : words.outboxNote(found.outbox.reduce((sum, each) => sum + each.items.length, 0))}>
                {found.outbox.length === 0 ? (
                  <Empty title={words.outboxEmpty}>{words.outboxEmptyTodo}</Empty>
                ) : (
                  <Table label={words.outbox} columns={OUTBOX} rows={found.outbox} id={(row) => String(row.version)} />
                )}
              </Panel>
              <Panel title={words.trail} note={words.trailNote}>
                <Table label={words.trail} columns={TRAIL} rows={found.versions.toReversed()} id={(row) => `${row.version} ${row.at_ms}`} />
              </Panel>
              {timers.data === undefined || timers.data.timers.length === 0 ? null : (
                <Panel title={words.timers}>
                  <TimerTable label={words.timers} timers={timers.data.timers} own />
                </Panel>
              )}
            </div>
          </div>
        )
      }
    </Asked>
  );
}

function State({ version, state }: Entity): ReactNode {
  return (
    <Panel title={words.state} actions={<Badge tone={version === 0 ? "warn" : "accent"}>{version === 0 ? words.deleted : words.version(version)}</Badge>}>
      {state === null ? <Empty title={words.deleted}>{words.noState}</Empty> : <Tree value={state} label={words.tree} />}
    </Panel>
  );
}

const OUTBOX: Column<Waiting>[] = [
  { head: words.outboxColumns.version, end: true, cell: ({ version }) => version },
  { head: words.outboxColumns.at, cell: ({ at_ms: at }) => <When ms={at} /> },
  { head: words.outboxColumns.what, className: "w-full min-w-48", cell: ({ items }) => items.map((item, number) => <Code key={number} className="block wrap-anywhere">{JSON.stringify(item)}</Code>) },
  { head: <span className="sr-only">{texts.common.trace}</span>, cell: ({ version, traceparent }) => <Trace of={`${words.outbox} ${version}`} parent={traceparent} /> },
];

const TRAIL: Column<Version>[] = [
  {
    head: words.trailColumns.version,
    end: true,
    cell: ({ version, deleted }) => (
      <>
        {version} {deleted ? <Badge tone="warn">{words.deleted}</Badge> : null}
      </>
    ),
  },
  { head: words.trailColumns.by, className: "w-full", cell: ({ by }) => <Who user={by} /> },
  { head: words.trailColumns.at, cell: ({ at_ms: at }) => <When ms={at} /> },
  { head: <span className="sr-only">{texts.common.trace}</span>, cell: ({ version, traceparent }) => <Trace of={words.version(version)} parent={traceparent} /> },
];
