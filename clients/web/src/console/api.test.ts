import { afterEach, expect, test, vi } from "vitest";
import { NoAnswer, Ops, Refusal, WrongKey } from "./api";
import type { TailMessage } from "./contract";
import { ContactWatch } from "./state/contact";

const signal = new AbortController().signal;

afterEach(() => vi.unstubAllGlobals());

function answering(response: () => Promise<Response> | Response): { ops: Ops; contact: ContactWatch; calls: RequestInit[] } {
  const calls: RequestInit[] = [];
  vi.stubGlobal("fetch", async (_url: string, init: RequestInit) => {
    calls.push(init);
    return response();
  });
  const contact = new ContactWatch();
  return { ops: new Ops("k", contact), contact, calls };
}

test("a call sends the key as a header and gives the result", async () => {
  const { ops, calls, contact } = answering(() => Response.json({ result: { clients: 2 } }));
  expect(await ops.run("users.disconnect", { user: "ann", client: "", code: 0, reason: "" })).toEqual({ clients: 2 });
  expect(calls[0]?.headers).toMatchObject({ "X-API-Key": "k" });
  expect(contact.current().silentSince).toBe(0);
});

test.each([
  ["a refusal by the error table", () => Response.json({ error: { code: 104, message: "there is no such job", temporary: false } }), Refusal],
  ["a key that is not known", () => new Response("", { status: 401 }), WrongKey],
  ["a call that an older gateway does not know", () => new Response("no such call", { status: 404 }), Refusal],
  ["too many wrong keys", () => new Response("", { status: 429 }), Refusal],
  ["a proxy's page in place of an answer", () => new Response("<html>Bad Gateway", { status: 502 }), NoAnswer],
  ["an answer that says nothing", () => Response.json({}), NoAnswer],
  ["no answer at all", () => Promise.reject(new TypeError("Failed to fetch")), NoAnswer],
])("%s is told as what it is", async (_what, response, error) => {
  const { ops, contact } = answering(response);
  await expect(ops.run("jobs.show", { id: "1" })).rejects.toBeInstanceOf(error);
  expect(contact.current().silentSince > 0).toBe(error === NoAnswer && !_what.includes("nothing"));
});

test("a stream hands over its lines, and a refusal before it begins is a refusal", async () => {
  const lines = '{"type":"begin","epoch":"e","offset":1}\n{"type":"alive"}\n';
  const seen: TailMessage[] = [];
  const good = answering(() => new Response(lines, { headers: { "Content-Type": "application/x-ndjson" } }));
  await good.ops.follow("channels.tail", { channel: "chat:1", history: 0 }, signal, (messages) => seen.push(...messages));
  expect(seen.map(({ type }) => type)).toEqual(["begin", "alive"]);
  const bad = answering(() => Response.json({ error: { code: 102, message: "unknown channel", temporary: false } }));
  await expect(bad.ops.follow("channels.tail", { channel: "x", history: 0 }, signal, () => undefined)).rejects.toMatchObject({ code: 102 });
});

test("a stream that breaks is no answer", async () => {
  const broken = new ReadableStream({ start: (controller) => controller.error(new TypeError("network error")) });
  const { ops } = answering(() => new Response(broken, { headers: { "Content-Type": "application/x-ndjson" } }));
  await expect(ops.follow("channels.tail", { channel: "chat:1", history: 0 }, signal, () => undefined)).rejects.toBeInstanceOf(NoAnswer);
});
