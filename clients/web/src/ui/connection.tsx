import { useConnection, type CaughtUp } from "@causeway/react";
import type { ReactNode } from "react";
import { texts } from "../texts";

const COLOURS = {
  connected: "bg-emerald-600",
  connecting: "bg-amber-500",
  reconnecting: "bg-amber-500",
  disconnected: "bg-red-600",
};

/** How the connection stands, in a quiet line. */
export function ConnectionState(): ReactNode {
  const { state: told, reason } = useConnection();
  const state = told === "disconnected" && reason === undefined ? "connecting" : told; // it has not begun yet
  // On a phone the dot says it, also while the page opens: nothing moves then. What is not well has a line of its own.
  const calm = state === "connected" || state === "connecting";
  const text = state === "disconnected" ? texts.connection.disconnected(reason ?? "") : texts.connection[state];
  return (
    <p role="status" aria-label={texts.connection.label} className={`flex items-center gap-2 text-sm sm:ms-auto ${calm ? "" : "max-sm:order-last max-sm:basis-full max-sm:pb-1"}`}>
      <span aria-hidden className={`size-2.5 shrink-0 rounded-full ${COLOURS[state]}`} />
      <span className={calm ? "sr-only sm:not-sr-only" : ""}>{text}</span>
    </p>
  );
}

/** How the last interruption of a channel ended. */
export function CaughtUpNote({ caughtUp }: { caughtUp: CaughtUp | null }): ReactNode {
  if (caughtUp === null) {
    return null;
  }
  const text = caughtUp.how === "recovered" ? texts.connection.recovered(caughtUp.count) : texts.connection.reloaded;
  return <p className="text-sm text-slate-700 dark:text-slate-300">{text}</p>;
}
