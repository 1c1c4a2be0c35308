import type { Centrifuge, Subscription, SubscriptionOptions } from "centrifuge";

const all = new WeakMap<Centrifuge, Map<string, { subscription: Subscription; users: number }>>();

/** The page's subscription of a channel, made with these options where there is none. Each `take` needs its `release`. */
export function take(client: Centrifuge, channel: string, options: SubscriptionOptions): Subscription {
  const shared = all.get(client) ?? new Map<string, { subscription: Subscription; users: number }>();
  all.set(client, shared);
  const found = shared.get(channel) ?? {
    subscription: client.getSubscription(channel) ?? client.newSubscription(channel, options),
    users: 0,
  };
  found.users += 1;
  shared.set(channel, found);
  return found.subscription;
}

/** One user less; the last one ends the subscription. */
export function release(client: Centrifuge, channel: string): void {
  const shared = all.get(client);
  const found = shared?.get(channel);
  if (!shared || !found || --found.users > 0) {
    return;
  }
  shared.delete(channel);
  found.subscription.unsubscribe();
  client.removeSubscription(found.subscription);
}
