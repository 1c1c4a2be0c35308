import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import type { AppRow, MethodRow } from "../contract";
import { count, duration, part } from "../state/format";
import { LINK } from "../ui/controls";
import { PageHead, Panel } from "../ui/panel";
import { Asked, Badge, Empty } from "../ui/states";
import { Table, type Column } from "../ui/table";
import { Code } from "../ui/words";

export const WINDOW_MS = 600_000;
const words = texts.apps;

/** The apps, and how their calls go. */
export function AppsPage(): ReactNode {
  const apps = useAsked("apps.list", { app: "" });
  const methods = useAsked("apps.methods", { app: "", window_ms: WINDOW_MS });
  return (
    <>
      <PageHead title={words.title} about={words.about} />
      <Panel title={words.list} note={words.window}>
        <Asked query={apps}>
          {({ apps: rows }) =>
            rows.length === 0 ? (
              <Empty title={words.empty}>{words.emptyTodo}</Empty>
            ) : (
              <Table label={words.list} columns={columns(methods.data?.methods ?? [])} rows={rows} id={(row) => row.app} />
            )
          }
        </Asked>
      </Panel>
    </>
  );
}

function columns(methods: readonly MethodRow[]): Column<AppRow>[] {
  const total = (app: string): ReturnType<typeof totalOf> => totalOf(methods.filter((each) => each.app === app));
  return [
    {
      head: words.columns.app,
      cell: ({ app, breaks }) => (
        <span className="inline-flex items-center gap-2">
          <Link to="/apps/$app" params={{ app }} className={LINK}>
            {app}
          </Link>
          {breaks.length === 0 ? null : <Badge tone="warn">{words.breaks}</Badge>}
        </span>
      ),
    },
    { head: words.columns.ruling, cell: ({ ruling }) => (ruling === "" ? <Badge tone="bad">{words.none}</Badge> : <Code>{ruling}</Code>) },
    { head: words.columns.instances, end: true, cell: ({ versions }) => count(versions.reduce((sum, each) => sum + each.instances, 0)) },
    { head: words.columns.methods, end: true, wide: true, cell: ({ methods: own }) => count(own.length) },
    { head: words.columns.calls, end: true, cell: ({ app }) => count(total(app).calls) },
    { head: words.columns.errors, end: true, cell: ({ app }) => <ErrorRate {...total(app)} /> },
    { head: words.columns.mean, end: true, wide: true, cell: ({ app }) => meanText(total(app)) },
  ];
}

/** How many failed, in words and in red where there are any. */
export function ErrorRate({ calls, errors }: { calls: number; errors: number }): ReactNode {
  return <span className={errors > 0 ? "font-medium text-bad" : "text-dim"}>{part(errors, calls)}</span>;
}

/** The mean time of calls, where there were any. */
export function meanText({ calls, mean_ms: mean }: { calls: number; mean_ms: number }): string {
  return calls === 0 ? "–" : duration(mean);
}

function totalOf(methods: readonly MethodRow[]): { calls: number; errors: number; mean_ms: number } {
  const calls = methods.reduce((sum, each) => sum + each.calls, 0);
  const spent = methods.reduce((sum, each) => sum + each.calls * each.mean_ms, 0);
  return { calls, errors: methods.reduce((sum, each) => sum + each.errors, 0), mean_ms: calls === 0 ? 0 : spent / calls };
}
