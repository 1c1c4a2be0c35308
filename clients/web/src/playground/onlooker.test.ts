import { expect, test } from "vitest";
import { NOTHING, saw } from "./onlooker";

const watched = (...offsets: number[]) => {
  const { count, lost, doubled } = offsets.reduce((seen, offset) => saw(seen, "chat:harbour", offset, 7), NOTHING);
  return { count, lost, doubled };
};

test("the offsets of a channel tell what was lost and what came twice", () => {
  expect(watched(8, 9, 10)).toEqual({ count: 3, lost: 0, doubled: 0 });
  expect(watched(9)).toEqual({ count: 1, lost: 1, doubled: 0 });
  expect(watched(8, 12)).toEqual({ count: 2, lost: 3, doubled: 0 });
  expect(watched(8, 8, 9, 7)).toEqual({ count: 4, lost: 0, doubled: 2 });
});

test("each channel has offsets of its own", () => {
  const seen = saw(saw(NOTHING, "lot:a", 3, 2), "lot:b", 90, 89);
  expect(seen).toMatchObject({ count: 2, lost: 0, doubled: 0 });
});
