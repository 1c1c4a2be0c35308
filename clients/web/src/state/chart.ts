import type { BidPublished, LotView } from "../api/auctions";

export interface Point {
  /** From 0, the first one, to 1, now. */
  x: number;
  /** From 0, the least, to 1, the most. */
  y: number;
}

/** The price as points of a line with steps, each bid one; over time where every bid says when it was, else bid by bid. */
export function points(lot: LotView, bids: readonly BidPublished[], now: number | null): Point[] {
  const [first, last] = [bids[0], bids.at(-1)];
  if (first === undefined || last === undefined) {
    return [];
  }
  const times = bids.map((bid) => (bid.at ? Date.parse(bid.at) : Number.NaN));
  const timed = times.every((time) => !Number.isNaN(time));
  const at = timed ? times : bids.map((bid) => bid.seq);
  const [from, to] = [at[0] ?? 0, timed ? Math.max(at.at(-1) ?? 0, now ?? 0) : last.seq];
  const low = first.seq === 1 ? lot.start_price : first.amount;
  const [width, height] = [Math.max(1, to - from), Math.max(1, last.amount - low)];
  return bids.map((bid, index) => ({ x: ((at[index] ?? from) - from) / width, y: Math.max(0, bid.amount - low) / height }));
}

/** The points as a path in a box of this size, stepping up at each one and going on to the right edge. */
export function path(found: readonly Point[], width: number, height: number): string {
  const steps = found.map(({ x, y }) => `H${round(x * width)}V${round((1 - y) * height)}`);
  return `M0 ${height}${steps.join("")}H${width}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
