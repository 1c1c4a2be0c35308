import { expect, test } from "vitest";
import { AT_THE_END, scrolled, type Reader, type Scroll } from "./follow";

const at = (scrollTop: number, scrollHeight: number, clientHeight = 100): Scroll => ({ scrollTop, scrollHeight, clientHeight });
const run = (...events: Scroll[]): Reader => events.reduce(scrolled, AT_THE_END);

test("who reads the end follows it, and who goes up does not, until they are back", () => {
  expect(run(at(900, 1000)).follows).toBe(true);
  expect(run(at(900, 1000), at(700, 1000)).follows).toBe(false);
  expect(run(at(900, 1000), at(700, 1000), at(800, 1000)).follows).toBe(false);
  expect(run(at(900, 1000), at(700, 1000), at(850, 1000)).follows).toBe(true);
});

test("a late event of our own scrolling, when the list has grown again, is nobody's going up", () => {
  expect(run(at(900, 1000), at(900, 1800)).follows).toBe(true);
  expect(run(at(900, 1000), at(1700, 3000)).follows).toBe(true);
});

test("a browser that moves up by itself, since the list shrank or the box grew, leaves nobody behind", () => {
  expect(run(at(900, 1000), at(500, 700)).follows).toBe(true);
  expect(run(at(900, 1000, 100), at(700, 1000, 200)).follows).toBe(true);
});

test("who has gone up stays there while the list grows", () => {
  expect(run(at(900, 1000), at(300, 1000), at(300, 5000)).follows).toBe(false);
});
