import { Link } from "@tanstack/react-router";
import { CircleCheck, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import type { NodeList, NodeRow } from "../contract";
import { useMay } from "../session";
import { matters, weight, type Matter } from "../state/attention";
import { ago, bytes, count, duration, short } from "../state/format";
import { Charts } from "../ui/charts";
import { LINK } from "../ui/controls";
import { PageHead, Panel } from "../ui/panel";
import { Asked, Badge, Empty } from "../ui/states";
import { Table, type Column } from "../ui/table";
import { Code, When } from "../ui/words";

const FIGURES = ["connections", "messages_in_per_s", "messages_out_per_s", "feed_lag_ms", "loop_delay_ms", "write_ms"];
const words = texts.overview;
const TONES = { up: "good", silent: "bad", left: "calm" } as const;

/** What runs, how it does, what wants a look. */
export function OverviewPage(): ReactNode {
  const nodes = useAsked("nodes.list", { service: "" });
  return (
    <>
      <PageHead title={words.title} about={words.about} />
      <Attention nodes={nodes.data} />
      <Charts label={words.charts} figures={FIGURES} kinds={nodes.data?.figures ?? {}} />
      <Panel title={words.nodes}>
        <Asked query={nodes}>
          {({ nodes: rows }) =>
            rows.length === 0 ? <Empty title={words.noNodes}>{words.noNodesTodo}</Empty> : <Table label={words.nodes} columns={COLUMNS} rows={rows} id={(row) => row.node} />
          }
        </Asked>
      </Panel>
    </>
  );
}

const COLUMNS: Column<NodeRow>[] = [
  {
    head: words.columns.node,
    cell: ({ node, service }) => (
      <Link to="/nodes/$node" params={{ node }} className={`${LINK} whitespace-nowrap`}>
        {service} <Code className="font-normal">{node}</Code>
      </Link>
    ),
  },
  { head: words.columns.state, cell: ({ state, heard_ms: heard }) => <NodeState state={state} heard={heard} /> },
  { head: words.columns.version, cell: (row) => <Code>{versionOf(row)}</Code> },
  { head: words.columns.up, end: true, wide: true, cell: (row) => (row.state === "up" ? duration(Date.now() - row.started_ms) : "–") },
  { head: words.columns.cpu, end: true, cell: (row) => figure(row, "cpu_percent", (value) => `${short(value)}%`) },
  { head: words.columns.memory, end: true, cell: (row) => figure(row, "rss_bytes", bytes) },
  { head: words.columns.loop, end: true, wide: true, cell: (row) => figure(row, "loop_delay_ms", duration) },
  { head: words.columns.load, end: true, wide: true, cell: load },
];

/** How a node stands. */
export function NodeState({ state, heard }: { state: NodeRow["state"]; heard: number }): ReactNode {
  return (
    <span className="inline-flex flex-wrap items-center gap-x-2">
      <Badge tone={TONES[state]}>{words.states[state]}</Badge>
      {state === "up" ? null : (
        <span className="text-xs text-dim">
          {words.heard("")}
          <When ms={heard} relative />
        </span>
      )}
    </span>
  );
}

function Attention({ nodes }: { nodes: NodeList | undefined }): ReactNode {
  const dead = useAsked("jobs.list", { state: "dead", app: "", connector: "", after: "", limit: 200 }, { enabled: useMay("jobs.list") });
  const endpoints = useAsked("webhooks.list", { app: "" }, { enabled: useMay("webhooks.list") });
  const apps = useAsked("apps.list", { app: "" }, { enabled: useMay("apps.list") });
  const found = matters({ nodes: nodes?.nodes, dead: dead.data, endpoints: endpoints.data?.endpoints, apps: apps.data?.apps });
  return (
    <Panel title={words.attention}>
      {found.length === 0 ? (
        <p className="flex items-center gap-2 px-4 py-3 text-dim">
          <CircleCheck aria-hidden className="size-4 text-good" />
          {nodes === undefined ? texts.states.loading : words.calm}
        </p>
      ) : (
        <ul aria-label={words.attention} className="divide-y divide-line/60">
          {found.map((matter, number) => (
            <li key={number} className="flex items-start gap-3 px-4 py-2">
              <TriangleAlert aria-hidden className={`mt-0.5 size-4 shrink-0 ${weight(matter) === "bad" ? "text-bad" : "text-warn"}`} />
              <MatterText matter={matter} now={nodes?.now_ms ?? Date.now()} />
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function MatterText({ matter, now }: { matter: Matter; now: number }): ReactNode {
  const said = texts.attention;
  switch (matter.about) {
    case "nobody":
      return <Said what={said.nobody(matter.service)} todo={said.nobodyTodo(ago(matter.heard, now))} />;
    case "silent":
      return <Said what={said.silent(matter.service, matter.node)} todo={said.silentTodo(ago(matter.heard, now), matter.others)} />;
    case "versions":
      return <Said what={said.versions(matter.service, matter.versions.join(", "))} todo={said.versionsTodo} />;
    case "overdue":
      return <Said what={said.overdue(duration(matter.ms))} todo={said.overdueTodo} />;
    case "dead":
      return (
        <Said
          what={
            <Link to="/jobs" search={{ state: "dead" }} className={LINK}>
              {said.dead(`${count(matter.count)}${matter.more ? "+" : ""} ${matter.count === 1 ? "job is" : "jobs are"}`)}
            </Link>
          }
          todo={said.deadTodo}
        />
      );
    case "disabled":
      return (
        <Said
          what={
            <Link to="/webhooks/$endpoint" params={{ endpoint: matter.endpoint.id }} className={LINK}>
              {said.disabled(matter.endpoint.app, matter.endpoint.event)}
            </Link>
          }
          todo={matter.endpoint.disabled}
        />
      );
    case "noApp":
      return (
        <Said
          what={
            <Link to="/apps/$app" params={{ app: matter.app }} className={LINK}>
              {said.noApp(matter.app)}
            </Link>
          }
          todo={said.noAppTodo}
        />
      );
    case "breaks":
      return <Said what={said.breaks(matter.app)} todo={matter.text} />;
  }
}

function Said({ what, todo }: { what: ReactNode; todo: string }): ReactNode {
  return (
    <div className="min-w-0">
      <p className="font-medium wrap-anywhere">{what}</p>
      <p className="text-dim wrap-anywhere">{todo}</p>
    </div>
  );
}

/** The version of what runs, and of the app that it runs. */
export function versionOf({ version, app_version: app }: NodeRow): string {
  return app === "" ? version : words.withApp(version, app);
}

/** The newest value of a node that is up; what one that fell silent said last is no news. */
function figure({ state, figures }: NodeRow, name: string, text: (value: number) => string): string {
  const value = figures[name];
  return state !== "up" || value === undefined ? "–" : text(value);
}

function load(row: NodeRow): string {
  return "connections" in row.figures
    ? figure(row, "connections", words.connections)
    : figure(row, "requests_per_s", (value) => words.requests(short(value)));
}
