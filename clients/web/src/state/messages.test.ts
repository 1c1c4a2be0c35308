import type { Entry } from "@causeway/react";
import { expect, test } from "vitest";
import { answers, KEPT, next, shown, type Act, type Event, type Message } from "./messages";

const AT = "2026-01-01T00:00:00.000Z";
const message = (id: number, text = `text ${id}`, more: object = {}) => ({ id: String(id), user: "ann", text, at: AT, ...more });
const published = (data: object): Event => ({ kind: "published", data: { type: "message", ...data } });
const loaded = (...messages: unknown[]): Event => ({ kind: "loaded", messages });
const run = (...events: Event[]) => events.reduce<readonly Message[]>(next, []);
const texts = (all: readonly Message[]) => all.map((each) => each.text);
const act = (data: object, more: Partial<Entry<Act>> = {}): Entry<Act> => ({
  key: "k1",
  data: { room: "r", ...data } as Act,
  at: AT,
  state: "sending",
  tries: 1,
  triedAt: 1,
  error: null,
  ...more,
});
const sending = (key: string, text: string) => act({ do: "send", text, replyTo: null, thread: null, after: null }, { key });

test("a message that comes twice, live and loaded, is shown once and in its place", () => {
  expect(texts(run(published(message(3)), loaded(message(1), message(2), message(3)), published(message(3))))).toEqual(["text 1", "text 2", "text 3"]);
});

test("one's own message is one from the moment it is written, whether its answer or itself comes first", () => {
  const entry = sending("k1", "hi");
  const answer: Event = { kind: "accepted", entry, user: "ann", id: "1" };
  const itself = published(message(1, "hi", { key: "k1" }));
  const before = shown([], [entry], "ann");
  for (const events of [[], [itself], [answer], [itself, answer], [answer, itself]]) {
    const now = shown(run(...events), [entry], "ann");
    expect(now.map(({ message: { text, place } }) => [text, place])).toEqual([["hi", before[0]!.message.place]]);
  }
});

test("of two equal texts on their way each is its own message, and somebody else's key is not one's own", () => {
  const entries = [sending("a", "hi"), sending("b", "hi")];
  const now = shown(run(published(message(1, "hi", { key: "b" })), published(message(2, "hi", { key: "a", user: "eve" }))), entries, "ann");
  expect(now.map(({ message: { user, id }, entry }) => [user, id, entry?.key])).toEqual([
    ["ann", "1", undefined],
    ["eve", "2", undefined],
    ["ann", "", "a"],
  ]);
});

test("a key that a client uses twice makes two messages with a place each", () => {
  const all = run(published(message(1, "x", { key: "k" })), published(message(2, "y", { key: "k" })));
  expect([texts(all), new Set(all.map(({ place }) => place)).size]).toEqual([["x", "y"], 2]);
});

test("an edit and a deletion hold, whatever older state is loaded afterwards", () => {
  const edited: Event = { kind: "published", data: { type: "edited", id: "1", text: "new", at: "2026-01-02T00:00:00.000Z" } };
  const deleted: Event = { kind: "published", data: { type: "deleted", id: "2", by: "bob", at: "2026-01-02T00:00:00.000Z" } };
  const old = loaded(message(1), message(2));
  expect(run(old, edited, deleted, old)).toMatchObject([{ text: "new", deleted: false }, { text: "", deleted: true }]);
});

test("what one changes shows at once, holds when it is answered, and is as it was where it is refused", () => {
  const before = run(loaded(message(1), message(2)));
  const edit = act({ do: "edit", id: "1", text: "new" });
  const back = act({ do: "delete", id: "2" }, { key: "k2" });
  expect(shown(before, [edit, back], "ann").map(({ message: { text, deleted } }) => [text, deleted])).toEqual([["new", false], ["", true]]);
  const refused = { ...edit, state: "refused" as const, error: { code: 403, message: "you are muted" } };
  expect(shown(before, [refused], "ann")[0]).toMatchObject({ message: { text: "text 1" }, entry: { state: "refused" } });
  const after = [edit, back].reduce((all, entry) => next(all, { kind: "accepted", entry, user: "ann", id: "1" }), before);
  expect(after).toMatchObject([{ text: "new" }, { deleted: true }]);
  expect(next(after, { kind: "published", data: { type: "edited", id: "1", text: "newer", at: "2026-01-02T00:00:00.000Z" } })[0]?.text).toBe("newer");
});

test("the newest 200 are kept, in order", () => {
  const all = run(...Array.from({ length: 250 }, (_, index) => published(message(index + 1))));
  expect([all.length, all[0]?.id, all.at(-1)?.id]).toEqual([KEPT, "51", "250"]);
});

test("what a newer server says stands in its place as not understood where it is a message, and is left alone where not", () => {
  const strange = [{ type: "poll", id: "2", user: "bob", question: {} }, { type: "poll", id: "-1", user: "x" }, { type: "pinned", by: "bob" }, 7, null, "x"];
  const all = run(loaded(message(1, "text 1", { mood: 3, attachments: { odd: true } })), ...strange.map((data): Event => ({ kind: "published", data })));
  expect(all).toMatchObject([{ id: "1", text: "text 1", strange: false }, { id: "2", user: "bob", strange: true }]);
  expect(run(published(message(2)), { kind: "published", data: strange[0] })[0]).toMatchObject({ text: "text 2", strange: false });
});

test("answers are counted by the first message of their thread", () => {
  const all = run(loaded(message(1), message(2, "a", { reply_to: "1", thread: "1" }), message(3, "b", { reply_to: "2", thread: "1" })));
  expect([...answers(all)]).toEqual([["1", 2]]);
});
