import { Centrifuge, type Options } from "centrifuge";
import { Auctions, type LotMessage, type LotView } from "../api/auctions";
import { Chat, type Message } from "../api/chat";
import { applied } from "../state/lots";

/** What went by the window: how many messages, and what their offsets say of them. `at`: the newest offset of each channel; `holes`: what is lost. */
export interface Seen {
  count: number;
  doubled: number;
  outOfOrder: number;
  holes: ReadonlySet<string>;
  at: ReadonlyMap<string, number>;
}

export const NOTHING: Seen = { count: 0, doubled: 0, outOfOrder: 0, holes: new Set(), at: new Map() };

/** A line of a chat. */
export interface Line extends Pick<Message, "id" | "user" | "text"> {
  room: string;
}

/** What is seen: the lots that close next, and what was said last. */
export interface Scene {
  lots: readonly LotView[];
  lines: readonly Line[];
  seen: Seen;
}

const ROOMS = ["harbour", "kitchen"];
const LOTS = 4;
const LINES = 5;
const LOOK_MS = 4000;

/** After a message at this offset of a channel, whose offsets have no holes; `from`: where watching it began. Pure. */
export function saw(seen: Seen, channel: string, offset: number, from: number): Seen {
  const last = seen.at.get(channel) ?? from;
  const holes = new Set(seen.holes);
  const late = holes.delete(`${channel} ${offset}`);
  for (let missing = last + 1; missing < offset; missing += 1) {
    holes.add(`${channel} ${missing}`);
  }
  return {
    count: seen.count + 1,
    doubled: seen.doubled + (offset <= last && !late ? 1 : 0),
    outOfOrder: seen.outOfOrder + (late ? 1 : 0),
    holes,
    at: new Map(seen.at).set(channel, Math.max(last, offset)),
  };
}

/** Somebody who looks in from the door, without a name: in dev alone, where such a one is let in. */
export class Onlooker {
  scene: Scene = { lots: [], lines: [], seen: NOTHING };
  private readonly client: Centrifuge;
  private readonly auctions: Auctions;
  private readonly chat: Chat;
  private readonly listeners = new Set<() => void>();
  private looking: ReturnType<typeof setTimeout> | undefined;
  private here = false;

  constructor(address: string, options: Partial<Options>) {
    this.client = new Centrifuge(address, { ...options, name: "causeway-door", maxReconnectDelay: 5000 });
    [this.auctions, this.chat] = [new Auctions(this.client), new Chat(this.client)];
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): Scene => this.scene;

  start(): void {
    this.here = true;
    this.client.connect();
    void this.look();
  }

  stop(): void {
    this.here = false;
    clearTimeout(this.looking);
    this.client.disconnect();
  }

  private async look(): Promise<void> {
    // What is not there yet, or cannot be had just now, is asked for again with the next look.
    await Promise.allSettled([this.lots(), ...ROOMS.map((room) => this.enter(room))]);
    if (this.here) {
      this.looking = setTimeout(() => void this.look(), LOOK_MS);
    }
  }

  private async lots(): Promise<void> {
    const { lots } = await this.auctions.lots({ limit: LOTS });
    const known = new Map(this.scene.lots.map((lot) => [lot.lot_id, lot]));
    const newest = (lot: LotView): LotView => {
      const seen = known.get(lot.lot_id);
      return seen && seen.bids > lot.bids ? seen : lot;
    };
    this.set({ lots: lots.map(newest) });
    for (const [channel, subscription] of Object.entries(this.client.subscriptions())) {
      if (channel.startsWith("lot:") && !lots.some((lot) => channel === `lot:${lot.lot_id}`)) {
        subscription.unsubscribe();
        this.client.removeSubscription(subscription);
      }
    }
    lots.forEach(({ lot_id: id }) =>
      this.watch(`lot:${id}`, (data) =>
        this.set({ lots: this.scene.lots.map((lot) => (lot.lot_id === id ? applied(lot, data as LotMessage) : lot)) }),
      ),
    );
  }

  private async enter(room: string): Promise<void> {
    if (this.client.getSubscription(`chat:${room}`)) {
      return;
    }
    await this.chat.join({ room });
    const { messages } = await this.chat.history({ room, limit: LINES });
    this.add(messages.filter((message) => !message.deleted).map((message) => ({ ...message, room })));
    this.watch(`chat:${room}`, (data) => {
      const message = data as Message & { type: string };
      if (message.type === "message") {
        this.add([{ ...message, room }]);
      }
    });
  }

  private watch(channel: string, told: (data: unknown) => void): void {
    if (this.client.getSubscription(channel)) {
      return;
    }
    let from = 0;
    this.client
      .newSubscription(channel, { recoverable: true, positioned: true })
      .on("subscribed", ({ recovered, streamPosition }) => {
        from = recovered ? from : (streamPosition?.offset ?? 0);
      })
      .on("publication", ({ data, offset }) => {
        this.set({ seen: saw(this.scene.seen, channel, offset ?? 0, from) });
        told(data);
      })
      .subscribe();
  }

  private add(lines: readonly Line[]): void {
    const known = new Set(this.scene.lines.map(({ room, id }) => `${room} ${id}`));
    this.set({ lines: [...this.scene.lines, ...lines.filter(({ room, id }) => !known.has(`${room} ${id}`))].slice(-LINES) });
  }

  private set(part: Partial<Scene>): void {
    this.scene = { ...this.scene, ...part };
    this.listeners.forEach((listener) => listener());
  }
}
