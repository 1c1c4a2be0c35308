import { act, cleanup, configure, renderHook, waitFor } from "@testing-library/react";
import { StrictMode, type ReactNode } from "react";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CausewayProvider, useChannel, useConnection, useEntity, usePresence, useRpc } from "./index";
import { Server } from "./server.testing";

configure({ asyncUtilTimeout: 20_000 }); // the SDK's own pauses, on a busy machine

let server: Server;

beforeEach(() => {
  server = new Server();
  server.answers["subscribe"] = () => ({ subscribe: { recoverable: true, epoch: "e", offset: 0 } });
  server.client.connect();
});

afterEach(() => {
  cleanup();
  server.client.disconnect();
});

function wrapper({ children }: { children: ReactNode }): ReactNode {
  return (
    <StrictMode>
      <CausewayProvider client={server.client}>{children}</CausewayProvider>
    </StrictMode>
  );
}

const missed = (...offsets: number[]) => offsets.map((offset) => ({ offset, data: offset }));

test("a connection that is lost is reconnecting, and connecting only the first time", async () => {
  const seen: string[] = [];
  const { result } = renderHook(
    () => {
      const connection = useConnection();
      seen.push(connection.state);
      return connection;
    },
    { wrapper },
  );
  await waitFor(() => expect(result.current.state).toBe("connected"));
  act(() => server.cut());
  await waitFor(() => expect(seen).toContain("reconnecting"));
  await waitFor(() => expect(result.current.state).toBe("connected"));
  expect(result.current.interruptions).toBe(1);
  expect(seen.indexOf("connecting")).toBeLessThan(seen.indexOf("reconnecting"));
  act(() => server.client.disconnect());
  await waitFor(() => expect(result.current.state).toBe("disconnected"));
});

test("what was missed is told with its number, and each message comes once", async () => {
  const got: unknown[] = [];
  const { result } = renderHook(() => useChannel("news:a", { onMessage: (message) => got.push(message) }), { wrapper });
  await waitFor(() => expect(result.current.state).toBe("live"));
  expect(result.current.caughtUp).toBeNull();
  act(() => server.publish("news:a", 1, 1));
  await waitFor(() => expect(got).toEqual([1]));
  server.answers["subscribe"] = () => ({
    subscribe: { recoverable: true, epoch: "e", offset: 1, was_recovering: true, recovered: true, publications: missed(2, 3) },
  });
  act(() => server.cut());
  await waitFor(() => expect(result.current.caughtUp).toEqual({ how: "recovered", count: 2 }));
  expect(got).toEqual([1, 2, 3]);
});

test("messages that cannot be had again are told as a gap", async () => {
  const { result } = renderHook(() => useChannel("news:a"), { wrapper });
  await waitFor(() => expect(result.current.state).toBe("live"));
  server.answers["subscribe"] = () => ({ subscribe: { recoverable: true, epoch: "f", offset: 9, was_recovering: true } });
  act(() => server.cut());
  await waitFor(() => expect(result.current.caughtUp).toEqual({ how: "gap" }));
});

test("a refusal is told, and nobody tries again", async () => {
  server.answers["subscribe"] = () => ({ error: { code: 403, message: "join the room first" } });
  const { result } = renderHook(() => useChannel("news:a"), { wrapper });
  await waitFor(() => expect(result.current.state).toBe("refused"));
  expect(result.current.error).toEqual({ code: 403, message: "join the room first" });
});

test("two components share one subscription, which ends with the last of them", async () => {
  const one = renderHook(() => useChannel("news:a"), { wrapper });
  const two = renderHook(() => useChannel("news:a"), { wrapper });
  await waitFor(() => expect([one.result.current.state, two.result.current.state]).toEqual(["live", "live"]));
  one.unmount();
  expect(server.client.getSubscription("news:a")?.state).toBe("subscribed");
  two.unmount();
  expect(server.client.getSubscription("news:a")).toBeNull();
});

test("presence follows joins and leaves, counts connections, and is asked for again after an interruption", async () => {
  const clients = { a: { client: "a", user: "ann" }, b: { client: "b", user: "bob" } };
  server.answers["presence"] = () => ({ presence: { presence: clients } });
  const { result } = renderHook(() => usePresence("room:a"), { wrapper });
  await waitFor(() => expect(result.current.known).toBe(true));
  act(() => {
    server.push("room:a", { join: { info: { client: "a2", user: "ann" } } });
    server.push("room:a", { leave: { info: { client: "b", user: "bob" } } });
  });
  await waitFor(() => expect(result.current.members).toEqual([{ user: "ann", connections: 2 }]));
  act(() => server.cut());
  await waitFor(() =>
    expect(result.current).toEqual({
      known: true,
      members: [
        { user: "ann", connections: 1 },
        { user: "bob", connections: 1 },
      ],
    }),
  );
});

test("presence beside a channel leaves the channel its options, whichever component is rendered first", async () => {
  server.answers["presence"] = () => ({ presence: { presence: {} } });
  const loads: string[] = [];
  const getState = async () => {
    loads.push("loaded");
    return { offset: 0, epoch: "e" };
  };
  const { result } = renderHook(
    () => {
      const presence = usePresence("room:a");
      const channel = useChannel("room:a", { getState, joinLeave: true });
      return { presence, channel };
    },
    { wrapper },
  );
  await waitFor(() => expect([result.current.channel.state, result.current.presence.known]).toEqual(["live", true]));
  expect(loads.length).toBeGreaterThan(0);
  expect(server.asked.filter((command) => command["subscribe"]).at(-1)?.["subscribe"]).toMatchObject({ join_leave: true, recover: true });
});

test("an entity is loaded, kept up to date once each, and loaded anew where messages are gone", async () => {
  let stored = { state: 10, position: { offset: 2, epoch: "e" } };
  let refuse = false;
  server.answers["subscribe"] = ({ recover, offset }) => {
    if (refuse) {
      refuse = false;
      return { error: { code: 112, message: "unrecoverable position" } };
    }
    return {
      subscribe: { recoverable: true, epoch: "e", offset, was_recovering: recover, recovered: true, publications: [] },
    };
  };
  const { result } = renderHook(
    () => useEntity<number, number>("count:a", { load: async () => stored, apply: (state, by) => state + by }),
    { wrapper },
  );
  await waitFor(() => expect(result.current.value).toBe(10));
  await waitFor(() => expect(result.current.status.state).toBe("live"));
  act(() => {
    server.publish("count:a", 2, 100); // the state has it already
    server.publish("count:a", 3, 5);
  });
  await waitFor(() => expect(result.current.value).toBe(15));
  stored = { state: 70, position: { offset: 9, epoch: "e" } };
  refuse = true;
  act(() => server.cut());
  await waitFor(() => expect(result.current.status.caughtUp).toEqual({ how: "reloaded" }));
  expect(result.current.value).toBe(70);
});

test("a call tells that it is under way, and what became of it", async () => {
  let settle: (how: "good" | "bad") => void = () => undefined;
  const method = (_: number): Promise<string> =>
    new Promise((resolve, reject) => {
      settle = (how) => (how === "good" ? resolve("yes") : reject(new Error("no")));
    });
  const { result } = renderHook(() => useRpc(method), { wrapper });
  let first: Promise<string> = Promise.resolve("");
  act(() => void (first = result.current.call(1)));
  expect(result.current.pending).toBe(true);
  await act(async () => {
    settle("good");
    await first;
  });
  expect(result.current).toMatchObject({ pending: false, answer: "yes", error: null });
  act(() => void (first = result.current.call(2)));
  await act(async () => {
    settle("bad");
    await expect(first).rejects.toThrow("no");
  });
  expect(result.current.error?.message).toBe("no");
});
