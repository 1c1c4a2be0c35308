import type {
  PublicationContext,
  StreamPosition,
  SubscribedContext,
  SubscriptionErrorContext,
  SubscriptionOptions,
  UnsubscribedContext,
} from "centrifuge";
import { useCallback, useEffect, useRef, useState } from "react";
import { useCauseway } from "./provider";
import { release, take } from "./shared";

/** How the last interruption ended: `recovered` with so many messages, `reloaded` through `getState`, or with a `gap`: something is missing. */
export type CaughtUp = { how: "recovered"; count: number } | { how: "reloaded" } | { how: "gap" };

/** `subscribing` for the first time, `live`, `reconnecting` after it was live, `refused`: the server said no and nobody tries any more. */
export type ChannelState = "idle" | "subscribing" | "live" | "reconnecting" | "refused";

/** How a channel stands. `error` is the latest of it, gone when it is live. */
export interface ChannelStatus {
  state: ChannelState;
  caughtUp: CaughtUp | null;
  error: { code: number; message: string } | null;
}

/** What `useChannel` takes. The functions may be new ones at each render; the rest is of the moment the channel is subscribed to. */
export interface ChannelOptions<Message> extends Omit<SubscriptionOptions, "getState"> {
  /** Called with every message, once and in order. */
  onMessage?: (message: Message, context: PublicationContext) => void;
  /** Loads the state that the messages build on, and says of which position it is. */
  getState?: () => Promise<StreamPosition>;
}

const IDLE: ChannelStatus = { state: "idle", caughtUp: null, error: null };

/**
 * Watch a channel while the component is there; null watches nothing.
 *
 * Components that watch the same channel share one subscription, whose options are those of the first.
 */
export function useChannel<Message = unknown, Sent = unknown>(
  channel: string | null,
  options: ChannelOptions<Message> = {},
): ChannelStatus & { publish: (data: Sent) => Promise<void> } {
  const client = useCauseway();
  const [status, set] = useState<ChannelStatus>(IDLE);
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  useEffect(() => {
    if (channel === null) {
      set(IDLE);
      return undefined;
    }
    const { onMessage: _, getState, ...plain } = latest.current;
    let live = false;
    let reloading = false;
    let count: number | null = null;
    const load = async (): Promise<StreamPosition> => {
      reloading = live;
      return latest.current.getState!();
    };
    const subscription = take(client, channel, getState ? { ...plain, getState: load } : plain);
    const subscribing = (): void => {
      set((before) => ({ ...before, state: live ? "reconnecting" : "subscribing" }));
    };
    const subscribed = (context: SubscribedContext): void => {
      const [returned, reloaded] = [live, reloading];
      [live, reloading, count] = [true, false, 0];
      // What was missed is delivered in this very turn, right behind this event: count it, then tell.
      queueMicrotask(() => {
        const missed = count ?? 0;
        count = null;
        set((before) => ({ state: "live", caughtUp: returned ? caughtUp(context, reloaded, missed) : before.caughtUp, error: null }));
      });
    };
    const published = (context: PublicationContext): void => {
      if (count !== null) {
        count += 1;
      }
      latest.current.onMessage?.(context.data as Message, context);
    };
    const failed = ({ error }: SubscriptionErrorContext): void => {
      set((before) => ({ ...before, error: { code: error.code, message: error.message } }));
    };
    const unsubscribed = ({ code, reason }: UnsubscribedContext): void => {
      set((before) => ({ ...before, state: "refused", error: { code, message: reason } }));
    };
    subscription
      .on("subscribing", subscribing)
      .on("subscribed", subscribed)
      .on("publication", published)
      .on("error", failed)
      .on("unsubscribed", unsubscribed);
    if (subscription.state === "subscribed") {
      live = true;
      set({ state: "live", caughtUp: null, error: null });
    } else {
      set({ state: "subscribing", caughtUp: null, error: null });
      subscription.subscribe();
    }
    return () => {
      subscription.removeListener("subscribing", subscribing);
      subscription.removeListener("subscribed", subscribed);
      subscription.removeListener("publication", published);
      subscription.removeListener("error", failed);
      subscription.removeListener("unsubscribed", unsubscribed);
      release(client, channel);
    };
  }, [client, channel]);
  const publish = useCallback(
    async (data: Sent): Promise<void> => {
      const subscription = channel === null ? null : client.getSubscription(channel);
      if (!subscription) {
        throw new Error("the channel is not watched");
      }
      await subscription.publish(data);
    },
    [client, channel],
  );
  return { ...status, publish };
}

function caughtUp(context: SubscribedContext, reloaded: boolean, count: number): CaughtUp {
  if (reloaded) {
    return { how: "reloaded" };
  }
  return context.wasRecovering && context.recovered ? { how: "recovered", count } : { how: "gap" };
}
