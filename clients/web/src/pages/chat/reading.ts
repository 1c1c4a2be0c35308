import { useConnection } from "@causeway/react";
import { useEffect, useRef, useState } from "react";
import { useSession } from "../../session";

const PAUSE_MS = 400;

/** Some messages by their numbers, the last one included. */
export interface Span {
  first: number;
  last: number;
}

/** What the server said of a room when it was opened: how far one has read, and how many messages there are. */
export interface Known {
  read: number;
  messages: number;
}

/**
 * Tells how far one has read: the newest message, while the page is seen and its end is in view.
 *
 * `known` is null until the server said it. Returns what was new when one came: what comes while one looks is not.
 */
export function useReading(
  room: string,
  known: Known | null,
  newest: number,
  atTheEnd: boolean,
  hasRead: (room: string, id: number) => void,
): Span | null {
  const { chat } = useSession();
  const { state } = useConnection();
  const seen = useSeen();
  const told = useRef(0);
  const [unread, setUnread] = useState<Span | null>(null);
  const reads = seen && atTheEnd && known !== null;
  const latest = useRef({ known, newest });
  useEffect(() => {
    latest.current = { known, newest };
  });
  const isKnown = known !== null;
  useEffect(() => {
    if (isKnown && seen) {
      const read = Math.max(latest.current.known?.read ?? 0, told.current);
      const last = Math.max(latest.current.known?.messages ?? 0, latest.current.newest);
      setUnread(read < last ? { first: read + 1, last } : null);
    }
  }, [isKnown, seen]);
  useEffect(() => {
    if (!reads || newest <= Math.max(told.current, known.read) || state !== "connected") {
      return undefined;
    }
    const timer = setTimeout(() => {
      const before = told.current;
      told.current = newest;
      hasRead(room, newest);
      // The next message tells it again, the next connection too.
      chat.read({ room, id: String(newest) }).catch(() => {
        told.current = before;
      });
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [reads, newest, known, state, chat, room, hasRead]);
  return unread;
}

function useSeen(): boolean {
  const [seen, set] = useState(() => document.visibilityState === "visible");
  useEffect(() => {
    const changed = (): void => set(document.visibilityState === "visible");
    document.addEventListener("visibilitychange", changed);
    return () => document.removeEventListener("visibilitychange", changed);
  }, []);
  return seen;
}
