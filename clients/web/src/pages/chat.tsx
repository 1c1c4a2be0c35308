import { useChannel, usePresence } from "@causeway/react";
import { useCallback, useEffect, useReducer, useRef, useState, type FormEvent, type KeyboardEvent, type ReactNode } from "react";
import { ChatError } from "../api/chat";
import { useSession } from "../session";
import { KEPT, next, type Shown } from "../state/messages";
import { texts } from "../texts";
import { CaughtUpNote } from "../ui/connection";
import { Avatar, Button, Fault, Field, FIELD } from "../ui/controls";

const TEXT_MAX = 4000;

/** A room: its messages, who is there, and what one writes. */
export function ChatPage({ room }: { room: string }): ReactNode {
  const { messages, status, loading, fault, load, send, discard } = useRoom(room);
  return (
    <div className="mx-auto flex h-full w-full max-w-5xl flex-col gap-3 p-4 md:flex-row">
      <section aria-labelledby="room" className="flex min-h-0 min-w-0 flex-1 flex-col gap-3">
        <div className="flex flex-wrap items-baseline justify-between gap-x-4">
          <h1 id="room" className="text-2xl font-bold wrap-anywhere">
            {texts.chat.title(room)}
          </h1>
          <CaughtUpNote caughtUp={status.caughtUp} />
        </div>
        {status.state === "refused" ? <Fault>{texts.chat.refused(status.error?.message ?? "")}</Fault> : null}
        {fault === null ? null : (
          <div className="flex flex-wrap items-center gap-3">
            <Fault>{texts.chat.failedToLoad(fault)}</Fault>
            <Button kind="quiet" onClick={load}>
              {texts.chat.tryAgain}
            </Button>
          </div>
        )}
        <Messages messages={messages} loading={loading} send={send} discard={discard} />
        <Composer send={send} />
      </section>
      <People room={room} />
    </div>
  );
}

function useRoom(room: string) {
  const { chat, user } = useSession();
  const [messages, dispatch] = useReducer(next, []);
  const [loading, setLoading] = useState(true);
  const [fault, setFault] = useState<string | null>(null);
  const status = useChannel(`chat:${room}`, { joinLeave: true, onMessage: (data) => dispatch({ kind: "published", data }) });
  const load = useCallback(() => {
    setFault(null);
    chat
      .history({ room, limit: KEPT })
      .then(({ messages: found }) => dispatch({ kind: "loaded", messages: found }))
      .catch((error: unknown) => setFault(reasonOf(error)))
      .finally(() => setLoading(false));
  }, [chat, room]);
  const { state, caughtUp } = status;
  // What is live from now on comes by itself; what was before is loaded once, and again where something is missing.
  const missing = state === "live" && (caughtUp === null || caughtUp.how !== "recovered") ? (caughtUp ?? "at first") : null;
  useEffect(() => {
    if (missing !== null) {
      load();
    }
  }, [missing, load]);
  const send = useCallback(
    (text: string) => {
      const key = crypto.getRandomValues(new Uint32Array(3)).join("-");
      dispatch({ kind: "written", key, user, text, at: new Date().toISOString() });
      chat
        .send({ room, text })
        .then(({ id }) => dispatch({ kind: "accepted", key, id }))
        .catch((error: unknown) => dispatch({ kind: "failed", key, failure: failureOf(error) }));
    },
    [chat, room, user],
  );
  const discard = useCallback((key: string) => dispatch({ kind: "discarded", key }), []);
  return { messages, status, loading, fault, load, send, discard };
}

function Messages({
  messages,
  loading,
  send,
  discard,
}: {
  messages: readonly Shown[];
  loading: boolean;
  send: (text: string) => void;
  discard: (key: string) => void;
}): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const top = useRef(0);
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    // New messages, a composer that grows, a window that turns: who reads the end stays at the end.
    const observer = new ResizeObserver(() => {
      if (follows.current && box.current) {
        box.current.scrollTop = box.current.scrollHeight;
      }
    });
    observer.observe(box.current!);
    observer.observe(list.current!);
    return () => observer.disconnect();
  }, []);
  const scrolled = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    const atTheEnd = scrollHeight - scrollTop - clientHeight < 60;
    // The event of our own scrolling may come when the list has grown again: only who goes up leaves the end.
    follows.current = atTheEnd || (follows.current && scrollTop >= top.current);
    top.current = scrollTop;
  };
  const note = loading ? texts.chat.loading : messages.length === 0 ? texts.chat.empty : null;
  return (
    <div
      ref={box}
      onScroll={scrolled}
      tabIndex={0}
      role="log"
      aria-labelledby="room"
      className="min-h-48 flex-1 overflow-y-auto rounded-xl bg-white p-3 shadow-sm dark:bg-slate-900"
    >
      {note === null ? null : <p className="text-slate-700 dark:text-slate-300">{note}</p>}
      <ol ref={list} aria-label={texts.chat.list} className="flex flex-col gap-3">
        {messages.map((message) => (
          <Message key={message.key} message={message} send={send} discard={discard} />
        ))}
      </ol>
    </div>
  );
}

function Message({ message, send, discard }: { message: Shown; send: (text: string) => void; discard: (key: string) => void }): ReactNode {
  const { user, text, at, state, deleted, editedAt, failure, key } = message;
  const note = state === "sending" ? texts.chat.sending : editedAt && !deleted ? texts.chat.edited : null;
  return (
    <li className="flex gap-3">
      <Avatar name={user} />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-baseline gap-x-2 text-sm text-slate-700 dark:text-slate-300">
          <bdi className="font-semibold wrap-anywhere text-slate-950 dark:text-slate-50">{user}</bdi>
          <time dateTime={at}>{clock(at)}</time>
          {note === null ? null : <span>{note}</span>}
        </p>
        <p dir="auto" className={`whitespace-pre-wrap wrap-anywhere ${deleted ? "italic" : ""}`}>
          {deleted ? texts.chat.deleted : text}
        </p>
        {state === "failed" ? (
          <div className="mt-1 flex flex-wrap items-center gap-2">
            <Fault>{failure}</Fault>
            <Button
              kind="quiet"
              onClick={() => {
                discard(key);
                send(text);
              }}
            >
              {texts.chat.sendAgain}
            </Button>
            <Button kind="quiet" onClick={() => discard(key)}>
              {texts.chat.discard}
            </Button>
          </div>
        ) : null}
      </div>
    </li>
  );
}

function Composer({ send }: { send: (text: string) => void }): ReactNode {
  const [text, setText] = useState("");
  const length = [...text].length;
  const tooLong = length > TEXT_MAX;
  const submit = (): void => {
    if (text.trim() !== "" && !tooLong) {
      send(text);
      setText("");
    }
  };
  const pressed = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      submit();
    }
  };
  return (
    <form
      className="flex flex-col gap-2"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        submit();
      }}
    >
      {tooLong ? <Fault id="message-fault">{texts.chat.tooLong(length, TEXT_MAX)}</Fault> : null}
      <div className="flex items-end gap-2">
        <Field id="message" label={texts.chat.label}>
          <textarea
            id="message"
            rows={1}
            dir="auto"
            className={`${FIELD} field-sizing-content max-h-40 resize-none`}
            value={text}
            aria-invalid={tooLong}
            aria-describedby={tooLong ? "message-fault" : undefined}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={pressed}
          />
        </Field>
        <Button type="submit">{texts.chat.button}</Button>
      </div>
    </form>
  );
}

function People({ room }: { room: string }): ReactNode {
  const { members, known } = usePresence(`chat:${room}`);
  return (
    <aside aria-labelledby="people" className="flex max-h-32 shrink-0 flex-col gap-2 overflow-y-auto md:max-h-none md:w-52">
      <h2 id="people" className="font-semibold">
        {texts.chat.people}
      </h2>
      {known ? null : <p className="text-sm">{texts.chat.peopleUnknown}</p>}
      <ul aria-labelledby="people" className="flex flex-wrap gap-2 md:flex-col">
        {members.map(({ user }) => (
          <li key={user} className="flex min-w-0 items-center gap-2">
            <Avatar name={user} />
            <bdi className="truncate">{user}</bdi>
          </li>
        ))}
      </ul>
    </aside>
  );
}

function clock(at: string): string {
  const moment = new Date(at);
  return Number.isNaN(moment.getTime()) ? "" : moment.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hour12: false });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A refusal of the app is one; where no answer came nobody knows. */
function failureOf(error: unknown): string {
  return error instanceof ChatError && error.code >= 100 ? texts.chat.notSent(error.message) : texts.chat.maybeSent;
}
