import { act, cleanup, configure, renderHook, waitFor } from "@testing-library/react";
import { StrictMode, type ReactNode } from "react";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CausewayProvider, useOutbox, type OutboxOptions } from "./index";
import { Server } from "./server.testing";

configure({ asyncUtilTimeout: 20_000 }); // the SDK's own pauses, on a busy machine

let server: Server;
let sent: Array<[string, string]>;
let answers: Array<() => Promise<string>>;

beforeEach(() => {
  sessionStorage.clear();
  server = new Server();
  sent = [];
  answers = [];
});

afterEach(() => {
  cleanup();
  server.client.disconnect();
});

const good = async (): Promise<string> => "ok";
const noAnswer = (): Promise<string> => Promise.reject({ code: 1, message: "timeout" });
const refusal = (): Promise<string> => Promise.reject({ code: 403, message: "you are muted", temporary: false });
const busy = (): Promise<string> => Promise.reject({ code: 429, message: "slow down", temporary: true });

function outbox(more: Partial<OutboxOptions<string, string>> = {}) {
  const done: string[] = [];
  const options: OutboxOptions<string, string> = {
    name: "test",
    send: (data, key) => {
      sent.push([data, key]);
      return (answers.shift() ?? good)();
    },
    done: ({ data }) => void done.push(data),
    ...more,
  };
  const wrapper = ({ children }: { children: ReactNode }): ReactNode => (
    <StrictMode>
      <CausewayProvider client={server.client}>{children}</CausewayProvider>
    </StrictMode>
  );
  return { done, ...renderHook(() => useOutbox(options), { wrapper }) };
}

const keysOf = (text: string) => [...new Set(sent.filter(([data]) => data === text).map(([, key]) => key))];

test("what is written offline waits, in order, and is sent once each when the connection is there", async () => {
  const { result, done } = outbox();
  act(() => ["one", "two", "three"].forEach((text) => result.current.add(text)));
  expect(result.current.entries.map(({ data, state, triedAt }) => [data, state, triedAt])).toEqual(
    ["one", "two", "three"].map((text) => [text, "waiting", null]),
  );
  expect(sent).toEqual([]);
  act(() => server.client.connect());
  await waitFor(() => expect(result.current.entries).toEqual([]));
  expect([sent.map(([data]) => data), done]).toEqual([["one", "two", "three"], ["one", "two", "three"]]);
});

test("a call without an answer is tried again under the same key until there is one, and the next one waits for it", async () => {
  answers = [noAnswer, busy, () => Promise.reject(new Error("nonsense came back")), good];
  const { result, done } = outbox();
  act(() => server.client.connect());
  act(() => ["one", "two"].forEach((text) => result.current.add(text)));
  await waitFor(() => expect(result.current.entries[0]?.error?.message).toBe("timeout"));
  await waitFor(() => expect(result.current.entries).toEqual([]), { timeout: 20_000 });
  expect(sent.map(([data]) => data)).toEqual(["one", "one", "one", "one", "two"]);
  expect([keysOf("one").length, done]).toEqual([1, ["one", "two"]]);
});

test("a refused call stays with the reason, holds nothing up, and goes again under a new key", async () => {
  answers = [refusal];
  const { result, done } = outbox();
  act(() => server.client.connect());
  act(() => ["bad", "good"].forEach((text) => result.current.add(text)));
  await waitFor(() => expect(done).toEqual(["good"]));
  expect(result.current.entries).toMatchObject([{ data: "bad", state: "refused", error: { code: 403, message: "you are muted" } }]);
  act(() => result.current.retry(result.current.entries[0]!.key));
  await waitFor(() => expect(done).toEqual(["good", "bad"]));
  expect(keysOf("bad").length).toBe(2);
});

test("a reload loses nothing and doubles nothing: what waited is sent under its first key", async () => {
  answers = [() => new Promise(() => undefined)]; // the page is reloaded while the first one is under way
  const first = outbox();
  act(() => server.client.connect());
  act(() => ["one", "two"].forEach((text) => first.result.current.add(text)));
  await waitFor(() => expect(sent.length).toBe(1));
  first.unmount();
  const { result, done } = outbox();
  expect(result.current.entries.map(({ data }) => data)).toEqual(["one", "two"]);
  await waitFor(() => expect(done).toEqual(["one", "two"]));
  expect([keysOf("one").length, sent.length, sessionStorage.length]).toEqual([1, 3, 0]);
});

test("where the server may have forgotten the key, it is asked what became of the call before it is made again", async () => {
  answers = [noAnswer];
  const asked: string[] = [];
  const find = async ({ data }: { data: string }): Promise<string | null> => {
    asked.push(data);
    return "it was taken";
  };
  const { result, done } = outbox({ keyLife: -1, find });
  act(() => server.client.connect());
  act(() => void result.current.add("one"));
  await waitFor(() => expect(done).toEqual(["one"]));
  expect([asked, sent.length]).toEqual([["one"], 1]);
});

test("a full outbox takes nothing and says so; what is discarded is not sent", () => {
  const { result } = outbox({ max: 2 });
  let keys: Array<string | null> = [];
  act(() => {
    keys = ["one", "two", "three"].map((text) => result.current.add(text));
  });
  expect(keys.map((key) => key === null)).toEqual([false, false, true]);
  act(() => result.current.discard(keys[0]!));
  expect(result.current.entries.map(({ data }) => data)).toEqual(["two"]);
});

test("lanes do not wait for each other", async () => {
  answers = [() => new Promise(() => undefined)];
  const { result, done } = outbox({ lane: (data) => data.slice(0, 1) });
  act(() => server.client.connect());
  act(() => ["a1", "a2", "b1"].forEach((text) => result.current.add(text)));
  await waitFor(() => expect(done).toEqual(["b1"]));
  expect(sent.map(([data]) => data)).toEqual(["a1", "b1"]);
});

test("a tab that may keep nothing says so and sends all the same; nonsense that was kept is passed over", async () => {
  sessionStorage.setItem("causeway.outbox.test", '[{"key": 7}, "x"]');
  const full = { getItem: (name: string) => sessionStorage.getItem(name), setItem: () => { throw new Error("full"); }, removeItem: () => undefined };
  const { result, done } = outbox({ storage: full as unknown as Storage });
  expect(result.current.entries).toEqual([]);
  act(() => void result.current.add("one"));
  expect(result.current.kept).toBe(false);
  act(() => server.client.connect());
  await waitFor(() => expect(done).toEqual(["one"]));
});
