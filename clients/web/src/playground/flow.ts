import { Centrifuge, type Options, type Subscription } from "centrifuge";
import type { Event } from "./tally";

/** What the connection says of who it is. */
export type SignIn = Partial<Pick<Options, "data" | "getToken">>;

/** A number is written every so many milliseconds. */
export const BEAT_MS = 100;
/** So many may wait to be acknowledged; then none is written until some are. */
const WAITING_MAX = 1200;
/** An answer that does not come within this is asked for again, with the same number. */
const ANSWER_MS = 2000;
const AGAIN_MS = 60;
const REFUSED_MS = 500;
const REFUSALS_MAX = 20;

/**
 * A steady flow of numbers over a connection of its own: each is sent, and sent again until it is answered, before the next one; and all come
 * back on a channel with history. Tells what happens; judges nothing.
 *
 * A refusal of the app, or of a connection that is refused again and again, ends it: `failed` says why.
 */
export class Flow {
  private readonly client: Centrifuge;
  private readonly subscription: Subscription;
  private readonly run = [...crypto.getRandomValues(new Uint8Array(10))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  private readonly queue: number[] = [];
  private beat: ReturnType<typeof setInterval> | undefined;
  private written = 0;
  private refusals = 0;
  private pumping = false;
  private stopped = false;

  constructor(
    address: string,
    signIn: SignIn,
    private readonly tell: (event: Event) => void,
    private readonly failed: (reason: string) => void,
  ) {
    const quick = { timeout: ANSWER_MS, minReconnectDelay: 50, maxReconnectDelay: 500 };
    this.client = new Centrifuge(address, { ...signIn, name: "causeway-playground", ...quick });
    this.subscription = this.client.newSubscription(`playground:${this.run}`, {
      recoverable: true,
      minResubscribeDelay: 50,
      maxResubscribeDelay: 500,
    });
    this.subscription
      .on("subscribed", () => {
        this.refusals = 0;
        this.tell({ kind: "live", at: now() });
        this.beat ??= setInterval(() => this.write(), BEAT_MS);
      })
      .on("subscribing", () => this.tell({ kind: "away" }))
      .on("unsubscribed", ({ reason }) => this.refused(reason))
      .on("publication", ({ data, offset }) => {
        const { number } = data as { number: number };
        this.tell({ kind: "came", number, offset: offset ?? 0, at: now() });
      });
    this.client.on("disconnected", ({ reason }) => this.refused(reason));
  }

  start(): void {
    this.subscription.subscribe();
    this.client.connect();
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.beat);
    this.client.disconnect();
  }

  private write(): void {
    if (this.queue.length >= WAITING_MAX) {
      return;
    }
    this.written += 1;
    this.queue.push(this.written);
    this.tell({ kind: "written", number: this.written, at: now() });
    void this.pump();
  }

  private async pump(): Promise<void> {
    if (this.pumping) {
      return;
    }
    this.pumping = true;
    for (let number = this.queue[0]; number !== undefined && !this.stopped; number = this.queue[0]) {
      try {
        await this.client.rpc("chat.count", { run: this.run, number });
        this.queue.shift();
        this.tell({ kind: "acknowledged", number, at: now() });
      } catch (error) {
        // Nobody knows whether it happened: the same number again, which has its effect once.
        const { code, temporary, message } = error as { code?: number; temporary?: boolean; message?: string };
        if (code !== undefined && code >= 400 && temporary !== true) {
          this.fail(message ?? String(code));
        }
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    this.pumping = false;
  }

  /** A gateway that has just come back may not know yet who lets people in: what it says then is not the last word. */
  private refused(reason: string): void {
    this.tell({ kind: "away" });
    this.refusals += 1;
    if (this.refusals > REFUSALS_MAX) {
      this.fail(reason);
    } else if (!this.stopped) {
      setTimeout(() => !this.stopped && this.start(), REFUSED_MS);
    }
  }

  private fail(reason: string): void {
    if (!this.stopped) {
      this.stop();
      this.failed(reason);
    }
  }
}

/** The clock of all events here. */
export function now(): number {
  return performance.now();
}
