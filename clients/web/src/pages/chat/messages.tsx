import { useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";
import { AT_THE_END, scrolled } from "../../state/follow";
import { answers, type Shown } from "../../state/messages";
import { texts } from "../../texts";
import { Button } from "../../ui/controls";
import { Item, type Doing } from "./message";
import type { Span } from "./reading";

const SAME_TURN_MS = 5 * 60_000;

export interface MessagesProps {
  shown: readonly Shown[];
  me: string;
  /** Whether one may take back what others wrote. */
  leads: boolean;
  /** Still loading: nothing of it is read out. */
  busy: boolean;
  note: string | null;
  /** The numbers of the first and the last message that were new when one came. */
  unread: Span | null;
  editing: string;
  doing: Doing;
  /** Called with whether the end is in view. */
  atTheEnd: (there: boolean) => void;
}

/** The messages of a room, the newest at the end. Who reads the end stays there; who reads further up stays where that is. */
export function Messages({ shown, me, leads, busy, note, unread, editing, doing, atTheEnd }: MessagesProps): ReactNode {
  const { box, list, away, onScroll, toTheEnd } = useFollowing(atTheEnd);
  const [picked, pick] = useState<string | null>(null);
  const counts = useMemo(() => answers(shown.map(({ message }) => message)), [shown]);
  const byId = useMemo(() => new Map(shown.map(({ message }) => [message.id, message])), [shown]);
  const current = picked !== null && byId.has(picked) ? picked : (shown.findLast(({ message }) => message.id !== "")?.message.id ?? null);
  const isUnread = ({ message: { id, user } }: Shown): boolean => unread !== null && user !== me && Number(id) >= unread.first && Number(id) <= unread.last;
  const firstUnread = shown.find(isUnread);
  const tapped = (event: PointerEvent): void => {
    const id = (event.target as Element).closest("li")?.dataset["message"];
    if (id) {
      pick(id);
    }
  };
  const pressed = (event: KeyboardEvent): void => {
    const way = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
    const item = (event.target as Element).closest("li");
    if (way === 0 || item === null || item.parentElement !== list.current) {
      return;
    }
    const withActions = [...list.current!.children].filter((each) => each.querySelector("button[tabindex]"));
    const there = withActions[withActions.indexOf(item) + way];
    if (there instanceof HTMLElement) {
      event.preventDefault();
      pick(there.dataset["message"] ?? null);
      there.querySelector<HTMLButtonElement>("button[tabindex]")?.focus();
    }
  };
  let unsent = 0;
  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      <div
        ref={box}
        onScroll={onScroll}
        onKeyDown={pressed}
        onPointerDown={tapped}
        tabIndex={0}
        role="log"
        aria-busy={busy}
        aria-labelledby="room"
        className={`min-h-32 flex-1 overflow-x-hidden overflow-y-auto rounded-xl bg-white p-2 shadow-sm dark:bg-slate-900 ${away ? "" : "[overflow-anchor:none]"}`}
      >
        {note === null ? null : <p className="mx-auto max-w-prose p-4 text-center whitespace-pre-line text-slate-700 dark:text-slate-300">{note}</p>}
        <ol ref={list} aria-label={texts.chat.list} className="flex flex-col pt-2">
          {shown.map(({ message, entry }, index) => (
            <Item
              key={message.place}
              message={message}
              entry={entry}
              number={message.id === "" ? ++unsent : 0}
              me={me}
              leads={leads}
              continued={continues(shown[index - 1], message.user, message.at) && firstUnread?.message !== message && message.replyTo === null}
              firstUnread={firstUnread?.message === message}
              answers={counts.get(message.id) ?? 0}
              quoted={message.replyTo === null ? null : (byId.get(message.replyTo) ?? null)}
              editing={editing !== "" && editing === message.id}
              current={message.id === current}
              picked={message.id !== "" && message.id === picked}
              doing={doing}
            />
          ))}
        </ol>
      </div>
      {away ? (
        <Button onClick={toTheEnd} className="absolute inset-x-0 bottom-3 mx-auto w-fit shadow-lg">
          {texts.chat.newest}
        </Button>
      ) : null}
    </div>
  );
}

/** Keeps a box at its end while its reader is there: new messages, a composer that grows, a window that turns. */
export function useFollowing(atTheEnd: (there: boolean) => void) {
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLOListElement>(null);
  const reader = useRef(AT_THE_END);
  const [away, setAway] = useState(false);
  const look = useCallback(() => {
    if (box.current === null) {
      return; // an event of a box that is gone
    }
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    reader.current = scrolled(reader.current, { scrollTop, scrollHeight, clientHeight });
    setAway(!reader.current.follows);
    atTheEnd(reader.current.follows);
  }, [atTheEnd]);
  const toTheEnd = useCallback(() => {
    reader.current = AT_THE_END;
    if (box.current !== null) {
      box.current.scrollTop = box.current.scrollHeight;
    }
    look();
  }, [look]);
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      if (reader.current.follows) {
        toTheEnd();
      }
    });
    observer.observe(box.current!);
    observer.observe(list.current!);
    return () => observer.disconnect();
  }, [toTheEnd]);
  return { box, list, away, onScroll: look, toTheEnd };
}

function continues(before: Shown | undefined, user: string, at: string): boolean {
  return before !== undefined && before.message.user === user && Date.parse(at) - Date.parse(before.message.at) < SAME_TURN_MS;
}
