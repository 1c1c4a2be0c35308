import type { ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import type { AppRow, AppVersion, MethodRow, MethodVersion, RouteRow } from "../contract";
import { useMay } from "../session";
import { count, part, share } from "../state/format";
import { unfolded } from "../state/tree";
import { PageHead, Panel } from "../ui/panel";
import { Asked, Badge, Empty } from "../ui/states";
import { Spark } from "../ui/spark";
import { Table, type Column } from "../ui/table";
import { Tree } from "../ui/tree";
import { Code } from "../ui/words";
import { ErrorRate, meanText, WINDOW_MS } from "./apps";
import { SetShare } from "./share";

const words = texts.apps;

/** One app: its versions, its methods with their calls and their routes. */
export function AppPage({ app }: { app: string }): ReactNode {
  const apps = useAsked("apps.list", { app });
  const routes = useAsked("route.list", { app });
  const methods = useAsked("apps.methods", { app, window_ms: WINDOW_MS });
  const contract = useAsked("apps.contract", { app, version: "" }, { every: 60_000, enabled: useMay("apps.contract") });
  return (
    <>
      <PageHead title={app} />
      <Asked query={apps}>
        {({ apps: [row] }) =>
          row === undefined ? (
            <Panel title={words.versions}>
              <Empty title={words.missing}>{words.missingTodo}</Empty>
            </Panel>
          ) : (
            <>
              <Warnings breaks={row.breaks} />
              <Panel title={words.versions} note={row.namespaces.length === 0 ? undefined : `${words.namespaces}: ${row.namespaces.join(", ")}`}>
                <Table label={words.versions} columns={versionColumns(row.ruling)} rows={row.versions} id={(each) => each.version} />
              </Panel>
              <Panel title={words.methods} note={words.methodsNote}>
                <Asked query={methods}>
                  {({ methods: rows }) => (
                    <Table label={words.methods} columns={methodColumns(row, routes.data?.routes ?? [])} rows={[...rows.filter((each) => each.method !== ""), whole(app)]} id={(each) => each.method} />
                  )}
                </Asked>
              </Panel>
            </>
          )
        }
      </Asked>
      {contract.data === undefined ? null : (
        <Panel title={words.contract} note={words.contractNote}>
          <Tree value={unfolded(contract.data.manifest)} label={words.contract} open={0} />
        </Panel>
      )}
    </>
  );
}

function Warnings({ breaks }: { breaks: readonly string[] }): ReactNode {
  return breaks.length === 0 ? null : (
    <Panel title={words.breaks}>
      <ul aria-label={words.breaks} className="flex list-disc flex-col gap-1 px-8 py-3 text-warn">
        {breaks.map((text) => (
          <li key={text} className="wrap-anywhere">
            {text}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function versionColumns(ruling: string): Column<AppVersion>[] {
  const heads = words.versionColumns;
  return [
    { head: heads.version, cell: ({ version }) => <Code>{version}</Code> },
    { head: heads.instances, end: true, cell: ({ instances }) => count(instances) },
    { head: heads.methods, end: true, cell: ({ methods }) => count(methods.length) },
    {
      head: <span className="sr-only">{words.columns.ruling}</span>,
      cell: ({ version, instances }) =>
        instances === 0 ? <Badge tone="warn">{words.asleep}</Badge> : version === ruling ? <Badge tone="good">{words.rules}</Badge> : null,
      className: "w-full",
    },
  ];
}

/** The row of what has no method: the app's hooks, and its methods without a route of their own. */
function whole(app: string): MethodRow {
  return { app, method: "", calls: 0, errors: 0, rejected: 0, mean_ms: 0, route: null, versions: [], calls_series: [], errors_series: [] };
}

function methodColumns({ app, versions }: AppRow, routes: readonly RouteRow[]): Column<MethodRow>[] {
  const heads = words.methodColumns;
  const routeOf = (method: string): RouteRow | undefined => routes.find((route) => route.method === method);
  const counted = (row: MethodRow, text: ReactNode): ReactNode => (row.method === "" ? null : text);
  return [
    { head: heads.method, cell: ({ method }) => (method === "" ? <span className="text-dim">{words.hooks}</span> : <Code className="font-medium">{method}</Code>) },
    { head: heads.calls, end: true, cell: (row) => counted(row, count(row.calls)) },
    { head: heads.errors, end: true, cell: (row) => counted(row, <ErrorRate {...row} />) },
    { head: heads.rejected, end: true, wide: true, cell: (row) => counted(row, <span className="text-dim">{part(row.rejected, row.calls)}</span>) },
    { head: heads.mean, end: true, cell: (row) => counted(row, meanText(row)) },
    {
      head: heads.trend,
      wide: true,
      cell: (row) =>
        row.calls_series.length === 0 ? null : (
          <Spark label={words.trend(row.method, count(row.calls), count(row.errors))} counts={row.calls_series} failed={row.errors_series} />
        ),
    },
    { head: heads.versions, wide: true, cell: ({ versions: answered }) => <ByVersion versions={answered} /> },
    {
      head: heads.route,
      cell: ({ method }) => {
        const route = routeOf(method);
        return route === undefined ? (
          <span className="whitespace-nowrap text-dim">{words.noRoute}</span>
        ) : (
          <span className="inline-flex flex-wrap items-center gap-1.5">
            <Badge tone="accent">{words.route(share(route.share_permille), route.version)}</Badge>
            {route.instances === 0 ? <Badge tone="warn">{words.asleep}</Badge> : null}
          </span>
        );
      },
    },
    {
      head: <span className="sr-only">{words.set}</span>,
      end: true,
      cell: ({ method }) => <SetShare app={app} method={method} versions={versions.map((each) => each.version)} route={routeOf(method)} />,
    },
  ];
}

/** Who answered how well, where more than one version did: what a canary is watched by. */
function ByVersion({ versions }: { versions: readonly MethodVersion[] }): ReactNode {
  return versions.length < 2 ? null : (
    <ul className="flex flex-col">
      {versions.map((each) => (
        <li key={each.version} className="whitespace-nowrap tabular-nums">
          <Code>{each.version === "" ? words.anyVersion : each.version}</Code> {count(each.calls)}, <ErrorRate {...each} />, {meanText(each)}
        </li>
      ))}
    </ul>
  );
}
