import { useCauseway } from "@causeway/react";
import { useEffect, useState, type ReactNode } from "react";
import type { Auctions } from "../../api/auctions";
import { useSession } from "../../session";
import { clockFace } from "../../state/clock";
import { ServerClock } from "../../state/serverclock";

const clocks = new WeakMap<Auctions, ServerClock>();
const SOON_MS = 60_000;
const NOW_MS = 10_000;

/** The server's clock, one for the connection. */
export function useServerClock(): ServerClock {
  const client = useCauseway();
  const { auctions } = useSession();
  const found = clocks.get(auctions) ?? new ServerClock(auctions, client);
  clocks.set(auctions, found);
  return found;
}

/** The server's time, anew with each of its seconds; null until it is known. */
export function useServerNow(): number | null {
  const clock = useServerClock();
  const [now, set] = useState<number | null>(() => clock.now());
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tick = (): void => {
      clearTimeout(timer);
      const current = clock.now();
      set(current);
      if (current !== null) {
        timer = setTimeout(tick, 1000 - (current % 1000) + 5);
      }
    };
    const release = clock.keep(tick);
    tick();
    return () => {
      clearTimeout(timer);
      release();
    };
  }, [clock]);
  return now;
}

/** How urgent it is, for the eye. */
export function urgency(left: number | null): "calm" | "soon" | "now" {
  return left === null || left > SOON_MS ? "calm" : left > NOW_MS ? "soon" : "now";
}

const COLOURS = {
  calm: "",
  soon: "text-amber-800 dark:text-amber-300",
  now: "text-red-800 dark:text-red-300",
};

/** How long it is until then, by the server's clock. */
export function Countdown({ label, to, over, className = "" }: { label: string; to: string; over: string; className?: string }): ReactNode {
  const now = useServerNow();
  const left = now === null ? null : Date.parse(to) - now;
  return (
    <span role="timer" aria-label={label} className={`tabular-nums ${COLOURS[urgency(left)]} ${className}`}>
      {left === null ? "–:––" : left <= 0 ? over : clockFace(left)}
    </span>
  );
}

/** A time of day as this machine's place has it; the time itself is the server's. */
export function timeOf(at: string | null): string {
  return at === null ? "" : new Date(at).toLocaleTimeString("en", { hour12: false });
}
