/**
 * The count of the failure playground. Pure: what happened goes in, with its time; what holds comes out.
 *
 * Every number is written here, acknowledged by the server, and comes back as a publication. Nothing is taken on trust: a number that was
 * acknowledged and does not come is lost, one that comes twice is doubled, one that comes behind a higher one, or at an offset that is not
 * higher than the last, is out of order.
 */

/** A number on its way, for the picture. Times are milliseconds of one clock; null: not yet. */
export interface Mark {
  number: number;
  written: number;
  acknowledged: number | null;
  came: number | null;
}

/**
 * A kill, and what it did to the flow. `silence` is the longest time from then on in which nothing came, `until` when it ended; `waited` how
 * many numbers that were written since, behind the number `from`, had not come by then; `back` when the processes were ready again. It is `over` when all that waited is here.
 */
export interface Kill {
  what: string;
  at: number;
  from: number;
  silence: number;
  until: number;
  waited: number;
  back: number | null;
  over: boolean;
}

/** What holds. `pending`: acknowledged and not come, by number, since when. `holes`: below the highest that came, and not come. */
export interface Tally {
  written: number;
  sent: number;
  received: number;
  doubled: number;
  outOfOrder: number;
  highest: number;
  offset: number;
  lastCame: number | null;
  liveSince: number | null;
  pending: ReadonlyMap<number, number>;
  holes: ReadonlySet<number>;
  marks: readonly Mark[];
  kills: readonly Kill[];
}

/** What can happen. `live` and `away` are the subscription's; `back`: the processes that were killed answer again. */
export type Event =
  | { kind: "written"; number: number; at: number }
  | { kind: "acknowledged"; number: number; at: number }
  | { kind: "came"; number: number; offset: number; at: number }
  | { kind: "live"; at: number }
  | { kind: "away" }
  | { kind: "killed"; what: string; at: number }
  | { kind: "back"; what: string; at: number };

/** So long after it was acknowledged, and after the subscription is live again, a number that has not come is lost. */
export const GRACE_MS = 5000;
/** The picture shows this much of the past. */
export const SHOWN_MS = 24_000;
const KILLS_KEPT = 20;
const MARKS_MAX = 1000;

export const EMPTY: Tally = {
  written: 0,
  sent: 0,
  received: 0,
  doubled: 0,
  outOfOrder: 0,
  highest: 0,
  offset: 0,
  lastCame: null,
  liveSince: null,
  pending: new Map(),
  holes: new Set(),
  marks: [],
  kills: [],
};

/** The tally after the event. */
export function next(tally: Tally, event: Event): Tally {
  switch (event.kind) {
    case "written":
      return { ...tally, written: tally.written + 1, marks: [...recent(tally.marks, event.at), fresh(event.number, event.at)] };
    case "acknowledged":
      return acknowledged(tally, event.number, event.at);
    case "came":
      return came(tally, event.number, event.offset, event.at);
    case "live":
      return { ...tally, liveSince: event.at };
    case "away":
      return { ...tally, liveSince: null };
    case "killed":
      return { ...tally, kills: [...tally.kills, { what: event.what, at: event.at, from: tally.written, silence: 0, until: event.at, waited: 0, back: null, over: false }].slice(-KILLS_KEPT) };
    case "back":
      return { ...tally, kills: tally.kills.map((kill) => (kill.what === event.what && kill.back === null ? { ...kill, back: event.at } : kill)) };
  }
}

/** How many of the acknowledged numbers are lost. While the subscription is away nobody can know, so those that wait do not count yet. */
export function lost({ pending, liveSince }: Tally, now: number): number {
  if (liveSince === null) {
    return 0;
  }
  return [...pending.values()].filter((since) => now - Math.max(since, liveSince) > GRACE_MS).length;
}

/** Written and not back yet, whether acknowledged or not. */
export function waiting(tally: Tally): number {
  return Math.max(0, tally.written - tally.received);
}

/** For how long nothing came because of the kill; it grows while that lasts. */
export function interruption(tally: Tally, kill: Kill, now: number): number {
  return Math.round(kill.over ? kill.silence : Math.max(kill.silence, silence(tally, kill, now)));
}

function acknowledged(tally: Tally, number: number, at: number): Tally {
  const marks = tally.marks.map((mark) => (mark.number === number ? { ...mark, acknowledged: at } : mark));
  const here = number <= tally.highest && !tally.holes.has(number);
  return { ...tally, marks, sent: tally.sent + 1, pending: here ? tally.pending : new Map(tally.pending).set(number, at) };
}

function came(tally: Tally, number: number, offset: number, at: number): Tally {
  const behind = number < tally.highest;
  if (number === tally.highest || (behind && !tally.holes.has(number))) {
    return { ...tally, doubled: tally.doubled + 1, offset: Math.max(tally.offset, offset) };
  }
  const holes = new Set(tally.holes);
  holes.delete(number);
  for (let missing = tally.highest + 1; missing < number; missing += 1) {
    holes.add(missing);
  }
  const pending = new Map(tally.pending);
  pending.delete(number);
  const after: Tally = {
    ...tally,
    holes,
    pending,
    received: tally.received + 1,
    outOfOrder: tally.outOfOrder + (behind || offset <= tally.offset ? 1 : 0),
    highest: Math.max(tally.highest, number),
    offset: Math.max(tally.offset, offset),
    lastCame: at,
    marks: tally.marks.map((mark) => (mark.number === number ? { ...mark, came: at } : mark)),
  };
  return { ...after, kills: tally.kills.map((kill) => (kill.over ? kill : survived(tally, after, kill, at))) };
}

/** The kill after something came: the silence is over, and with it the kill, where its processes are back and nothing waits any more. */
function survived(before: Tally, after: Tally, kill: Kill, at: number): Kill {
  const quiet = silence(before, kill, at);
  const longest = quiet > kill.silence ? { silence: quiet, until: at, waited: Math.max(0, before.written - Math.max(kill.from, before.received)) } : {};
  return { ...kill, ...longest, over: kill.back !== null && at > kill.back && waiting(after) <= 1 };
}

function silence(tally: Tally, kill: Kill, now: number): number {
  return Math.max(0, now - Math.max(kill.at, tally.lastCame ?? 0));
}

function recent(marks: readonly Mark[], now: number): readonly Mark[] {
  // What has not come stays in the picture, however old it is, up to a bound.
  const first = marks.findIndex((mark) => mark.came === null || mark.came > now - SHOWN_MS);
  return first === -1 ? [] : marks.slice(first).slice(-MARKS_MAX);
}

function fresh(number: number, at: number): Mark {
  return { number, written: at, acknowledged: null, came: null };
}
