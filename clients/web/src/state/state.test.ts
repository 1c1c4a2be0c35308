import { expect, test } from "vitest";
import { minor, money } from "./money";
import { KEPT, next, type Event, type Shown } from "./messages";

const message = (id: number, text = `text ${id}`, more: object = {}) => ({ id: String(id), user: "ann", text, at: "2026-01-01T00:00:00.000Z", ...more });
const published = (data: object): Event => ({ kind: "published", data: { type: "message", ...data } });
const written = (key: string, text: string): Event => ({ kind: "written", key, user: "ann", text, at: "2026-01-01T00:00:00.000Z" });
const run = (...events: Event[]) => events.reduce<readonly Shown[]>(next, []);
const texts = (shown: readonly Shown[]) => shown.map((each) => each.text);

test("a message that comes twice, live and loaded, is shown once and in its place", () => {
  const shown = run(published(message(3)), { kind: "loaded", messages: [message(1), message(2), message(3)] }, published(message(3)));
  expect(texts(shown)).toEqual(["text 1", "text 2", "text 3"]);
});

test("one's own message is shown once, whether the answer or the message comes first", () => {
  const answerFirst = run(written("a", "hi"), { kind: "accepted", key: "a", id: "1" }, published(message(1, "hi")));
  const messageFirst = run(written("a", "hi"), published(message(1, "hi")), { kind: "accepted", key: "a", id: "1" });
  for (const shown of [answerFirst, messageFirst]) {
    expect(shown).toMatchObject([{ key: "a", id: "1", text: "hi", state: "sent" }]);
  }
});

test("of two equal texts on their way each ends as one message", () => {
  const events = [written("a", "hi"), written("b", "hi"), published(message(1, "hi")), published(message(2, "hi"))];
  const shown = run(...events, { kind: "accepted", key: "b", id: "2" }, { kind: "accepted", key: "a", id: "1" });
  expect(shown.map(({ key, id }) => [key, id])).toEqual([["a", "1"], ["b", "2"]]);
});

test("an edit and a deletion hold, whatever older state is loaded afterwards", () => {
  const edited: Event = { kind: "published", data: { type: "edited", id: "1", text: "new", at: "2026-01-02T00:00:00.000Z" } };
  const deleted: Event = { kind: "published", data: { type: "deleted", id: "2", by: "bob", at: "2026-01-02T00:00:00.000Z" } };
  const old: Event = { kind: "loaded", messages: [message(1), message(2)] };
  expect(run(old, edited, deleted, old)).toMatchObject([{ text: "new", deleted: false }, { text: "", deleted: true }]);
});

test("what failed stays where it was written until somebody discards it", () => {
  const failed = run(written("a", "hi"), { kind: "failed", key: "a", failure: "no" }, published(message(1, "other")));
  expect(texts(failed)).toEqual(["other", "hi"]);
  expect(texts(next(failed, { kind: "discarded", key: "a" }))).toEqual(["other"]);
});

test("the newest 200 are kept, and what a newer server says is left alone", () => {
  const many = Array.from({ length: 250 }, (_, index) => published(message(index + 1)));
  const shown = run(...many, { kind: "published", data: { type: "poll", id: "251", user: "x", text: "?", at: "" } }, { kind: "published", data: 7 });
  expect([shown.length, shown[0]?.id, shown.at(-1)?.id]).toEqual([KEPT, "51", "250"]);
});

test("amounts are typed as people write them and kept in minor units", () => {
  expect(["12", "12.5", "12,50", " 7 ", "0.01"].map((typed) => minor(typed, "EUR"))).toEqual([1200, 1250, 1250, 700, 1]);
  expect(["", "x", "1.234", "-1", "1e3", "12.5.1"].map((typed) => minor(typed, "EUR"))).toEqual(Array(6).fill(null));
  expect([minor("500", "JPY"), minor("0.5", "JPY")]).toEqual([500, null]);
  expect([money(1250, "EUR"), money(500, "JPY")]).toEqual(["€12.50", "¥500"]);
});
