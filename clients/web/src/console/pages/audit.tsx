import { useState, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import type { AuditRow } from "../contract";
import { Button } from "../ui/controls";
import { PageHead, Panel } from "../ui/panel";
import { Asked, Badge, Empty } from "../ui/states";
import { Table, type Column } from "../ui/table";
import { Code, Trace, When, Who } from "../ui/words";

const words = texts.audit;
const PAGE = 100;

/** Who did what, the newest first. */
export function AuditPage(): ReactNode {
  const [before, setBefore] = useState<string[]>([]);
  const records = useAsked("audit.list", { before: before.at(-1) ?? "", limit: PAGE });
  const last = records.data?.records.at(-1)?.id;
  const full = (records.data?.records.length ?? 0) >= PAGE;
  return (
    <>
      <PageHead title={words.title} about={words.about} />
      <Panel
        title={words.list}
        actions={
          before.length === 0 && !full ? undefined : (
            <>
              <Button disabled={before.length === 0} onClick={() => setBefore(before.slice(0, -1))}>
                {texts.actions.previous}
              </Button>
              <Button disabled={!full || last === undefined} onClick={() => last !== undefined && setBefore([...before, last])}>
                {texts.actions.next}
              </Button>
            </>
          )
        }
      >
        <Asked query={records}>
          {({ records: rows }) => (rows.length === 0 ? <Empty title={words.empty}>{words.emptyTodo}</Empty> : <Table label={words.list} columns={COLUMNS} rows={rows} id={(row) => row.id} />)}
        </Asked>
      </Panel>
    </>
  );
}

const COLUMNS: Column<AuditRow>[] = [
  { head: words.columns.at, cell: ({ at_ms: at }) => <When ms={at} /> },
  { head: words.columns.caller, cell: ({ caller }) => <Who user={caller} /> },
  { head: words.columns.operation, cell: ({ operation }) => <span className="font-medium whitespace-nowrap">{operation}</span> },
  { head: words.columns.target, className: "w-full min-w-40", cell: ({ target }) => <Code className="wrap-anywhere">{target}</Code> },
  { head: words.columns.outcome, cell: ({ outcome }) => <Badge tone={outcome === "ok" ? "good" : "bad"}>{outcome}</Badge> },
  { head: <span className="sr-only">{texts.common.trace}</span>, wide: true, cell: ({ id, traceparent }) => <Trace of={words.trace(id)} parent={traceparent} /> },
];
