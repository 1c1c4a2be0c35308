import { expect, test } from "vitest";
import { EMPTY, GRACE_MS, interruption, lost, next, SHOWN_MS, waiting, type Event, type Tally } from "./tally";

const LIVE: Event = { kind: "live", at: 0 };
const run = (...events: Event[]): Tally => [LIVE, ...events].reduce(next, EMPTY);
const write = (number: number, at = number * 100): Event => ({ kind: "written", number, at });
const acknowledge = (number: number, at = number * 100 + 10): Event => ({ kind: "acknowledged", number, at });
const come = (number: number, offset = number, at = number * 100 + 20): Event => ({ kind: "came", number, offset, at });
const passed = (...numbers: number[]): Event[] => numbers.flatMap((number) => [write(number), acknowledge(number), come(number)]);
const figures = (tally: Tally, now = 60_000) => {
  const { sent, received, doubled, outOfOrder } = tally;
  return { sent, received, lost: lost(tally, now), doubled, outOfOrder };
};
const GOOD = { lost: 0, doubled: 0, outOfOrder: 0 };

test("what comes once and in order counts as that, whether its answer is before or behind it", () => {
  expect(figures(run(...passed(1, 2, 3)))).toEqual({ sent: 3, received: 3, ...GOOD });
  expect(figures(run(write(1), come(1), acknowledge(1), write(2), acknowledge(2), come(2)))).toEqual({ sent: 2, received: 2, ...GOOD });
});

test("an acknowledged number that does not come is lost after the grace, and not before", () => {
  const tally = run(...passed(1), write(2), acknowledge(2, 210), ...passed(3, 4));
  expect(figures(tally, 210 + GRACE_MS)).toEqual({ sent: 4, received: 3, ...GOOD });
  expect(figures(tally, 211 + GRACE_MS)).toEqual({ sent: 4, received: 3, ...GOOD, lost: 1 });
});

test("the newest ones are lost too where nothing comes behind them", () => {
  const tally = run(...passed(1), write(2), acknowledge(2), write(3), acknowledge(3));
  expect(figures(tally)).toEqual({ sent: 3, received: 1, ...GOOD, lost: 2 });
});

test("while the subscription is away nobody knows, and the grace begins anew when it is live", () => {
  const away = run(...passed(1), write(2), acknowledge(2), { kind: "away" });
  expect(lost(away, 1_000_000)).toBe(0);
  const back = next(away, { kind: "live", at: 1_000_000 });
  expect([lost(back, 1_000_000 + GRACE_MS), lost(back, 1_000_001 + GRACE_MS)]).toEqual([0, 1]);
  expect(figures(next(back, come(2)), 9_000_000)).toEqual({ sent: 2, received: 2, ...GOOD });
});

test("what was never acknowledged is not lost, and what comes after all was late, not lost", () => {
  expect(figures(run(...passed(1), write(2), ...passed(3)))).toEqual({ sent: 2, received: 2, ...GOOD });
  const late = run(...passed(1), write(2), acknowledge(2), ...passed(3), come(2, 4));
  expect(figures(late)).toEqual({ sent: 3, received: 3, ...GOOD, outOfOrder: 1 });
});

test("a number that comes again is doubled each time, at once or much later", () => {
  expect(figures(run(...passed(1), come(1), ...passed(2, 3), come(1, 4), come(3, 5)))).toEqual({ sent: 3, received: 3, ...GOOD, doubled: 3 });
});

test("a swap is out of order, by number or by offset", () => {
  const swapped = run(write(1), write(2), acknowledge(1), acknowledge(2), come(2, 1), come(1, 2));
  expect(figures(swapped)).toEqual({ sent: 2, received: 2, ...GOOD, outOfOrder: 1 });
  const offsets = run(write(1), write(2), acknowledge(1), acknowledge(2), come(1, 2), come(2, 1));
  expect(figures(offsets)).toEqual({ sent: 2, received: 2, ...GOOD, outOfOrder: 1 });
});

test("everything at once is counted each for itself", () => {
  const order = [1, 2, 2, 5, 4, 3, 8, 8, 7];
  const all = run(...[1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((n) => [write(n), acknowledge(n)]), ...order.map((n, at) => come(n, at + 1)));
  expect(figures(all)).toEqual({ sent: 9, received: 7, lost: 2, doubled: 2, outOfOrder: 3 });
});

test("a thousand random runs are judged as a checker with the whole history judges them", () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * below);
  };
  for (let round = 0; round < 1000; round += 1) {
    const numbers = Array.from({ length: 1 + random(12) }, (_, index) => index + 1);
    const delivered = numbers.flatMap((n) => Array<number>(random(8) === 0 ? 0 : random(8) === 0 ? 2 : 1).fill(n));
    for (let swaps = random(3); swaps > 0 && delivered.length > 1; swaps -= 1) {
      const at = random(delivered.length - 1);
      [delivered[at], delivered[at + 1]] = [delivered[at + 1]!, delivered[at]!];
    }
    const events = [...numbers.flatMap((n) => [write(n), acknowledge(n)]), ...delivered.map((n, at) => come(n, at + 1))];
    const first = delivered.filter((n, at) => delivered.indexOf(n) === at);
    expect(figures(run(...events))).toEqual({
      sent: numbers.length,
      received: first.length,
      lost: numbers.length - first.length,
      doubled: delivered.length - first.length,
      outOfOrder: first.filter((n, at) => first.slice(0, at).some((earlier) => earlier > n)).length,
    });
  }
});

test("a kill's interruption grows while nothing comes, and stands when all that waited is here", () => {
  const killed = run(...passed(1, 2), { kind: "killed", what: "storage", at: 250 }, write(3, 300), write(4, 400));
  const [open] = killed.kills;
  expect([interruption(killed, open!, 750), interruption(killed, open!, 1250), waiting(killed)]).toEqual([500, 1000, 2]);
  const back = [{ kind: "back", what: "storage", at: 1300 } as const, come(3, 3, 1350), come(4, 4, 1360), acknowledge(3), acknowledge(4)].reduce(next, killed);
  const [kill] = back.kills;
  expect(kill).toMatchObject({ silence: 1100, waited: 2, over: true });
  expect(interruption(back, kill!, 99_000)).toBe(1100);
});

test("what waited for a kill is what was written since, not what an earlier kill had kept waiting", () => {
  const both = run(
    ...passed(1, 2),
    { kind: "killed", what: "gateway", at: 250 },
    write(3, 300),
    write(4, 400),
    write(5, 500),
    { kind: "killed", what: "logic", at: 550 },
    write(6, 600),
    come(3, 3, 1600),
  );
  expect(both.kills.map(({ silence, waited }) => [silence, waited])).toEqual([[1350, 4], [1050, 1]]);
});

test("a kill is not over before its processes are back, however well it goes", () => {
  const killed = run(...passed(1), { kind: "killed", what: "gateway", at: 150 }, ...passed(2, 3, 4));
  expect(killed.kills[0]).toMatchObject({ over: false, silence: 100 });
});

test("the picture forgets what came long ago, and the count does not", () => {
  const many = Array.from({ length: 400 }, (_, index) => index + 1);
  const tally = run(...passed(...many));
  expect(tally.marks.length).toBeLessThanOrEqual(SHOWN_MS / 100 + 2);
  expect(figures(tally)).toEqual({ sent: 400, received: 400, ...GOOD });
  expect(figures(next(tally, come(1, 401)))).toMatchObject({ doubled: 1 });
});
