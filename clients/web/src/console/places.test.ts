import { afterEach, expect, test } from "vitest";
import { knownKey, takeKey } from "./key";
import { only, parseSearch, stringifySearch } from "./places";

afterEach(() => sessionStorage.clear());

test("an address keeps plain text, whatever it looks like", () => {
  const search = { user: "12345678901234567890", note: "a&b=c #1/é true", empty: "" };
  expect(parseSearch(stringifySearch(search))).toEqual({ user: search.user, note: search.note });
  expect(stringifySearch({})).toBe("");
});

test("only known parts of an address are taken, and only as text", () => {
  expect(only("user")({ user: "ann", other: "x" })).toEqual({ user: "ann" });
  expect(only("user", "view")({ user: 5, view: "" })).toEqual({});
});

test("the key of a link is kept for the tab and gone from the address at once", () => {
  window.history.replaceState(null, "", "/console/jobs?state=dead#key=s%2Bcret");
  expect(takeKey()).toBe(true);
  expect(knownKey()).toBe("s+cret");
  expect(window.location.href).toMatch(/\/console\/jobs\?state=dead$/);
  expect(takeKey()).toBe(false);
});

test("another fragment is no key", () => {
  window.history.replaceState(null, "", "/console#content");
  expect(takeKey()).toBe(false);
  expect(knownKey()).toBeNull();
});
