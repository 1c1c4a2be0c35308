import { useConnection } from "@causeway/react";
import { useId, useRef, useState, type FormEvent, type KeyboardEvent, type ReactNode } from "react";
import { useDraft } from "../../state/drafts";
import { begun, completed, suggestions } from "../../state/mentions";
import { texts } from "../../texts";
import { Button, Fault, Field, FIELD } from "../../ui/controls";

const TEXT_MAX = 4000;

/** Why a text cannot be sent as it is; null where it can. The app counts code points, as here. */
export function tooLong(text: string): string | null {
  const length = text.length > TEXT_MAX ? [...text].length : 0;
  return length > TEXT_MAX ? texts.chat.outbox.tooLong(length, TEXT_MAX) : null;
}

export interface ComposerProps {
  id: string;
  label: string;
  button: string;
  /** Whose draft it is, and where: it stays while the component does. */
  draft: string;
  /** Who may be mentioned. */
  people: readonly string[];
  /** Takes the text; false: it cannot, and the text stays. */
  send: (text: string) => boolean;
  typed?: (typing: boolean) => void;
  /** The button below the text, where there is little room. */
  narrow?: boolean;
  /** Whether one begins to write at once. */
  focused?: boolean;
}

/** Where one writes. What is typed stays until it was taken, over a reload, another room and every refusal. */
export function Composer({ id, label, button, draft, people, send, typed, narrow = false, focused = false }: ComposerProps): ReactNode {
  const [text, setText] = useDraft(draft);
  const [full, setFull] = useState(false);
  const [caret, setCaret] = useState<number | null>(null);
  const [chosen, setChosen] = useState(0);
  const box = useRef<HTMLTextAreaElement>(null);
  const list = useId();
  const fault = tooLong(text) ?? (full ? texts.chat.outbox.full : null);
  const start = caret === null ? null : begun(text, caret);
  const found = start === null ? [] : suggestions(people, start);
  const active = found[Math.min(chosen, found.length - 1)];
  const submit = (event?: FormEvent): void => {
    event?.preventDefault();
    if (text.trim() === "" || tooLong(text) !== null) {
      return;
    }
    const taken = send(text);
    setFull(!taken);
    if (taken) {
      setText("");
      setCaret(null);
      typed?.(false);
    }
  };
  const complete = (user: string): void => {
    const done = completed(text, caret ?? text.length, user);
    setText(done.text);
    setCaret(null);
    requestAnimationFrame(() => {
      box.current?.focus();
      box.current?.setSelectionRange(done.caret, done.caret);
    });
  };
  const pressed = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) {
      return;
    }
    if (active !== undefined && ["ArrowDown", "ArrowUp", "Tab", "Enter", "Escape"].includes(event.key)) {
      event.preventDefault();
      if (event.key === "Escape") {
        setCaret(null);
      } else if (event.key === "Tab" || event.key === "Enter") {
        complete(active);
      } else {
        setChosen((chosen + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length);
      }
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    }
  };
  return (
    <form className="relative flex flex-col gap-2" onSubmit={submit}>
      {fault === null ? null : <Fault id={`${id}-fault`}>{fault}</Fault>}
      {active === undefined ? null : (
        <ul
          id={list}
          role="listbox"
          aria-label={texts.chat.mention.label}
          className="absolute bottom-full z-10 mb-1 w-64 overflow-hidden rounded-lg border border-slate-400 bg-white shadow-lg dark:bg-slate-900"
        >
          {found.map((user, index) => (
            <li
              key={user}
              id={`${list}-${index}`}
              role="option"
              aria-selected={user === active}
              onPointerDown={(event) => {
                event.preventDefault();
                complete(user);
              }}
              className="cursor-pointer truncate px-3 py-2 aria-selected:bg-indigo-100 dark:aria-selected:bg-indigo-900"
            >
              <bdi>@{user}</bdi>
            </li>
          ))}
        </ul>
      )}
      <div className={`flex gap-2 ${narrow ? "flex-col items-stretch" : "items-end"}`}>
        <Field id={id} label={label}>
          <textarea
            ref={box}
            id={id}
            autoFocus={focused}
            rows={1}
            dir="auto"
            className={`${FIELD} field-sizing-content max-h-40 resize-none`}
            value={text}
            aria-invalid={fault !== null}
            aria-describedby={fault === null ? undefined : `${id}-fault`}
            aria-autocomplete="list"
            aria-controls={active === undefined ? undefined : list}
            aria-activedescendant={active === undefined ? undefined : `${list}-${found.indexOf(active)}`}
            onChange={({ target }) => {
              setText(target.value);
              setCaret(target.selectionStart);
              setChosen(0);
              setFull(false);
              typed?.(target.value.trim() !== "");
            }}
            onBlur={() => setCaret(null)}
            onKeyDown={pressed}
          />
        </Field>
        <Button type="submit">{button}</Button>
      </div>
    </form>
  );
}

/** What one should know about the messages that one has written and that are not sent. */
export function Waiting({ count, kept }: { count: number; kept: boolean }): ReactNode {
  const { state } = useConnection();
  const words = texts.chat.outbox;
  const away = state === "reconnecting" || state === "disconnected";
  const told = [away ? words.away : "", away && count > 0 ? words.count(count) : "", !kept && count > 0 ? words.notKept : ""];
  return (
    <p role="status" aria-label={words.label} className="text-sm text-slate-800 empty:hidden dark:text-slate-200">
      {told.filter(Boolean).join(" ")}
    </p>
  );
}
