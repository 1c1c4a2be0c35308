import type { ReactNode } from "react";
import { KINDS, type Kind, type Process } from "../../playground/desk";
import { now } from "../../playground/flow";
import type { Playground, View } from "../../playground/playground";
import { texts } from "../../texts";

const LAMPS = { ready: "bg-emerald-600 dark:bg-emerald-400", starting: "bg-amber-500", down: "bg-red-600" };

/** The processes that a number passes, each with what it needs to be killed. */
export function Tiles({ playground, view }: { playground: Playground; view: View }): ReactNode {
  return (
    <ul aria-label={texts.playground.path} className="grid grid-cols-2 gap-2 sm:gap-3 lg:grid-cols-4">
      {KINDS.map((kind) => (
        <Tile key={kind} kind={kind} playground={playground} view={view} />
      ))}
    </ul>
  );
}

function Tile({ kind, playground, view }: { kind: Kind; playground: Playground; view: View }): ReactNode {
  const own = view.processes.filter((each) => each.kind === kind);
  const killed = view.killed[kind];
  const state = killed === "down" && own.every((each) => each.state === "ready") ? "down" : worst(own);
  const calm = state === "ready" ? "border-slate-300 dark:border-slate-700" : "border-red-500 bg-red-50 dark:border-red-500 dark:bg-red-950";
  return (
    <li className={`flex flex-col gap-2 rounded-xl border p-3 transition-colors ${calm}`}>
      <div>
        <p className="flex items-center gap-2 font-bold">
          <span aria-hidden className={`size-2.5 shrink-0 rounded-full ${LAMPS[state]} ${state === "ready" ? "" : "motion-safe:animate-pulse"}`} />
          {texts.playground.kinds[kind]}
          <span className="hidden truncate text-sm font-normal text-slate-700 sm:inline dark:text-slate-300">{texts.playground.does[kind]}</span>
        </p>
        <p className="text-sm tabular-nums text-slate-700 dark:text-slate-300">{standing(kind, state, own, view)}</p>
      </div>
      <button
        type="button"
        disabled={state !== "ready" || killed !== undefined}
        onClick={() => void playground.kill(kind)}
        className="min-h-11 rounded-lg border border-red-700 px-3 font-medium text-red-800 transition-colors enabled:hover:bg-red-700 enabled:hover:text-white disabled:cursor-not-allowed disabled:border-slate-400 disabled:text-slate-600 dark:border-red-400 dark:text-red-300 dark:enabled:hover:bg-red-400 dark:enabled:hover:text-slate-950 dark:disabled:border-slate-600 dark:disabled:text-slate-400"
      >
        {texts.playground.kill[kind]}
      </button>
    </li>
  );
}

function worst(own: readonly Process[]): Process["state"] {
  return own.some((each) => each.state === "down") ? "down" : own.every((each) => each.state === "ready") ? "ready" : "starting";
}

function standing(kind: Kind, state: Process["state"], own: readonly Process[], view: View): string {
  const { alive, back, killed, unknown } = texts.playground;
  if (own.length === 0) {
    return unknown;
  }
  if (state !== "ready") {
    const latest = view.tally.kills.findLast((kill) => kill.what === kind);
    return latest ? killed(Math.round(now() - latest.at)) : unknown;
  }
  const outages = own.flatMap((each) => each.outage_ms ?? []);
  return outages.length > 0 ? back(Math.max(...outages)) : alive(clock(Math.max(...own.map((each) => each.since ?? 0))));
}

function clock(time: number): string {
  return new Date(time).toLocaleTimeString("en", { hour12: false });
}
