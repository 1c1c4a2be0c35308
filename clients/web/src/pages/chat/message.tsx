import type { Entry } from "@causeway/react";
import { memo, type ReactNode } from "react";
import { pieces } from "../../state/mentions";
import type { Act, Message } from "../../state/messages";
import { texts } from "../../texts";
import { Avatar, Button, Fault } from "../../ui/controls";
import { Editor } from "./editor";

/** What one may do about a message. The functions stay the same from render to render. */
export interface Doing {
  room: string;
  reply: (message: Message) => void;
  edit: (id: string) => void;
  save: (id: string, text: string) => void;
  cancelEdit: () => void;
  takeBack: (id: string) => void;
  retry: (key: string) => void;
  discard: (key: string) => void;
}

/** A message as one item of a list. `number` counts those that are not sent yet, from 1; `doing` is null where it is only shown. */
export interface ItemProps {
  message: Message;
  entry: Entry<Act> | null;
  number: number;
  me: string;
  leads?: boolean;
  continued?: boolean;
  firstUnread?: boolean;
  answers?: number;
  quoted?: Message | null;
  editing?: boolean;
  /** Its buttons are in the order of the Tab key. */
  current?: boolean;
  /** It was tapped: its buttons show where there is no pointer that hovers. */
  picked?: boolean;
  doing: Doing | null;
}

/** One message. It is rendered again where something of it has changed. */
export const Item = memo(function Item(props: ItemProps): ReactNode {
  const { message, entry, me, continued = false, firstUnread = false, quoted = null, editing = false, picked = false, doing } = props;
  const { user, text, deleted, strange, id } = message;
  const named = !deleted && user !== me && pieces(text).some((piece) => piece.user === me);
  const unsent = entry !== null && entry.state !== "refused" && id === "";
  return (
    <li
      data-message={id}
      data-picked={picked || undefined}
      className={`group relative flex flex-wrap gap-x-3 rounded-lg px-2 py-0.5 ${
        named ? "bg-amber-100 dark:bg-amber-900/40" : "hover:bg-slate-100 dark:hover:bg-slate-800/60"
      } ${continued ? "" : "mt-3"}`}
    >
      {firstUnread ? <NewFromHere /> : null}
      <div className="w-9 shrink-0 pt-1">{continued ? null : <Avatar name={user} />}</div>
      <div className="min-w-0 flex-1">
        {continued ? null : <Head message={message} />}
        {named ? <p className="sr-only">{texts.chat.mentionsYou}</p> : null}
        {quoted ? (
          <p dir="auto" className="truncate border-s-2 border-slate-400 ps-2 text-sm text-slate-700 dark:text-slate-300">
            {texts.chat.inReply(quoted.user, quoted.deleted ? texts.chat.deleted : quoted.text.slice(0, 200))}
          </p>
        ) : null}
        {editing && doing ? (
          <Editor room={doing.room} message={message} save={doing.save} cancel={doing.cancelEdit} />
        ) : (
          <p dir="auto" className={`whitespace-pre-wrap wrap-anywhere ${deleted || strange ? "italic" : ""} ${unsent ? "text-slate-700 dark:text-slate-300" : ""}`}>
            {deleted ? texts.chat.deleted : strange ? texts.chat.unreadable : <Text text={text} me={me} />}
          </p>
        )}
        <Fate {...props} />
        <Answers {...props} />
      </div>
      <Actions {...props} />
    </li>
  );
});

function NewFromHere(): ReactNode {
  return (
    <p className="flex w-full items-center gap-2 text-xs font-bold text-indigo-800 after:h-px after:flex-1 after:bg-indigo-700 dark:text-indigo-300 dark:after:bg-indigo-400">
      {texts.chat.unread}
    </p>
  );
}

function Head({ message: { user, at, id } }: { message: Message }): ReactNode {
  return (
    <p className="flex flex-wrap items-baseline gap-x-2 text-sm text-slate-700 dark:text-slate-300">
      <bdi className="font-semibold wrap-anywhere text-slate-950 dark:text-slate-50">{user}</bdi>
      <time dateTime={at}>{clock(at)}</time>
      {id === "" ? null : <span className="text-xs tabular-nums">{texts.chat.number(id)}</span>}
    </p>
  );
}

function Text({ text, me }: { text: string; me: string }): ReactNode {
  if (!text.includes("@")) {
    return text;
  }
  return pieces(text).map((piece, index) =>
    piece.user === null ? (
      piece.text
    ) : (
      <strong key={index} className={piece.user === me ? "font-bold" : "font-semibold text-indigo-800 dark:text-indigo-300"}>
        {piece.text}
      </strong>
    ),
  );
}

/** What becomes of what one has written. */
function Fate({ message: { id, editedAt, deleted }, entry, number, doing }: ItemProps): ReactNode {
  if (entry === null) {
    return editedAt !== null && !deleted ? <Small>{texts.chat.edited}</Small> : null;
  }
  const words = texts.chat.outbox;
  if (entry.state !== "refused") {
    const busy = entry.data.do === "send" ? words.sending : words.saving;
    const how = entry.error ? words.again(entry.error.message) : entry.state === "sending" ? busy : words.waiting;
    return (
      <div className="flex flex-wrap items-center gap-x-2">
        <Small>{how}</Small>
        {entry.state === "waiting" && doing && id === "" ? (
          <Little name={words.discardNamed(number)} press={() => doing.discard(entry.key)}>
            {words.discard}
          </Little>
        ) : null}
      </div>
    );
  }
  const change = entry.data.do !== "send";
  const reason = entry.error?.message ?? "";
  return (
    <div className="my-1 flex flex-wrap items-center gap-2">
      <Fault>{change ? words.refusedEdit(reason) : words.refused(reason)}</Fault>
      {entry.data.do === "edit" ? (
        <p dir="auto" className="w-full border-s-2 border-red-700 ps-2 whitespace-pre-wrap wrap-anywhere">
          {entry.data.text}
        </p>
      ) : null}
      {doing === null ? null : (
        <>
          <Button kind="quiet" aria-label={change ? words.retryChange(id) : words.sendAgainNamed(number)} onClick={() => doing.retry(entry.key)}>
            {words.sendAgain}
          </Button>
          <Button kind="quiet" aria-label={change ? words.discardChange(id) : words.discardNamed(number)} onClick={() => doing.discard(entry.key)}>
            {words.discard}
          </Button>
        </>
      )}
    </div>
  );
}

function Answers({ message, answers = 0, current = false, doing }: ItemProps): ReactNode {
  if (answers === 0 || doing === null) {
    return null;
  }
  return (
    <Little tab={current} name={texts.chat.actions.answersNamed(answers, message.id)} press={() => doing.reply(message)}>
      {texts.chat.actions.answers(answers)}
    </Little>
  );
}

/** Seen where the pointer or the focus is. One message's are in the order of the Tab key, the arrow keys lead to the others. */
function Actions({ message, entry, me, leads = false, current = false, editing = false, doing }: ItemProps): ReactNode {
  const { id, user, deleted, strange } = message;
  if (doing === null || id === "" || deleted || strange || editing || (entry !== null && entry.state !== "refused")) {
    return null;
  }
  const words = texts.chat.actions;
  const own = user === me;
  return (
    <div className="pointer-events-none absolute -top-3 end-2 flex gap-1 rounded-lg border border-slate-400 bg-white px-1 opacity-0 group-hover:pointer-events-auto group-hover:opacity-100 group-has-[button:focus-visible]:pointer-events-auto group-has-[button:focus-visible]:opacity-100 dark:bg-slate-900 [@media(hover:none)]:group-data-picked:pointer-events-auto [@media(hover:none)]:group-data-picked:opacity-100">
      <Little tab={current} name={words.replyNamed(id)} press={() => doing.reply(message)}>
        {words.reply}
      </Little>
      {own ? (
        <Little tab={current} name={words.editNamed(id)} press={() => doing.edit(id)}>
          {words.edit}
        </Little>
      ) : null}
      {own || leads ? (
        <Little tab={current} name={words.takeBackNamed(id)} press={() => doing.takeBack(id)}>
          {words.takeBack}
        </Little>
      ) : null}
    </div>
  );
}

function Small({ children }: { children: ReactNode }): ReactNode {
  return <span className="text-xs text-slate-700 dark:text-slate-300">{children}</span>;
}

function Little({ name, press, tab = true, children }: { name: string; press: () => void; tab?: boolean; children: ReactNode }): ReactNode {
  return (
    <button
      type="button"
      aria-label={name}
      tabIndex={tab ? 0 : -1}
      onClick={press}
      className="min-h-7 rounded-md px-2 text-xs font-medium text-indigo-800 hover:bg-slate-200 dark:text-indigo-300 dark:hover:bg-slate-700"
    >
      {children}
    </button>
  );
}

const CLOCK = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hour12: false });

function clock(at: string): string {
  const moment = new Date(at);
  return Number.isNaN(moment.getTime()) ? "" : CLOCK.format(moment);
}
