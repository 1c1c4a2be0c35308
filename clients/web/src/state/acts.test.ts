import { expect, test } from "vitest";
import type { Message, Messages, ReadHistory } from "../api/chat";
import { find, perform } from "./acts";
import type { Act } from "./messages";

const AT = "2026-01-01T00:00:00.000Z";
const send = (after: string | null): Act => ({ room: "r", do: "send", text: "hi", replyTo: null, thread: null, after });

/** A room with so many messages of bob's, some of which have a key. */
function room(count: number, keys: Record<number, string>) {
  const asked: ReadHistory[] = [];
  const all = Array.from({ length: count }, (_, index) => ({
    id: String(index + 1), user: "bob", text: "x", at: AT, ...(keys[index + 1] ? { key: keys[index + 1] } : {}),
  }));
  const history = async (request: ReadHistory): Promise<Messages> => {
    asked.push(request);
    const end = request.before ? Number(request.before) - 1 : count;
    return { messages: all.slice(Math.max(0, end - (request.limit ?? 50)), end) as unknown as Message[] };
  };
  return { asked, history };
}

test("a message whose key the server forgot is found in the room's log, however much was said since", async () => {
  const chat = room(700, { 150: "k" });
  expect(await find(chat, "bob", send("100"), "k")).toBe("150");
  expect(chat.asked.length).toBe(3);
});

test("a message that never arrived is not there, and only what came after it was written is looked through", async () => {
  const chat = room(700, {});
  expect(await find(chat, "bob", send("650"), "k")).toBeNull();
  expect(chat.asked.length).toBe(1);
  expect(await find(room(0, {}), "bob", send(null), "k")).toBeNull();
});

test("somebody else's message with the same key is not one's own; an edit may be made twice", async () => {
  const chat = room(10, { 5: "k" });
  expect(await find(chat, "ann", send(null), "k")).toBeNull();
  expect(await find(chat, "bob", { room: "r", do: "edit", id: "1", text: "x" }, "k")).toBeNull();
});

test("an answer without a number is no answer", async () => {
  for (const nonsense of [null, 7, "1", {}, { id: 7 }, { id: "x" }]) {
    const chat = { send: async () => nonsense as never, edit: async () => nonsense as never, delete: async () => nonsense as never };
    await expect(perform(chat, send(null), "k")).rejects.toThrow("does not understand");
  }
  const given: unknown[] = [];
  const good = { send: async (data: unknown) => (given.push(data), { id: "7" }), edit: async () => ({ id: "1", room: "r" }), delete: async () => ({ id: "1", room: "r" }) };
  expect(await perform(good, { ...send(null), replyTo: "3" } as Act, "k")).toBe("7");
  expect(given).toEqual([{ room: "r", text: "hi", key: "k", reply_to: "3" }]);
});
