import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { NoAnswer, Refusal, WrongKey } from "../api";
import { time } from "../state/format";
import { texts } from "../../texts/console";

const TONES = {
  good: "bg-good-soft text-good",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
  calm: "bg-raised text-dim",
  accent: "bg-accent-soft text-accent",
};
export type Tone = keyof typeof TONES;

/** A short word about how something stands. */
export function Badge({ tone = "calm", children }: { tone?: Tone; children: ReactNode }): ReactNode {
  return <span className={`inline-flex items-center rounded-full px-2 py-0.5 text-xs font-medium whitespace-nowrap ${TONES[tone]}`}>{children}</span>;
}

/** There is nothing to show, and why that is. */
export function Empty({ title, children }: { title: string; children?: ReactNode }): ReactNode {
  return (
    <div className="flex flex-col items-center gap-1 px-4 py-8 text-center text-dim">
      <p className="font-medium text-ink">{title}</p>
      {children === undefined ? null : <p className="max-w-prose text-sm">{children}</p>}
    </div>
  );
}

/** What went wrong, and what to do. */
export function Problem({ error }: { error: Error }): ReactNode {
  const { what, todo } = explained(error);
  return (
    <div role="alert" className="flex flex-col gap-0.5 rounded-md bg-bad-soft px-3 py-2 text-sm wrap-anywhere text-bad">
      <p className="font-medium">{what}</p>
      <p>{todo}</p>
    </div>
  );
}

/** What a query brought: while it waits, what went wrong, or the data, marked as old where the last question was not answered. */
export function Asked<Data>({ query, children }: { query: UseQueryResult<Data>; children: (data: Data) => ReactNode }): ReactNode {
  if (query.data === undefined) {
    return query.error === null ? <p className="px-4 py-6 text-dim">{texts.states.loading}</p> : <div className="p-3">{<Problem error={query.error} />}</div>;
  }
  return (
    <>
      {query.error === null ? null : <Old error={query.error} from={query.dataUpdatedAt} />}
      {children(query.data)}
    </>
  );
}

/** One line for data that the last question did not renew. */
export function Old({ error, from }: { error: Error; from: number }): ReactNode {
  const text = error instanceof NoAnswer ? texts.states.old(time(from)) : texts.states.oldRefused(time(from), explained(error).what);
  return <p className="bg-warn-soft px-4 py-1.5 text-xs font-medium text-warn">{text}</p>;
}

function explained(error: Error): { what: string; todo: string } {
  if (error instanceof WrongKey) {
    return texts.errors.wrongKey;
  }
  if (error instanceof Refusal) {
    const known = texts.errors.codes[error.code];
    return { what: texts.errors.refused(error.message), todo: known ?? (error.temporary ? texts.errors.again : texts.errors.look) };
  }
  return error instanceof NoAnswer ? texts.errors.noAnswer : { what: error.message, todo: texts.errors.look };
}
