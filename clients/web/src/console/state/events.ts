/** The events of the system as lines of a tail. Pure. */

import type { EventMessage } from "../contract";
import type { TailLine } from "./tail";

const TOLD = ["user", "client", "channel", "app", "operation", "record", "endpoint", "note"] as const;

/** Lines of those events that are newer than the `last` sequence; which the newest of them has. */
export function eventLines(messages: readonly EventMessage[], last: number, now: number): { lines: TailLine[]; last: number } {
  const lines: TailLine[] = [];
  let newest = last;
  for (const message of messages) {
    if (message.type === "skipped") {
      lines.push({ key: 0, kind: "skipped", at: now, offset: 0, user: "", text: String(message.count) });
    } else if (message.type === "event" && message.sequence > newest) {
      newest = message.sequence;
      const text = TOLD.flatMap((name) => (message[name] ? [`${name} ${message[name]}`] : [])).join(", ");
      lines.push({ key: 0, kind: "publication", at: message.time_ms || now, offset: message.sequence, user: message.event, text });
    }
  }
  return { lines, last: newest };
}
