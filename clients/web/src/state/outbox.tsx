import { useOutbox, type Entry, type Outbox } from "@causeway/react";
import { createContext, useContext, useEffect, useMemo, useRef, type ReactNode } from "react";
import type { Chat } from "../api/chat";
import { useSession } from "../session";
import { KEPT, read, type Act } from "./messages";

/** Called with every act that was answered, and the number of its message. */
type Done = (entry: Entry<Act>, id: string) => void;

interface Outgoing extends Outbox<Act> {
  /** Hear of every answer, until the function that is returned is called. */
  onDone: (done: Done) => () => void;
}

const Context = createContext<Outgoing | null>(null);
const PAGES_MAX = 50;

/** What one has written in any room and what is not answered yet: goes on below, whichever page is open. */
export function ChatOutbox({ children }: { children: ReactNode }): ReactNode {
  const { chat, user } = useSession();
  const listeners = useRef(new Set<Done>());
  const outbox = useOutbox<Act, string>({
    name: `chat.${user}`,
    lane: ({ room }) => room,
    send: (act, key) => perform(chat, act, key),
    find: ({ data, key }) => find(chat, user, data, key),
    done: (entry, id) => listeners.current.forEach((listener) => listener(entry, id)),
  });
  const value = useMemo(() => {
    const onDone = (done: Done): (() => void) => {
      listeners.current.add(done);
      return () => void listeners.current.delete(done);
    };
    return { ...outbox, onDone };
  }, [outbox]);
  return <Context value={value}>{children}</Context>;
}

/** The entries of a room. `done` is called with every answer. */
export function useOutgoing(room: string, done: Done): Outbox<Act> {
  const outgoing = useContext(Context);
  if (outgoing === null) {
    throw new Error("there is no ChatOutbox above this component");
  }
  const latest = useRef(done);
  useEffect(() => {
    latest.current = done;
  });
  const { onDone } = outgoing;
  useEffect(() => onDone((entry, id) => (entry.data.room === room ? latest.current(entry, id) : undefined)), [onDone, room]);
  const entries = useMemo(() => outgoing.entries.filter((each) => each.data.room === room), [outgoing.entries, room]);
  return useMemo(() => ({ ...outgoing, entries }), [outgoing, entries]);
}

async function perform(chat: Chat, act: Act, key: string): Promise<string> {
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
async function find(chat: Chat, user: string, act: Act, key: string): Promise<string | null> {
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
