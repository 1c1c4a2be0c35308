import { expect, test } from "vitest";
import { begun, completed, mentions, pieces, suggestions } from "./mentions";

test("a text is cut where it names somebody, and nothing of it is lost", () => {
  const found = pieces("@ann: tell @عمر and ann@example.com, @@x");
  expect(found.flatMap(({ user }) => user ?? [])).toEqual(["ann", "عمر"]);
  expect(found.map(({ text }) => text).join("")).toBe("@ann: tell @عمر and ann@example.com, @@x");
  expect(pieces("")).toEqual([{ text: "", user: null }]);
});

test("only who is named is mentioned", () => {
  expect([mentions("hi @ann", "ann"), mentions("hi @anna", "ann"), mentions("hi ann", "ann")]).toEqual([true, false, false]);
});

test("a name that is being typed is completed from those that can be written", () => {
  expect([begun("hi @an", 6), begun("hi @", 4), begun("hi an", 5), begun("a@b", 3)]).toEqual(["an", "", null, null]);
  expect(suggestions(["Ann", "anton", "Bob", "An na"], "an")).toEqual(["Ann", "anton"]);
  expect(completed("hi @an there", 6, "Ann")).toEqual({ text: "hi @Ann there", caret: 8 });
});
