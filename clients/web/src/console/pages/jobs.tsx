import { Link, useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import type { Job, JobState } from "../contract";
import { useMay } from "../session";
import { toggled, toggledAll, within, type Selection } from "../state/selection";
import { Button, LINK, TextField } from "../ui/controls";
import { Deed } from "../ui/deed";
import { PageHead, Panel, Split } from "../ui/panel";
import { Asked, Badge, Empty, type Tone } from "../ui/states";
import { Table, type Column } from "../ui/table";
import { Code, When } from "../ui/words";
import { JobPanels } from "./job";

const words = texts.jobs;
const PAGE = 100;
const STATES = ["", "dead", "retrying", "pending", "done"] as const;
const TONES: Record<JobState, Tone> = { dead: "bad", retrying: "warn", pending: "calm", done: "good" };

/** Which jobs are listed. */
export interface JobFilter {
  state: string;
  app: string;
  connector: string;
}

/** Jobs, tasks and inbound events; one of them beside the list. */
export function JobsPage({ job, ...filter }: JobFilter & { job: string }): ReactNode {
  return (
    <>
      <PageHead title={words.title} about={words.about}>
        {job === "" ? null : (
          <Link to="/jobs" search={{ ...filter }} className={`${LINK} xl:hidden`}>
            {texts.actions.back}
          </Link>
        )}
      </PageHead>
      <Split list={<JobList key={JSON.stringify(filter)} filter={filter} current={job} />} detail={job === "" ? null : <JobPanels key={job} id={job} />} />
    </>
  );
}

function JobList({ filter, current }: { filter: JobFilter; current: string }): ReactNode {
  const state = STATES.find((each) => each === filter.state) ?? "";
  const [before, setBefore] = useState<string[]>([]);
  const [selection, setSelection] = useState<Selection>(new Set());
  const jobs = useAsked("jobs.list", { state, app: filter.app, connector: filter.connector, after: before.at(-1) ?? "", limit: PAGE });
  const may = useMay("jobs.redrive");
  const dead = (jobs.data?.jobs ?? []).filter((each) => each.state === "dead").map((each) => each.id);
  const selected = within(selection, dead);
  const last = jobs.data?.jobs.at(-1)?.id;
  return (
    <div className="flex flex-col gap-4">
      <Filter filter={filter} state={state} />
      <Panel
        title={words.list}
        note={selected.length === 0 ? undefined : words.selected(selected.length)}
        actions={
          <>
            {dead.length === 0 ? null : (
              <Deed
                operation="jobs.redrive"
                request={{ ids: selected }}
                label={words.redriveSelected}
                title={words.redriveTitle(selected.length)}
                about={words.redriveAbout}
                action={words.redriveApply}
                done={({ redriven }) => words.redriven(redriven.length, selected.length)}
                disabled={selected.length === 0}
                after={() => setSelection(new Set())}
              />
            )}
            {before.length === 0 && jobs.data?.more !== true ? null : (
              <>
                <Button disabled={before.length === 0} onClick={() => setBefore(before.slice(0, -1))}>
                  {texts.actions.previous}
                </Button>
                <Button disabled={jobs.data?.more !== true || last === undefined} onClick={() => last !== undefined && setBefore([...before, last])}>
                  {texts.actions.next}
                </Button>
              </>
            )}
          </>
        }
      >
        <Asked query={jobs}>
          {({ jobs: rows }) =>
            rows.length === 0 ? (
              <Empty title={words.empty[state]}>{words.emptyTodo}</Empty>
            ) : (
              <Table label={words.list} columns={columns(filter, may ? dead : [], selection, setSelection)} rows={rows} id={(row) => row.id} current={current} compact={current !== ""} />
            )
          }
        </Asked>
      </Panel>
    </div>
  );
}

function Filter({ filter, state }: { filter: JobFilter; state: JobState | "" }): ReactNode {
  const navigate = useNavigate();
  const [app, setApp] = useState(filter.app);
  const [connector, setConnector] = useState(filter.connector);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void navigate({ to: "/jobs", search: { state, app: app.trim(), connector: connector.trim() } });
  };
  return (
    <div className="flex flex-wrap items-end justify-between gap-3">
      <nav aria-label={words.stateFilter} className="flex max-w-full gap-0.5 overflow-x-auto rounded-lg border border-line bg-panel p-0.5">
        {STATES.map((each) => (
          <Link
            key={each}
            to="/jobs"
            search={{ ...filter, state: each }}
            aria-current={each === state ? "page" : undefined}
            className="inline-flex min-h-8 items-center rounded-md px-3 font-medium text-dim hover:text-ink aria-[current=page]:bg-accent-soft aria-[current=page]:text-accent max-sm:min-h-11"
          >
            {words.states[each]}
          </Link>
        ))}
      </nav>
      <form onSubmit={submit} className="flex flex-wrap items-end gap-2">
        <TextField id="job-app" label={words.app} className="w-32" value={app} onChange={(event) => setApp(event.target.value)} />
        <TextField id="job-connector" label={words.connector} className="w-32" value={connector} onChange={(event) => setConnector(event.target.value)} />
        <Button type="submit">{texts.actions.filter}</Button>
      </form>
    </div>
  );
}

function columns(filter: JobFilter, dead: readonly string[], selection: Selection, select: (selection: Selection) => void): Column<Job>[] {
  const heads = words.columns;
  const tick: Column<Job> = {
    className: "w-px",
    head: <input type="checkbox" aria-label={words.selectAll} className={BOX} checked={dead.every((id) => selection.has(id))} onChange={() => select(toggledAll(selection, dead))} />,
    cell: ({ id }) =>
      dead.includes(id) ? <input type="checkbox" aria-label={words.select(id)} className={BOX} checked={selection.has(id)} onChange={() => select(toggled(selection, id))} /> : null,
  };
  return [
    ...(dead.length === 0 ? [] : [tick]),
    {
      head: heads.job,
      className: "min-w-32",
      cell: ({ id }) => (
        <Link to="/jobs/$job" params={{ job: id }} search={{ ...filter }} className={LINK}>
          <Code>{id}</Code>
        </Link>
      ),
    },
    { head: heads.operation, cell: ({ operation }) => <span className="whitespace-nowrap">{operation}</span> },
    { head: heads.app, wide: true, cell: ({ app }) => app },
    { head: heads.state, cell: ({ state }) => <StateBadge state={state} /> },
    { head: heads.tries, end: true, cell: ({ tries }) => tries },
    { head: heads.when, wide: true, cell: (job) => <Due {...job} /> },
    { head: heads.note, wide: true, className: "max-w-80", cell: ({ note }) => <bdi className="line-clamp-2 text-dim wrap-anywhere">{note}</bdi> },
  ];
}

const BOX = "size-4.5 align-middle accent-(--accent) max-sm:size-6";

/** How a job stands. */
export function StateBadge({ state }: { state: JobState }): ReactNode {
  return <Badge tone={TONES[state]}>{words.states[state].toLowerCase()}</Badge>;
}

/** When a job is tried next, or when it ended. */
function Due({ ended_ms: ended, next_at_ms: next, state }: Job): ReactNode {
  return (
    <span className="whitespace-nowrap text-dim">
      {state === "done" || state === "dead" ? words.ended("") : words.next("")}
      <When ms={ended || next} relative />
    </span>
  );
}
