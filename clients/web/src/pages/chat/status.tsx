import type { ChannelStatus } from "@causeway/react";
import { useEffect, useState, type ReactNode } from "react";
import { texts } from "../../texts";

const SHOWN_MS = 60_000;

/** How the room's channel stands, where that is worth a word: catching up, and for a minute how that ended. */
export function RoomStatus({ status: { state, caughtUp } }: { status: ChannelStatus }): ReactNode {
  const [old, setOld] = useState<typeof caughtUp>(null);
  useEffect(() => {
    const timer = setTimeout(() => setOld(caughtUp), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [caughtUp]);
  const words = texts.chat.status;
  const ended = caughtUp === null || caughtUp === old ? "" : caughtUp.how === "recovered" ? words.caughtUp(caughtUp.count) : words.reloaded;
  const text = state === "reconnecting" ? words.reconnecting : state === "live" ? ended : state === "subscribing" ? words.loading : "";
  return (
    <p role="status" aria-label={words.label} className="text-sm text-slate-700 dark:text-slate-300">
      {text}
    </p>
  );
}
