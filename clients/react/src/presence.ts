import type { ClientInfo, JoinContext, LeaveContext, Subscription } from "centrifuge";
import { useEffect, useMemo, useState } from "react";
import { useCauseway } from "./provider";
import { release, take } from "./shared";

/** A user who is there, with how many connections. */
export interface Member {
  user: string;
  connections: number;
}

/** Who is in a channel, by name. `known` is false until the first answer, and while a new one is asked for after an interruption. */
export interface Presence {
  members: Member[];
  known: boolean;
}

/**
 * Who is in a channel, kept up to date by joins and leaves. Its namespace needs `presence`, `join_leave` and
 * `allow_presence_for_subscriber`. Where `useChannel` watches the same channel, give it `joinLeave: true`.
 */
export function usePresence(channel: string | null): Presence {
  const client = useCauseway();
  const [state, set] = useState<{ clients: ReadonlyMap<string, string>; known: boolean }>({ clients: new Map(), known: false });
  useEffect(() => {
    if (channel === null) {
      return undefined;
    }
    const watch = (subscription: Subscription): (() => void) => {
      let asked = 0;
      let changes: Array<(clients: Map<string, string>) => void> = [];
      const change = (apply: (clients: Map<string, string>) => void): void => {
        changes.push(apply); // on top of an answer that is under way, too
        set((before) => {
          const clients = new Map(before.clients);
          apply(clients);
          return { ...before, clients };
        });
      };
      const ask = async (): Promise<void> => {
        const mine = ++asked;
        changes = [];
        try {
          const found = await subscription.presence();
          if (mine === asked) {
            const clients = new Map(Object.values(found.clients).map((info: ClientInfo) => [info.client, info.user]));
            changes.forEach((apply) => apply(clients));
            set({ clients, known: true });
          }
        } catch {
          set((before) => (mine === asked ? { ...before, known: false } : before)); // told as `known`; the next subscribe asks again
        }
      };
      const subscribed = (): void => void ask();
      const subscribing = (): void => {
        asked += 1;
        set((before) => ({ ...before, known: false }));
      };
      const joined = ({ info }: JoinContext): void => change((clients) => clients.set(info.client, info.user));
      const left = ({ info }: LeaveContext): void => change((clients) => clients.delete(info.client));
      subscription.on("subscribed", subscribed).on("subscribing", subscribing).on("join", joined).on("leave", left);
      if (subscription.state === "subscribed") {
        void ask();
      } else {
        subscription.subscribe();
      }
      return () => {
        asked += 1;
        subscription.removeListener("subscribed", subscribed);
        subscription.removeListener("subscribing", subscribing);
        subscription.removeListener("join", joined);
        subscription.removeListener("leave", left);
        release(client, channel);
      };
    };
    let stop: (() => void) | null = null;
    let gone = false;
    // A `useChannel` that comes with the same rendering says which options the subscription has.
    queueMicrotask(() => {
      stop = gone ? null : watch(take(client, channel, { joinLeave: true }));
    });
    return () => {
      gone = true;
      stop?.();
    };
  }, [client, channel]);
  return useMemo(() => {
    const counts = new Map<string, number>();
    for (const user of state.clients.values()) {
      counts.set(user, (counts.get(user) ?? 0) + 1);
    }
    const members = [...counts].map(([user, connections]) => ({ user, connections }));
    return { members: members.sort((a, b) => (a.user < b.user ? -1 : 1)), known: state.known };
  }, [state]);
}
