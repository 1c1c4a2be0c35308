/** What a live tail shows: the newest lines of a channel, and those that came while it was held still. Pure. */

/** One line: a publication, or what happened around it. */
export interface TailLine {
  key: number;
  kind: "publication" | "join" | "leave" | "skipped" | "begin" | "again";
  at: number;
  offset: number;
  user: string;
  text: string;
}

/** `shown` stands still while `paused`; what comes then waits in `held`, and what does not fit there is counted. */
export interface Tail {
  paused: boolean;
  shown: readonly TailLine[];
  held: readonly TailLine[];
  total: number;
  dropped: number;
}

/** So many lines stay in the page. */
export const KEPT = 500;

/** A tail of which nothing has come. */
export const EMPTY: Tail = { paused: false, shown: [], held: [], total: 0, dropped: 0 };

/** Lines came, the oldest first. */
export function came(tail: Tail, lines: readonly TailLine[]): Tail {
  if (lines.length === 0) {
    return tail;
  }
  const total = tail.total + lines.length;
  if (!tail.paused) {
    return { ...tail, total, shown: newest([...tail.shown, ...lines]) };
  }
  const held = [...tail.held, ...lines];
  return { ...tail, total, held: newest(held), dropped: tail.dropped + Math.max(0, held.length - KEPT) };
}

/** Hold the lines still. */
export function pause(tail: Tail): Tail {
  return { ...tail, paused: true };
}

/** Go on, with what came meanwhile. */
export function resume(tail: Tail): Tail {
  return { ...tail, paused: false, shown: newest([...tail.shown, ...tail.held]), held: [], dropped: 0 };
}

/** Take the lines out of the page. */
export function clear(tail: Tail): Tail {
  return { ...EMPTY, paused: tail.paused };
}

function newest(lines: readonly TailLine[]): readonly TailLine[] {
  return lines.length > KEPT ? lines.slice(-KEPT) : lines;
}
