import { usePresence, useRpc } from "@causeway/react";
import { useState, type FormEvent, type ReactNode } from "react";
import { useSession } from "../../session";
import { texts } from "../../texts";
import { Avatar, Button, Fault, Field, FIELD } from "../../ui/controls";

const USER_MAX = 100;

/** Who is in the room now, and whom one lets in. */
export function People({ room, left }: { room: string; left: (() => void) | null }): ReactNode {
  const { user: me } = useSession();
  const { members, known } = usePresence(`chat:${room}`);
  const words = texts.chat.people;
  return (
    <div className="flex flex-col gap-4">
      {known ? null : <p className="text-sm">{words.unknown}</p>}
      <ul aria-label={words.title} className="flex flex-col gap-2">
        {members.map(({ user }) => (
          <li key={user} className="flex min-w-0 items-center gap-2">
            <span className="relative">
              <Avatar name={user} />
              <span
                aria-hidden
                className={`absolute end-0 bottom-0 size-2.5 rounded-full border-2 border-white dark:border-slate-900 ${known ? "bg-emerald-600" : "bg-slate-400"}`}
              />
            </span>
            <bdi className="truncate">{user}</bdi>
            {user === me ? <span className="text-xs text-slate-700 dark:text-slate-300">{words.you}</span> : null}
          </li>
        ))}
      </ul>
      <Invite room={room} />
      {left === null ? null : <Leave room={room} left={left} />}
    </div>
  );
}

function Invite({ room }: { room: string }): ReactNode {
  const { chat } = useSession();
  const [name, setName] = useState("");
  const { call, pending, error, answer } = useRpc(async (user: string) => {
    await chat.invite({ room, user });
    return user;
  });
  const words = texts.chat.people;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const user = name.trim();
    if (user !== "") {
      // Told by `error`; the name stays.
      call(user).then(() => setName(""), () => undefined);
    }
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-2">
      <Field id="invite" label={words.invite}>
        <input id="invite" dir="auto" className={FIELD} value={name} maxLength={USER_MAX} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Button type="submit" kind="quiet" disabled={pending}>
        {words.inviteButton}
      </Button>
      {error ? <Fault>{words.inviteFailed(error.message)}</Fault> : null}
      <p role="status" className="text-sm wrap-anywhere empty:hidden">
        {answer !== null && !error ? words.invited(answer) : ""}
      </p>
    </form>
  );
}

function Leave({ room, left }: { room: string; left: () => void }): ReactNode {
  const { chat } = useSession();
  const { call, pending, error } = useRpc(() => chat.leave({ room }));
  return (
    <div className="flex flex-col gap-2">
      <Button
        kind="quiet"
        disabled={pending}
        onClick={() => {
          call(undefined).then(left, () => undefined); // told by `error`
        }}
      >
        {texts.chat.people.leave}
      </Button>
      {error ? <Fault>{texts.chat.people.leaveFailed(error.message)}</Fault> : null}
    </div>
  );
}
