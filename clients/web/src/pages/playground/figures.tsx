import type { ReactNode } from "react";
import { now } from "../../playground/flow";
import type { View } from "../../playground/playground";
import { interruption, waiting } from "../../playground/tally";
import { texts } from "../../texts";

/** So many are on their way at any time. */
const FEW = 3;

/** The promise in three parts, each with its count: kept, or broken. */
export function Promises({ view }: { view: View }): ReactNode {
  const { promise, figures } = texts.playground;
  const { doubled, outOfOrder, liveSince } = view.tally;
  const behind = waiting(view.tally);
  const open = view.lost === 0 && (liveSince === null || behind > FEW); // nobody can say yet that nothing is lost
  return (
    <div className="grid grid-cols-3 gap-2 sm:gap-3">
      <Promised promise={promise.lost} name={figures.lost} count={view.lost} open={open ? texts.playground.onTheirWay(behind) : null} />
      <Promised promise={promise.doubled} name={figures.doubled} count={doubled} />
      <Promised promise={promise.outOfOrder} name={figures.outOfOrder} count={outOfOrder} />
    </div>
  );
}

function Promised({ promise, name, count, open = null }: { promise: string; name: string; count: number; open?: string | null }): ReactNode {
  const kept = count === 0;
  const colours = open !== null
    ? "bg-slate-100 text-slate-900 ring-slate-400 dark:bg-slate-800 dark:text-slate-50 dark:ring-slate-600"
    : kept
    ? "bg-emerald-50 text-emerald-900 ring-emerald-300 dark:bg-emerald-950 dark:text-emerald-100 dark:ring-emerald-800"
    : "bg-red-50 text-red-900 ring-red-400 dark:bg-red-950 dark:text-red-100 dark:ring-red-700";
  return (
    <div className={`flex flex-col gap-1 rounded-xl p-3 ring-1 sm:p-4 ${colours}`}>
      <p className="flex items-center gap-2 text-base font-bold tracking-tight sm:text-2xl">
        {open === null ? <Check kept={kept} /> : <span aria-hidden className="m-0.5 hidden size-6 shrink-0 rounded-full border-3 border-dashed border-slate-600 sm:block dark:border-slate-300" />}
        {promise}
      </p>
      <p className="flex items-baseline gap-2 text-sm sm:ps-9">
        <span aria-hidden>{name}</span>
        <output aria-label={name} aria-live="off" className="text-lg font-bold tabular-nums">
          {count}
        </output>
        {open === null ? null : <span className="tabular-nums">{open}</span>}
      </p>
    </div>
  );
}

function Check({ kept }: { kept: boolean }): ReactNode {
  return (
    <svg aria-hidden viewBox="0 0 24 24" className="hidden size-7 shrink-0 sm:block">
      <circle cx="12" cy="12" r="11" className={kept ? "fill-emerald-700 dark:fill-emerald-400" : "fill-red-700 dark:fill-red-400"} />
      <path
        d={kept ? "M7 12.5l3.4 3.4L17 9" : "M8 8l8 8M16 8l-8 8"}
        fill="none"
        strokeWidth="2.6"
        strokeLinecap="round"
        strokeLinejoin="round"
        className="stroke-white dark:stroke-slate-950"
      />
    </svg>
  );
}

/** What went out, what came back, and the latest interruption. */
export function Figures({ view }: { view: View }): ReactNode {
  const { figures, ms } = texts.playground;
  const latest = view.tally.kills.at(-1);
  return (
    <dl className="flex flex-wrap items-baseline gap-x-8 gap-y-1">
      <Figure name={figures.sent}>{view.tally.sent}</Figure>
      <Figure name={figures.received}>{view.tally.received}</Figure>
      <Figure name={figures.interruption}>{ms(latest ? interruption(view.tally, latest, now()) : 0)}</Figure>
    </dl>
  );
}

function Figure({ name, children }: { name: string; children: ReactNode }): ReactNode {
  return (
    <div className="flex items-baseline gap-2">
      <dt className="text-sm text-slate-700 dark:text-slate-300">{name}</dt>
      <dd>
        <output aria-label={name} aria-live="off" className="text-2xl font-bold tabular-nums sm:text-3xl">
          {children}
        </output>
      </dd>
    </div>
  );
}
