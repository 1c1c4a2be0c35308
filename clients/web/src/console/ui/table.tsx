import type { ReactNode } from "react";

/** A column: what is in it for a row. `end`: numbers, aligned at their end. `wide`: left out where there is little room. */
export interface Column<Row> {
  head: ReactNode;
  cell: (row: Row) => ReactNode;
  end?: boolean;
  wide?: boolean;
  className?: string;
}

/** Rows and columns, dense, in a frame that scrolls sideways by itself where it must. `current`: the row that is looked at; `compact`: without `wide` columns. */
export function Table<Row>({
  label,
  columns,
  rows,
  id,
  current,
  compact = false,
}: {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  id: (row: Row) => string;
  current?: string | undefined;
  compact?: boolean;
}): ReactNode {
  const shown = compact ? columns.filter((column) => column.wide !== true) : columns;
  return (
    <div role="group" aria-label={label} tabIndex={0} className="relative overflow-x-auto focus-visible:-outline-offset-2">
      <table aria-label={label} className="w-full border-collapse text-start text-[0.8125rem]">
        <thead>
          <tr>
            {shown.map((column, number) => (
              <th key={number} scope="col" className={`border-b border-line px-3 py-1.5 text-xs font-medium whitespace-nowrap text-dim first:ps-4 last:pe-4 ${shape(column)}`}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr
              key={id(row)}
              aria-current={current !== undefined && id(row) === current ? "true" : undefined}
              className="border-b border-line/60 last:border-0 hover:bg-raised/60 aria-[current]:bg-accent-soft"
            >
              {shown.map((column, number) => (
                <td key={number} className={`[&_a]:inline-block [&_a]:max-w-96 px-3 py-1.5 align-baseline first:ps-4 last:pe-4 ${shape(column)} ${column.className ?? ""}`}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function shape<Row>(column: Column<Row>): string {
  return `${column.end === true ? "text-end whitespace-nowrap tabular-nums" : "text-start"} ${column.wide === true ? "max-md:hidden" : ""}`;
}
