import { useOutbox, type Entry, type Outbox } from "@causeway/react";
import { createContext, useContext, useEffect, useMemo, useRef, type ReactNode } from "react";
import { useSession } from "../session";
import { find, perform } from "./acts";
import type { Act } from "./messages";

/** Called with every act that was answered, and the number of its message. */
type Done = (entry: Entry<Act>, id: string) => void;

interface Outgoing extends Outbox<Act> {
  /** Hear of every answer, until the function that is returned is called. */
  onDone: (done: Done) => () => void;
}

const Context = createContext<Outgoing | null>(null);

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
