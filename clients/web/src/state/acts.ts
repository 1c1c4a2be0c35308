import type { Chat } from "../api/chat";
import { KEPT, read, type Act } from "./messages";

const PAGES_MAX = 50;

/** Does it, under its key where it needs one. Returns the number of its message. Throws what the app refuses it with, or an error to try again. */
export async function perform(chat: Pick<Chat, "send" | "edit" | "delete">, act: Act, key: string): Promise<string> {
  const { room } = act;
  switch (act.do) {
    case "send":
      return number(await chat.send({ room, text: act.text, key, ...(act.replyTo === null ? {} : { reply_to: act.replyTo }) }));
    case "edit":
      return number(await chat.edit({ room, id: act.id, text: act.text }));
    case "delete":
      return number(await chat.delete({ room, id: act.id }));
  }
}

/** One's message with this key: the server forgets keys after some minutes, the room's log does not. Edits and deletions may be done twice. */
export async function find(chat: Pick<Chat, "history">, user: string, act: Act, key: string): Promise<string | null> {
  if (act.do !== "send") {
    return null;
  }
  let before: string | null = null;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { messages } = await chat.history({ room: act.room, limit: KEPT, before });
    const found = messages.map(read).find((each) => each?.user === user && each.key === key);
    const oldest = messages[0]?.id;
    if (found || oldest === undefined || oldest === "1" || (act.after !== null && Number(oldest) <= Number(act.after))) {
      return found?.id ?? null;
    }
    before = oldest;
  }
  throw new Error("too much was said since to find out what became of it");
}

/** An answer that is none is as good as no answer. */
function number(answer: unknown): string {
  const { id } = (typeof answer === "object" && answer !== null ? answer : {}) as { id?: unknown };
  if (typeof id !== "string" || !/^[0-9]+$/.test(id)) {
    throw new Error("the server answered something that this page does not understand");
  }
  return id;
}
