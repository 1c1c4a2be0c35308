/** The messages of a channel's stream as lines of the tail. Pure. */

import type { TailMessage } from "../contract";
import type { TailLine } from "./tail";

const CHARACTERS = 4000;

/** How far a channel was followed; offset 0: nothing is known yet. */
export interface Position {
  epoch: string;
  offset: number;
}

/** Before anything came. */
export const NOWHERE: Position = { epoch: "", offset: 0 };

/** Without what was shown before an interruption; what is missing after one is told as skipped. */
export function onward(position: Position, messages: readonly TailMessage[]): { position: Position; messages: TailMessage[] } {
  const fresh: TailMessage[] = [];
  let { epoch, offset } = position;
  for (const message of messages) {
    if (message.type === "begin" && message.epoch !== epoch) {
      ({ epoch } = message);
      offset = 0;
    }
    if (message.type === "publication" && message.offset > 0) {
      if (message.offset <= offset) {
        continue;
      }
      if (offset > 0 && message.offset > offset + 1) {
        fresh.push({ type: "skipped", count: message.offset - offset - 1 });
      }
      ({ offset } = message);
    }
    fresh.push(message);
  }
  return { position: { epoch, offset }, messages: fresh };
}

/** Lines of messages; `key` is the first line's. A sign of life is none, nor is a beginning that is not the `first`. */
export function linesOf(messages: readonly TailMessage[], key: number, now: number, first = true): TailLine[] {
  return messages
    .filter((message) => first || message.type !== "begin")
    .flatMap((message) => lineOf(message, now))
    .map((line, number) => ({ ...line, key: key + number }));
}

function lineOf(message: TailMessage, now: number): Omit<TailLine, "key">[] {
  switch (message.type) {
    case "publication": {
      const text = message.b64data || (JSON.stringify(message.data) ?? "");
      const cut = text.length > CHARACTERS ? `${text.slice(0, CHARACTERS)}…` : text;
      return [{ kind: "publication", at: message.time_ms || now, offset: message.offset, user: message.user, text: cut }];
    }
    case "join":
    case "leave":
      return [{ kind: message.type, at: now, offset: 0, user: message.user, text: message.client }];
    case "skipped":
      return [{ kind: "skipped", at: now, offset: 0, user: "", text: String(message.count) }];
    case "begin":
      return [{ kind: "begin", at: now, offset: message.offset, user: "", text: message.epoch }];
    default:
      return []; // a sign of life, the end, or something of a newer gateway
  }
}
