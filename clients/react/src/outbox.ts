import type { Centrifuge } from "centrifuge";
import { useEffect, useMemo, useRef, useState } from "react";
import { useCauseway } from "./provider";

/**
 * A call that is to be made once. `key` was made when it was written and goes along with every try, so that the server takes it once.
 * `waiting`: to be sent, or sent and not answered (`error` says why it is tried again); `refused`: the server said no, nobody tries again.
 */
export interface Entry<Data> {
  key: string;
  data: Data;
  /** When it was written, RFC 3339 by the clock of the page. */
  at: string;
  state: "waiting" | "sending" | "refused";
  tries: number;
  /** When it was first sent, ms since the epoch; null: it never left the page. */
  triedAt: number | null;
  error: { code: number | null; message: string } | null;
}

/** What an outbox needs to know. The functions may be new ones at each render. */
export interface OutboxOptions<Data, Answer> {
  /** What it is kept under, in `storage`. */
  name: string;
  /** Makes the call with the key. Any error is a reason to try again, but a refusal: one with a code of 100 or more that is not `temporary`. */
  send: (data: Data, key: string) => Promise<Answer>;
  /** Asked before a try where the server may have forgotten the key: what became of the call; null: it did not arrive. */
  find?: (entry: Entry<Data>) => Promise<Answer | null>;
  /** Called with every answer, before its entry goes. */
  done?: (entry: Entry<Data>, answer: Answer) => void;
  /** Calls of one lane are made in order, one at a time; lanes beside each other. One for all where it is left out. */
  lane?: (data: Data) => string;
  /** So long does the server know a key for certain, in ms. Four minutes: Causeway's own five and some slack. */
  keyLife?: number;
  /** So many entries at most. */
  max?: number;
  /** Where entries survive a reload: `sessionStorage`, which is the tab's own; null: nowhere. */
  storage?: Storage | null;
}

/** The calls that are not answered yet, in the order they were written. `kept`: they survive a reload. */
export interface Outbox<Data> {
  entries: readonly Entry<Data>[];
  kept: boolean;
  /** Writes a call down and sends it as soon as that is possible. Returns its key; null: the outbox is full, nothing was taken. */
  add: (data: Data) => string | null;
  /** Tries again at once; a refused one as a new call, under a new key. */
  retry: (key: string) => void;
  /** Gives a call up. Where it was sent and not answered, it may have been taken. */
  discard: (key: string) => void;
}

const CHARS_MAX = 1_000_000;
const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 15_000;

/** An outbox below this component: calls written while offline wait, survive a reload and are made once when the connection is back. */
export function useOutbox<Data, Answer>(options: OutboxOptions<Data, Answer>): Outbox<Data> {
  const client = useCauseway();
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const [box] = useState(() => new Box<Data, Answer>(client, latest));
  const [view, set] = useState<{ entries: readonly Entry<Data>[]; kept: boolean }>({ entries: box.entries, kept: box.kept });
  useEffect(() => box.start(() => set({ entries: box.entries, kept: box.kept })), [box]);
  const actions = useMemo(
    () => ({
      add: (data: Data) => box.add(data),
      retry: (key: string) => box.retry(key),
      discard: (key: string) => box.discard(key),
    }),
    [box],
  );
  return { ...view, ...actions };
}

/** A new key: nobody else has it. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36).padStart(7, "0")).join("");
}

/** The refusal that an error is; null where it may be tried again. */
export function refusalOf(error: unknown): { code: number; message: string } | null {
  const { code, message, temporary } = (typeof error === "object" && error !== null ? error : {}) as Record<string, unknown>;
  return typeof code === "number" && code >= 100 && temporary !== true ? { code, message: String(message ?? "") } : null;
}

class Box<Data, Answer> {
  entries: readonly Entry<Data>[] = [];
  kept = true;
  private told: (() => void) | null = null;
  private readonly busy = new Set<string>();
  private readonly pauses = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(
    private readonly client: Centrifuge,
    private readonly options: { readonly current: OutboxOptions<Data, Answer> },
  ) {
    this.entries = this.stored();
  }

  start(told: () => void): () => void {
    this.told = told;
    this.client.on("connected", this.go);
    this.go();
    told();
    return () => {
      this.told = null;
      this.client.removeListener("connected", this.go);
      this.pauses.forEach((pause) => clearTimeout(pause));
      this.pauses.clear();
    };
  }

  add(data: Data): string | null {
    const entry: Entry<Data> = { key: newKey(), data, at: new Date().toISOString(), state: "waiting", tries: 0, triedAt: null, error: null };
    const next = [...this.entries, entry];
    if (next.length > (this.options.current.max ?? 100) || JSON.stringify(next).length > CHARS_MAX) {
      return null;
    }
    this.set(next);
    this.pump(this.laneOf(data));
    return entry.key;
  }

  retry(key: string): void {
    const entry = this.entries.find((each) => each.key === key);
    if (entry?.state === "refused") {
      // The server remembers its refusal under the old key.
      this.change(key, { key: newKey(), state: "waiting", tries: 0, triedAt: null, error: null });
    }
    if (entry) {
      this.pump(this.laneOf(entry.data));
    }
  }

  discard(key: string): void {
    const entry = this.entries.find((each) => each.key === key);
    this.set(this.entries.filter((each) => each.key !== key));
    if (entry) {
      this.pump(this.laneOf(entry.data));
    }
  }

  /** Everything that waits is tried now. */
  private readonly go = (): void => {
    new Set(this.entries.map((each) => this.laneOf(each.data))).forEach((lane) => this.pump(lane));
  };

  private pump(lane: string): void {
    const entry = this.entries.find((each) => each.state === "waiting" && this.laneOf(each.data) === lane);
    if (entry && this.told && this.client.state === "connected" && !this.busy.has(lane)) {
      clearTimeout(this.pauses.get(lane));
      this.pauses.delete(lane);
      void this.attempt(entry, lane);
    }
  }

  private async attempt(entry: Entry<Data>, lane: string): Promise<void> {
    const { send, find, done, keyLife = 240_000 } = this.options.current;
    const forgotten = entry.triedAt !== null && Date.now() - entry.triedAt > keyLife;
    this.busy.add(lane);
    // Written down before it leaves: after a reload it is known that it may have arrived.
    this.change(entry.key, { state: "sending", tries: entry.tries + 1, triedAt: entry.triedAt ?? Date.now() });
    try {
      const answer = (forgotten && find ? await find(entry) : null) ?? (await send(entry.data, entry.key));
      done?.(entry, answer);
      this.set(this.entries.filter((each) => each.key !== entry.key));
    } catch (error) {
      this.failed(entry.key, error, lane);
    } finally {
      this.busy.delete(lane);
    }
    if (!this.pauses.has(lane)) {
      this.pump(lane);
    }
  }

  private failed(key: string, error: unknown, lane: string): void {
    const refusal = refusalOf(error);
    const { code, message } = (typeof error === "object" && error !== null ? error : { message: String(error) }) as Record<string, unknown>;
    const told = { code: typeof code === "number" ? code : null, message: String(message ?? "") };
    this.change(key, { state: refusal ? "refused" : "waiting", error: told });
    const tries = this.entries.find((each) => each.key === key)?.tries;
    if (refusal === null && tries !== undefined && this.told) {
      const pause = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.min(tries - 1, 10)) * (0.75 + Math.random() / 2);
      this.pauses.set(lane, setTimeout(() => this.pump(lane), pause));
    }
  }

  private change(key: string, change: Partial<Entry<Data>>): void {
    this.set(this.entries.map((each) => (each.key === key ? { ...each, ...change } : each)));
  }

  private set(entries: readonly Entry<Data>[]): void {
    this.entries = entries;
    this.store();
    this.told?.();
  }

  private store(): void {
    const { name, storage = sessionStorage } = this.options.current;
    try {
      if (this.entries.length === 0) {
        storage?.removeItem(place(name));
      } else {
        storage?.setItem(place(name), JSON.stringify(this.entries));
      }
      this.kept = storage !== null;
    } catch {
      this.kept = false; // told: full, or not allowed here
    }
  }

  private stored(): readonly Entry<Data>[] {
    const { name, storage = sessionStorage } = this.options.current;
    try {
      const found: unknown = JSON.parse(storage?.getItem(place(name)) ?? "[]");
      const entries = Array.isArray(found) ? found.filter(isEntry) : [];
      return entries.map((each) => ({ ...each, state: each.state === "sending" ? "waiting" : each.state }) as Entry<Data>);
    } catch {
      return []; // no JSON, or not allowed here, which `store` tells
    }
  }

  private laneOf(data: Data): string {
    return this.options.current.lane?.(data) ?? "";
  }
}

function place(name: string): string {
  return `causeway.outbox.${name}`;
}

function isEntry(found: unknown): found is Entry<unknown> {
  const { key, at, state, tries, triedAt } = (typeof found === "object" && found !== null ? found : {}) as Partial<Entry<unknown>>;
  const known = state === "waiting" || state === "sending" || state === "refused";
  return known && typeof key === "string" && typeof at === "string" && typeof tries === "number" && (triedAt === null || typeof triedAt === "number");
}
