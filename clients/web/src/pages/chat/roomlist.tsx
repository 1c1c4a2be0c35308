import { useChannel, useRpc } from "@causeway/react";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent, type ReactNode } from "react";
import { useSession } from "../../session";
import { useDraft } from "../../state/drafts";
import { texts } from "../../texts";
import { Button, Fault, Field, FIELD } from "../../ui/controls";
import type { Rooms } from "./rooms";

const NAME_MAX = 200;
const WATCHED_MAX = 30;

/** One's rooms with what is unread, invitations, and a way to make a new room. */
export function RoomList({ current, rooms }: { current: string; rooms: Rooms }): ReactNode {
  const words = texts.chat.rooms;
  return (
    <div className="flex flex-col gap-4">
      {rooms.error ? <Fault>{words.failed(rooms.error.message)}</Fault> : rooms.known ? null : <p className="text-sm">{words.unknown}</p>}
      <ul aria-label={words.title} className="flex flex-col gap-1">
        {rooms.rooms.map(({ room, name, unread, mentioned }) => (
          <li key={room}>
            <Link
              aria-label={words.named(titled(room, name, rooms))}
              aria-describedby={`new-${room}`}
              to="/chat/$room"
              params={{ room }}
              className="flex min-h-11 items-center gap-2 rounded-lg px-3 hover:bg-slate-200 aria-[current=page]:bg-indigo-100 aria-[current=page]:font-semibold dark:hover:bg-slate-800 dark:aria-[current=page]:bg-indigo-950"
            >
              <bdi className="min-w-0 flex-1 truncate">{titled(room, name, rooms)}</bdi>
              {mentioned ? <span className="font-bold text-amber-800 dark:text-amber-300">@</span> : null}
              {unread === 0 || room === current ? null : (
                <span className="rounded-full bg-indigo-700 px-2 text-sm font-semibold text-white tabular-nums dark:bg-indigo-300 dark:text-slate-950">
                  {unread > 999 ? "999+" : unread}
                </span>
              )}
            </Link>
            <span id={`new-${room}`} hidden>
              {words.news(room === current ? 0 : unread, mentioned)}
            </span>
          </li>
        ))}
      </ul>
      {rooms.invitations.length === 0 ? null : <Invitations rooms={rooms} />}
      <NewRoom rooms={rooms} />
      {rooms.rooms
        .filter(({ room }) => room !== current)
        .slice(0, WATCHED_MAX)
        .map(({ room }) => (
          <Watch key={room} room={room} heard={rooms.heard} />
        ))}
    </div>
  );
}

/** A name that two rooms have says which is which. */
function titled(room: string, name: string, { rooms }: Rooms): string {
  return rooms.some((other) => other.name === name && other.room !== room) ? `${name} · ${room.slice(0, 4)}` : name;
}

function Watch({ room, heard }: { room: string; heard: Rooms["heard"] }): ReactNode {
  useChannel(`chat:${room}`, { onMessage: (data) => heard(room, data) });
  return null;
}

function Invitations({ rooms: { invitations, reload } }: { rooms: Rooms }): ReactNode {
  const { chat } = useSession();
  const navigate = useNavigate();
  const { call, pending, error } = useRpc(async (room: string) => {
    await chat.join({ room });
    reload();
    await navigate({ to: "/chat/$room", params: { room } });
  });
  return (
    <section aria-label={texts.chat.rooms.invitations} className="flex flex-col gap-2">
      <h3 className="text-sm font-semibold">{texts.chat.rooms.invitations}</h3>
      {invitations.map(({ room, name }) => (
        <Button key={room} kind="quiet" disabled={pending} className="wrap-anywhere" onClick={() => void call(room).catch(() => undefined)}>
          {texts.chat.rooms.accept(name)}
        </Button>
      ))}
      {error ? <Fault>{texts.chat.joinFailed(error.message)}</Fault> : null}
    </section>
  );
}

function NewRoom({ rooms: { reload } }: { rooms: Rooms }): ReactNode {
  const { chat, user } = useSession();
  const navigate = useNavigate();
  const words = texts.chat.rooms;
  const [name, setName] = useDraft(`${user}.newroom`);
  const [closed, setClosed] = useState(false);
  const [empty, setEmpty] = useState(false);
  const { call, pending, error } = useRpc(async () => {
    const { room } = await chat.createRoom({ name: name.trim(), private: closed });
    setName("");
    reload();
    await navigate({ to: "/chat/$room", params: { room } });
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setEmpty(name.trim() === "");
    if (name.trim() !== "") {
      call(undefined).catch(() => undefined); // told by `error`; the name stays
    }
  };
  const fault = empty ? words.noName : error ? words.createFailed(error.message) : null;
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-2 border-t border-slate-300 pt-3 dark:border-slate-700">
      <Field id="newroom" label={words.name}>
        <input
          id="newroom"
          dir="auto"
          className={FIELD}
          value={name}
          maxLength={NAME_MAX}
          aria-invalid={fault !== null}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      <label className="flex min-h-8 items-center gap-2 text-sm">
        <input type="checkbox" className="size-5 accent-indigo-700" checked={closed} onChange={(event) => setClosed(event.target.checked)} />
        {words.private}
      </label>
      {fault === null ? null : <Fault>{fault}</Fault>}
      <Button type="submit" kind="quiet" disabled={pending}>
        {words.create}
      </Button>
    </form>
  );
}
