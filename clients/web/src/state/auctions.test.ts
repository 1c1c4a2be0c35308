import { expect, test } from "vitest";
import type { BidPublished, LotMessage, LotView } from "../api/auctions";
import { path, points } from "./chart";
import { answered, clockFace, middle, told, type Ahead } from "./clock";
import { applied, live, outbid, stood, type Live } from "./lots";
import { decimal, money } from "./money";
import { persist, unanswered } from "./sending";

const CLOSES = "2026-01-01T00:10:00.000Z";
const lot: LotView = {
  lot_id: "l1",
  title: "A chair",
  category: "home",
  seller: "sam",
  currency: "EUR",
  start_price: 1000,
  increment: 50,
  price: 1000,
  minimum: 1000,
  leader: null,
  bids: 0,
  closes_at: CLOSES,
  status: "open",
  buyer: null,
  pay_by: null,
  maximum: null,
};
const bid = (seq: number, user: string, amount: number, closes = CLOSES): BidPublished => ({ type: "bid", seq, user, amount, closes_at: closes, at: `2026-01-01T00:00:0${seq}.000Z` });
const fresh: Live = { lot, bids: [], extendedBy: 0 };

test("the price rises with the numbers of the bids, whatever comes twice, late, or first as an answer", () => {
  const after = [bid(1, "ann", 1000), bid(2, "bob", 1100), bid(1, "ann", 1000)].reduce(live, fresh);
  expect(after.lot).toMatchObject({ price: 1100, leader: "bob", bids: 2, minimum: 1150 });
  expect(after.bids.map((each) => each.seq)).toEqual([1, 2]);
  const ahead = stood(after.lot, { price: 1200, leader: "ann", bids: 3, closes_at: CLOSES });
  expect(ahead).toMatchObject({ price: 1200, leader: "ann", bids: 3 });
  expect(applied(ahead, bid(3, "ann", 1200))).toEqual(ahead);
  expect(stood(ahead, { price: 1100, leader: "bob", bids: 2, closes_at: CLOSES })).toBe(ahead);
});

test("an end that is put off is told with by how much, until a bid that does not move it", () => {
  const moved = live(live(fresh, bid(1, "ann", 1000)), bid(2, "bob", 1100, "2026-01-01T00:10:20.000Z"));
  expect([moved.extendedBy, moved.lot.closes_at]).toEqual([20_000, "2026-01-01T00:10:20.000Z"]);
  expect(live(moved, bid(3, "ann", 1200, "2026-01-01T00:10:20.000Z")).extendedBy).toBe(0);
});

test("the status ends it, and what a newer server says is left alone", () => {
  const closed = live(fresh, { type: "status", status: "sold", price: 1100, buyer: "ann", at: CLOSES });
  expect(closed.lot).toMatchObject({ status: "sold", price: 1100, buyer: "ann" });
  expect(stood(closed.lot, { price: 9, leader: "x", bids: 9, closes_at: CLOSES })).toBe(closed.lot);
  for (const odd of [{ type: "comment" }, { type: "bid", seq: "1" }, { type: "status" }, null, 7, "bid", []]) {
    expect(live(fresh, odd as unknown as LotMessage)).toEqual(fresh);
  }
});

test("a maximum is one's own while it can still answer", () => {
  const mine = { ...lot, leader: "ann", bids: 1, maximum: 1300 };
  expect(applied(applied(mine, bid(2, "bob", 1100)), bid(3, "ann", 1150)).maximum).toBe(1300);
  expect(applied(mine, bid(2, "bob", 1300)).maximum).toBeNull();
});

test("only who bid and does not lead is outbid", () => {
  const after = [bid(1, "ann", 1000), bid(2, "bob", 1100)].reduce(live, fresh);
  expect(["ann", "bob", "cid"].map((user) => outbid(after, user))).toEqual([true, false, false]);
});

test("the server's clock lies between what its answers allow, however wrong ours is", () => {
  const first = answered(null, 1000, 501_500, 1400);
  expect(first).toEqual({ least: 500_100, most: 500_500 });
  const closer = answered(first, 2000, 502_250, 2050);
  expect(closer).toEqual({ least: 500_200, most: 500_250 });
  expect(middle(closer)).toBe(500_225);
  expect(answered(closer, 3000, 999_000, 3100)).toEqual({ least: 995_900, most: 996_000 }); // a clock was set
});

test("a message says that the server's clock is not behind the time it was written", () => {
  const known: Ahead = { least: 100, most: 300 };
  expect(told(known, 1200, 1000)).toEqual({ least: 200, most: 300 });
  expect(told(known, 1050, 1000)).toBe(known);
  expect(told(known, 1400, 1000)).toEqual({ least: 400, most: 400 });
  expect(told(null, 1400, 1000)).toBeNull();
});

test("time left is read as a clock, and never below nothing", () => {
  expect([7000, 6001, 61_000, 3_723_000, 183_600_000, -5].map(clockFace)).toEqual(["0:07", "0:07", "1:01", "1:02:03", "2 d 3 h", "0:00"]);
});

test("the chart steps from the start price to the last bid, over time, and on to now", () => {
  const found = points(lot, [bid(1, "ann", 1000), bid(2, "bob", 1500), bid(5, "ann", 2000)], Date.parse("2026-01-01T00:00:09.000Z"));
  expect(found).toEqual([{ x: 0, y: 0 }, { x: 0.125, y: 0.5 }, { x: 0.5, y: 1 }]);
  expect(path(found, 80, 10)).toBe("M0 10H0V10H10V5H40V0H80");
  expect(points(lot, [], null)).toEqual([]);
  const old = points(lot, [{ ...bid(1, "ann", 1000), at: null }, bid(3, "bob", 1500)], null);
  expect(old.map(({ x }) => x)).toEqual([0, 1]);
});

test("amounts are exact to the last minor unit, however large", () => {
  expect([decimal(5, "EUR"), decimal(1250, "EUR"), decimal(500, "JPY"), decimal(1234, "KWD")]).toEqual(["0.05", "12.50", "500", "1.234"]);
  expect(money(9_007_199_254_740_991, "EUR")).toBe("€90,071,992,547,409.91");
});

test("a bid without an answer is sent again until there is one; a refusal ends it", async () => {
  const outcomes: unknown[] = [{ code: 1, message: "timeout" }, { code: 100, message: "internal", temporary: true }, "yes"];
  let slow = 0;
  const call = async (): Promise<string> => {
    const outcome = outcomes.shift();
    if (typeof outcome === "string") {
      return outcome;
    }
    throw outcome;
  };
  expect(await persist(call, () => (slow += 1), new AbortController().signal)).toBe("yes");
  expect(slow).toBe(2);
  outcomes.push({ code: 409, message: "too low", temporary: false });
  await expect(persist(call, () => undefined, new AbortController().signal)).rejects.toMatchObject({ code: 409 });
});

test("who leaves the page ends the sending, and a fault of ours is no missing answer", async () => {
  const gone = new AbortController();
  const waiting = persist(() => Promise.reject({ code: 1 }), () => gone.abort(new Error("gone")), gone.signal);
  await expect(waiting).rejects.toThrow("gone");
  expect(unanswered(new TypeError("ours"))).toBe(false);
});
