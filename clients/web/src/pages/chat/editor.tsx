import { useEffect, useRef, type FormEvent, type KeyboardEvent, type ReactNode } from "react";
import { useSession } from "../../session";
import { useDraft } from "../../state/drafts";
import type { Message } from "../../state/messages";
import { texts } from "../../texts";
import { Button, Fault, FIELD } from "../../ui/controls";
import { tooLong } from "./composer";

/** The text of one's message, to be changed where it stands. What is typed outlives a reload. */
export function Editor({
  room,
  message: { id, text },
  save,
  cancel,
}: {
  room: string;
  message: Message;
  save: (id: string, text: string) => void;
  cancel: () => void;
}): ReactNode {
  const { user } = useSession();
  const [draft, setDraft] = useDraft(`${user}.edit.${room}.${id}`);
  const typed = draft === "" ? text : draft;
  const box = useRef<HTMLTextAreaElement>(null);
  const fault = tooLong(typed);
  useEffect(() => {
    const area = box.current!;
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  }, []);
  const submit = (event?: FormEvent): void => {
    event?.preventDefault();
    if (typed.trim() !== "" && fault === null) {
      setDraft("");
      save(id, typed);
    }
  };
  const pressed = (event: KeyboardEvent): void => {
    event.stopPropagation();
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      submit();
    }
    if (event.key === "Escape") {
      setDraft("");
      cancel();
    }
  };
  return (
    <form onSubmit={submit} className="my-1 flex flex-col gap-2">
      {fault === null ? null : <Fault>{fault}</Fault>}
      <textarea
        ref={box}
        dir="auto"
        rows={1}
        aria-label={texts.chat.actions.editLabel(id)}
        aria-invalid={fault !== null}
        className={`${FIELD} field-sizing-content max-h-40 resize-none`}
        value={typed}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={pressed}
      />
      <div className="flex gap-2">
        <Button type="submit">{texts.chat.actions.save}</Button>
        <Button
          kind="quiet"
          onClick={() => {
            setDraft("");
            cancel();
          }}
        >
          {texts.chat.actions.cancel}
        </Button>
      </div>
    </form>
  );
}
