/** Figures over time: what the gateway tells piece by piece, as lines on one grid of time. Pure. */

import type { Series, SeriesPage } from "../contract";

/** So many steps are kept: ten minutes of two seconds. */
export const STEPS = 300;
const AGAIN = 2;

/** A line of a chart. */
export interface Line {
  name: string;
  values: readonly (number | null)[];
}

/** Nothing has been told yet. */
export const NO_SERIES: SeriesPage = { step_ms: 2000, from_ms: 0, series: [] };

/** Ask for what is later than this: the newest steps once more, since not every process has told of them yet. */
export function askFrom(page: SeriesPage): number {
  const length = page.series[0]?.values.length ?? 0;
  return length <= AGAIN ? 0 : page.from_ms + (length - 1 - AGAIN) * page.step_ms;
}

/** A page and the one behind it as one, where the later one may say again what it knows better; it alone where they do not meet on one grid. */
export function joined(before: SeriesPage, after: SeriesPage): SeriesPage {
  const length = before.series[0]?.values.length ?? 0;
  const more = after.series[0]?.values.length ?? 0;
  if (more === 0) {
    return length === 0 ? after : before;
  }
  const gap = (after.from_ms - before.from_ms) / before.step_ms - length;
  const start = length + gap; // where the later one begins
  if (length === 0 || after.step_ms !== before.step_ms || start < 0 || gap > STEPS || !Number.isInteger(gap)) {
    return after;
  }
  const total = Math.max(length, start + more);
  const cut = Math.max(0, total - STEPS);
  const all = new Map<string, Series>();
  for (const each of before.series) {
    all.set(keyOf(each), { ...each, values: [...each.values, ...nulls(total - length)] });
  }
  for (const each of after.series) {
    const values = [...(all.get(keyOf(each))?.values ?? nulls(total))];
    each.values.forEach((value, step) => (values[start + step] = value ?? values[start + step] ?? null));
    all.set(keyOf(each), { ...each, values });
  }
  const series = [...all.values()].map((each) => ({ ...each, values: each.values.slice(cut) }));
  return { step_ms: before.step_ms, from_ms: before.from_ms + cut * before.step_ms, series: series.filter((each) => each.values.some((value) => value !== null)) };
}

/** The lines of one figure: one for each node, or one for all where there are more than `most`. */
export function linesOf(page: SeriesPage, figure: string, unit: string, all: string, most = 6): Line[] {
  const found = page.series.filter((series) => series.figure === figure);
  if (found.length <= most) {
    return found.map((series) => ({ name: nameOf(series, found), values: series.values }));
  }
  return [{ name: all, values: together(found.map((series) => series.values), unit) }];
}

/** What stands for several nodes: the sum of what adds up, the highest of what does not. */
export function together(lines: readonly (readonly (number | null)[])[], unit: string): (number | null)[] {
  const length = Math.max(0, ...lines.map((values) => values.length));
  const adds = unit !== "ms" && unit !== "s" && unit !== "%";
  return Array.from({ length }, (_, step) => {
    const known = lines.map((values) => values[step] ?? null).filter((value) => value !== null);
    return known.length === 0 ? null : adds ? known.reduce((sum, value) => sum + value, 0) : Math.max(...known);
  });
}

/** The newest value of lines taken together, and their highest; null where nothing is known. */
export function summed(lines: readonly Line[], unit: string): { now: number | null; highest: number | null } {
  const values = together(lines.map((line) => line.values), unit);
  const known = values.filter((value) => value !== null);
  // The last step may still lack nodes that have not told of it yet.
  return { now: values.slice(-3).findLast((value) => value !== null) ?? null, highest: known.length === 0 ? null : Math.max(...known) };
}

/** The times of the steps in seconds. */
export function seconds(page: SeriesPage): number[] {
  const length = page.series[0]?.values.length ?? 0;
  return Array.from({ length }, (_, step) => (page.from_ms + step * page.step_ms) / 1000);
}

/** The points that no line touches, since there is none before and none behind them. */
export function lone(values: readonly (number | null | undefined)[]): number[] {
  const none = (step: number): boolean => values[step] === null || values[step] === undefined;
  return values.flatMap((_, step) => (!none(step) && none(step - 1) && none(step + 1) ? [step] : []));
}

/** The service alone where it says which node is meant. */
function nameOf({ service, node }: Series, all: readonly Series[]): string {
  return all.filter((each) => each.service === service).length === 1 ? service : `${service} ${node.slice(0, 6)}`;
}

function keyOf(series: Series): string {
  return `${series.figure} ${series.node}`;
}

function nulls(count: number): null[] {
  return Array.from({ length: count }, () => null);
}
