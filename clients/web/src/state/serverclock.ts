import type { Centrifuge } from "centrifuge";
import type { Auctions } from "../api/auctions";
import { answered, middle, told, type Ahead } from "./clock";

const AGAIN_MS = 60_000;
const TRIES = 3;

/**
 * What time it is at the server. Measured against a clock that only counts up, so that the machine's time of day, right or wrong or
 * set meanwhile, changes nothing: by asking, and by what messages say of when they were written.
 */
export class ServerClock {
  private ahead: Ahead | null = null;
  private readonly listeners = new Set<() => void>();
  private users = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly auctions: Auctions,
    private readonly client: Centrifuge,
  ) {}

  /** The server's time in milliseconds since 1970; null until it was measured. */
  now(): number | null {
    return this.ahead === null ? null : performance.now() + middle(this.ahead);
  }

  /** A message came that the server wrote at this time. */
  heard(at: string | null): void {
    if (at !== null) {
      this.ahead = told(this.ahead, Date.parse(at), performance.now());
    }
  }

  /** Measures while somebody needs it; the function that is returned ends that. `changed` is called after each measure. */
  keep(changed: () => void): () => void {
    this.listeners.add(changed);
    this.users += 1;
    if (this.users === 1) {
      this.client.on("connected", this.measure);
      document.addEventListener("visibilitychange", this.measure);
      this.timer = setInterval(this.measure, AGAIN_MS);
      this.measure();
    }
    return () => {
      this.listeners.delete(changed);
      this.users -= 1;
      if (this.users === 0) {
        this.client.removeListener("connected", this.measure);
        document.removeEventListener("visibilitychange", this.measure);
        clearInterval(this.timer);
      }
    };
  }

  private readonly measure = (): void => {
    if (this.client.state === "connected" && !document.hidden) {
      void this.ask();
    }
  };

  /** A few questions in a row: the quickest answer says most. */
  private async ask(): Promise<void> {
    for (let done = 1; done <= TRIES; done += 1) {
      const [first, sent] = [this.ahead === null, performance.now()];
      try {
        const { now } = await this.auctions.clock();
        this.ahead = answered(this.ahead, sent, Date.parse(now), performance.now());
      } catch {
        return; // the next connection, minute or look at the page asks again; what was measured holds
      }
      if (first || done === TRIES) {
        this.listeners.forEach((changed) => changed());
      }
    }
  }
}
