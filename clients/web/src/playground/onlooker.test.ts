import { expect, test } from "vitest";
import { NOTHING, saw } from "./onlooker";

const watched = (...offsets: number[]) => {
  const { count, holes, doubled, outOfOrder } = offsets.reduce((seen, offset) => saw(seen, "chat:harbour", offset, 7), NOTHING);
  return [count, holes.size, doubled, outOfOrder];
};

test("the offsets of a channel tell what was lost, what came twice, and what came late", () => {
  expect(watched(8, 9, 10)).toEqual([3, 0, 0, 0]);
  expect(watched(9)).toEqual([1, 1, 0, 0]);
  expect(watched(8, 12)).toEqual([2, 3, 0, 0]);
  expect(watched(8, 8, 9, 7)).toEqual([4, 0, 2, 0]);
  expect(watched(8, 10, 9, 9)).toEqual([4, 0, 1, 1]);
});

test("each channel has offsets of its own", () => {
  const seen = saw(saw(NOTHING, "lot:a", 3, 2), "lot:b", 90, 89);
  expect([seen.count, seen.holes.size, seen.doubled]).toEqual([2, 0, 0]);
});
