/** The messages of a channel's stream as lines of the tail. Pure. */

import type { TailMessage } from "../contract";
import type { TailLine } from "./tail";

const CHARACTERS = 4000;

/** Lines of messages; `key` is the first line's. A sign of life is none. */
export function linesOf(messages: readonly TailMessage[], key: number, now: number): TailLine[] {
  return messages.flatMap((message) => lineOf(message, now)).map((line, number) => ({ ...line, key: key + number }));
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
