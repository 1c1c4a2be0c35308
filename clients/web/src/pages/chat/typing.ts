import { useChannel } from "@causeway/react";
import { useCallback, useEffect, useRef, useState } from "react";
import { useSession } from "../../session";

const TOLD_EVERY_MS = 2500;
const FORGOTTEN_MS = 6000;

/** Who else types in the room, by name; and `tell`, to be called with what happens in one's own text box. */
export function useTyping(room: string | null): { names: readonly string[]; tell: (typing: boolean) => void } {
  const { user } = useSession();
  const [names, set] = useState<readonly string[]>([]);
  const timers = useRef(new Map<string, ReturnType<typeof setTimeout>>());
  const toldAt = useRef(0);
  const typedAt = useRef(0);
  const stopped = useCallback((who: string) => {
    clearTimeout(timers.current.get(who));
    timers.current.delete(who);
    set([...timers.current.keys()]);
  }, []);
  const heard = (data: unknown): void => {
    const { user: who, typing } = (typeof data === "object" && data !== null ? data : {}) as { user?: unknown; typing?: unknown };
    if (typeof who !== "string" || who === user) {
      return;
    }
    stopped(who);
    if (typing === true) {
      // Who is cut off while typing does not type for ever.
      timers.current.set(who, setTimeout(() => stopped(who), FORGOTTEN_MS));
      set([...timers.current.keys()]);
    }
  };
  const { publish, state } = useChannel<unknown, { typing: boolean }>(room === null ? null : `chat_typing:${room}`, { onMessage: heard });
  useEffect(() => {
    const running = timers.current;
    return () => {
      running.forEach((timer) => clearTimeout(timer));
      running.clear();
    };
  }, []);
  const tell = useCallback(
    (typing: boolean) => {
      const now = Date.now();
      typedAt.current = typing ? now : 0;
      if (state !== "live" || (typing ? now - toldAt.current < TOLD_EVERY_MS : toldAt.current === 0)) {
        return;
      }
      toldAt.current = typing ? now : 0;
      // Nobody waits for it, and the next key tells it again.
      publish({ typing }).catch(() => undefined);
    },
    [publish, state],
  );
  useEffect(() => {
    if (state === "live" && Date.now() - typedAt.current < FORGOTTEN_MS) {
      tell(true); // typed while nobody could be told
    }
  }, [state, tell]);
  return { names, tell };
}
