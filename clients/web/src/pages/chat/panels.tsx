import { useQuery } from "@tanstack/react-query";
import { useMemo, useState, type FormEvent, type ReactNode } from "react";
import { useSession } from "../../session";
import { next, shown, type Message, type Shown } from "../../state/messages";
import { texts } from "../../texts";
import { Button, Fault, Field, FIELD } from "../../ui/controls";
import { Composer } from "./composer";
import { Item } from "./message";

const WORDS_MAX = 200;

/** Something beside the messages of a room, with a heading and a way to close it. */
export function Panel({ title, close, closed, className = "", children }: {
  title: string;
  close: string | null;
  closed: () => void;
  className?: string;
  children: ReactNode;
}): ReactNode {
  return (
    <section aria-label={title} className={`min-h-0 flex-col gap-3 overflow-y-auto rounded-xl bg-white p-3 shadow-sm dark:bg-slate-900 ${className}`}>
      <div className="flex items-center justify-between gap-2">
        <h2 className="font-semibold">{title}</h2>
        {close === null ? null : (
          <button
            type="button"
            aria-label={close}
            onClick={closed}
            className="inline-flex size-9 items-center justify-center rounded-lg text-xl hover:bg-slate-200 dark:hover:bg-slate-800"
          >
            <span aria-hidden>×</span>
          </button>
        )}
      </div>
      {children}
    </section>
  );
}

/** A thread: what the room's page has of it, and what is older. */
export function Thread({ room, root, here, people, send }: {
  room: string;
  root: string;
  here: readonly Shown[];
  people: readonly string[];
  send: (text: string) => boolean;
}): ReactNode {
  const { chat, user } = useSession();
  const { data, error, isLoading } = useQuery({
    queryKey: ["chat", "thread", room, root],
    queryFn: async () => {
      const { messages } = await chat.thread({ room, id: root });
      return Array.isArray(messages) ? messages : [];
    },
    staleTime: 0,
  });
  const all = useMemo(() => threadOf(data ?? [], here, root, user), [data, here, root, user]);
  const words = texts.chat.thread;
  return (
    <>
      {error ? <Fault>{words.failed(error.message)}</Fault> : isLoading && all.length === 0 ? <p className="text-sm">{words.loading}</p> : null}
      <ol aria-label={words.list} className="flex flex-col">
        {all.map(({ message, entry }) => (
          <Item key={message.place} message={message} entry={entry} number={0} me={user} doing={null} />
        ))}
      </ol>
      <Composer
        id="reply"
        label={words.label}
        button={words.button}
        draft={`${user}.thread.${room}.${root}`}
        people={people}
        send={send}
        narrow
        focused
      />
    </>
  );
}

function threadOf(found: readonly unknown[], here: readonly Shown[], root: string, me: string): readonly Shown[] {
  const mine = here.filter(({ message: { id, thread } }) => id === root || thread === root);
  const newer = new Map(mine.map((each) => [each.message.place, each]));
  const older = next([], { kind: "loaded", messages: found }).filter(({ id, thread }) => id === root || thread === root);
  const known = new Set(mine.map(({ message }) => message.id));
  return [...shown(older.filter(({ id }) => !known.has(id)), [], me), ...newer.values()].toSorted((a, b) => order(a.message) - order(b.message));
}

function order({ id }: Message): number {
  return id === "" ? Number.POSITIVE_INFINITY : Number(id);
}

/** Messages of the room that have some words. */
export function Search({ room }: { room: string }): ReactNode {
  const { chat, user } = useSession();
  const [typed, setTyped] = useState("");
  const [{ text, times }, ask] = useState({ text: "", times: 0 });
  const { data, error, isFetching } = useQuery({
    queryKey: ["chat", "search", room, text, times],
    queryFn: async () => {
      const { messages } = await chat.search({ room, text, limit: 50 });
      return next([], { kind: "loaded", messages: Array.isArray(messages) ? messages : [] }).toReversed();
    },
    enabled: text !== "",
    staleTime: 0,
    retry: false,
  });
  const words = texts.chat.search;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    ask({ text: typed.trim(), times: times + 1 });
  };
  return (
    <>
      <form role="search" onSubmit={submit} className="flex items-end gap-2">
        <Field id="search" label={words.label}>
          <input id="search" type="search" dir="auto" className={FIELD} value={typed} maxLength={WORDS_MAX} onChange={(event) => setTyped(event.target.value)} />
        </Field>
        <Button type="submit" kind="quiet">
          {words.button}
        </Button>
      </form>
      {error ? <Fault>{words.failed(error.message)}</Fault> : null}
      <p role="status" className="text-sm empty:hidden">
        {isFetching ? words.searching : data?.length === 0 && !error ? words.nothing : ""}
      </p>
      <ol aria-label={words.results} className="flex flex-col">
        {(data ?? []).map((message) => (
          <Item key={message.place} message={message} entry={null} number={0} me={user} doing={null} />
        ))}
      </ol>
    </>
  );
}
