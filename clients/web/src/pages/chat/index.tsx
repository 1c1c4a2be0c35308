import { useRpc } from "@causeway/react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useSession } from "../../session";
import { useDraft } from "../../state/drafts";
import { threadOf, type Message } from "../../state/messages";
import { texts } from "../../texts";
import { Button, Fault } from "../../ui/controls";
import { Composer, Waiting } from "./composer";
import type { Doing } from "./message";
import { Messages } from "./messages";
import { Panel, Search, Thread } from "./panels";
import { People } from "./people";
import { useReading } from "./reading";
import { useRoom, type RoomState } from "./room";
import { RoomList } from "./roomlist";
import { useRooms, type Rooms } from "./rooms";
import { RoomStatus } from "./status";
import { useTyping } from "./typing";

const LOBBY = "lobby";
const AGAIN_MS = 3000;
// A phone's keyboard comes when somebody taps, not before.
const HOVERS = window.matchMedia("(hover: hover)").matches;

type Side = { kind: "none" | "rooms" | "people" | "search" } | { kind: "thread"; root: string };

const NOTHING: Side = { kind: "none" };

/** Chat: one's rooms, and one of them with its messages, who is there, and what one writes. */
export function ChatPage({ room }: { room: string }): ReactNode {
  const rooms = useRooms(room);
  const [side, setSide] = useState<Side>(NOTHING);
  useEffect(() => setSide(NOTHING), [room]);
  return (
    <div className="mx-auto flex h-full w-full max-w-7xl flex-col gap-3 p-3 md:grid md:grid-cols-[14rem_minmax(0,1fr)] md:grid-rows-[auto_minmax(0,1fr)] md:p-4 lg:grid-cols-[14rem_minmax(0,1fr)_17rem] lg:grid-rows-1">
      <Panel
        title={texts.chat.rooms.title}
        close={null}
        closed={() => setSide(NOTHING)}
        className={`${side.kind === "rooms" ? "flex max-h-[50vh]" : "hidden"} shrink-0 md:row-span-2 md:flex md:max-h-none lg:row-span-1`}
      >
        <RoomList current={room} rooms={rooms} />
      </Panel>
      <Room key={room} room={room} rooms={rooms} side={side} setSide={setSide} />
    </div>
  );
}

function Room({ room, rooms, side, setSide }: { room: string; rooms: Rooms; side: Side; setSide: (side: Side) => void }): ReactNode {
  const { chat, user } = useSession();
  const state = useRoom(room);
  const navigate = useNavigate();
  const { data: view } = useQuery({
    queryKey: ["chat", "room", room, state.status.state === "live"],
    queryFn: () => chat.room({ room }),
    enabled: state.status.state === "live",
    placeholderData: (before) => before,
    refetchInterval: ({ state: { data } }) => (data === undefined ? AGAIN_MS : false),
  });
  const listed = rooms.rooms.find((each) => each.room === room);
  const name = texts.chat.title(room === LOBBY ? LOBBY : (view?.name ?? listed?.name ?? "…"));
  const leads = ["owner", "moderator"].includes(view?.roles?.[user] ?? "");
  const people = useMemo(() => (Array.isArray(view?.members) ? view.members.filter((each) => each !== user) : []), [view, user]);
  const { open } = state;
  const isListed = listed !== undefined;
  useEffect(() => {
    if (isListed) {
      open(); // one has joined just now, by an invitation or in another tab
    }
  }, [isListed, open]);
  const closePanel = (): void => setSide(NOTHING);
  const left = (): void => {
    rooms.reload();
    void navigate({ to: "/chat/$room", params: { room: LOBBY } });
  };
  return (
    <>
      <section aria-labelledby="room" className="flex min-h-0 min-w-0 flex-1 flex-col gap-2 md:col-start-2 md:row-start-2 lg:row-start-1">
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <h1 id="room" className="text-2xl font-bold wrap-anywhere">
            {name}
          </h1>
          <RoomStatus status={state.status} />
          <Toggles side={side} setSide={setSide} unread={rooms.rooms.some((each) => each.room !== room && each.unread > 0)} />
        </div>
        {state.closed ? <Closed room={room} state={state} reload={rooms.reload} /> : <Open {...{ room, rooms, state, people, leads, setSide }} />}
      </section>
      <div
        className={`min-h-0 flex-col max-lg:order-first md:col-start-2 md:row-start-1 lg:col-start-3 ${
          side.kind === "none" || side.kind === "rooms" ? "hidden lg:flex" : "flex max-h-[45vh] max-md:shrink-0 lg:max-h-none"
        }`}
      >
        {state.closed ? null : side.kind === "thread" ? (
          <Panel title={texts.chat.thread.title} close={texts.chat.thread.close} closed={closePanel} className="flex flex-1">
            <ThreadPanel room={room} root={side.root} state={state} people={people} key={side.root} />
          </Panel>
        ) : side.kind === "search" ? (
          <Panel title={texts.chat.search.title} close={texts.chat.search.close} closed={closePanel} className="flex flex-1">
            <Search room={room} />
          </Panel>
        ) : (
          <Panel title={texts.chat.people.title} close={side.kind === "people" ? texts.chat.people.close : null} closed={closePanel} className="flex flex-1">
            <People room={room} left={room === LOBBY ? null : left} />
          </Panel>
        )}
      </div>
    </>
  );
}

function ThreadPanel({ room, root, state, people }: { room: string; root: string; state: RoomState; people: readonly string[] }): ReactNode {
  const send = (text: string): boolean => state.outbox.add({ room, do: "send", text, replyTo: root, thread: root, after: state.newest }) !== null;
  return <Thread room={room} root={root} here={state.shown} people={people} send={send} />;
}

/** The messages, and where one writes. */
function Open({ room, rooms, state, people, leads, setSide }: {
  room: string;
  rooms: Rooms;
  state: RoomState;
  people: readonly string[];
  leads: boolean;
  setSide: (side: Side) => void;
}): ReactNode {
  const { user } = useSession();
  const { newest, shown, status, loaded, outbox } = state;
  const [editing, setEditing] = useDraft(`${user}.editing.${room}`);
  const [atTheEnd, setAtTheEnd] = useState(true);
  const typing = useTyping(status.state === "live" ? room : null);
  const listed = rooms.rooms.find((each) => each.room === room);
  const unread = useReading(room, listed ?? null, Number(newest ?? 0), atTheEnd, rooms.hasRead);
  const doing = useDoing(room, state, setEditing, setSide);
  const send = useCallback(
    (text: string) => outbox.add({ room, do: "send", text, replyTo: null, thread: null, after: newest }) !== null,
    [outbox, room, newest],
  );
  const note = shown.length > 0 ? null : !loaded ? texts.chat.loading : texts.chat.empty;
  const fault = !loaded && status.error ? status.error.message : null;
  const waiting = outbox.entries.filter((each) => each.state !== "refused").length;
  return (
    <>
      {fault === null ? null : <Fault>{texts.chat.failedToLoad(fault)}</Fault>}
      <Messages shown={shown} me={user} leads={leads} busy={!loaded} note={note} unread={unread} editing={editing} doing={doing} atTheEnd={setAtTheEnd} />
      <p aria-live="polite" className="h-5 truncate text-sm text-slate-700 dark:text-slate-300">
        {texts.chat.typing(typing.names)}
      </p>
      <Waiting count={waiting} kept={outbox.kept} />
      <Composer
        id="message"
        label={texts.chat.label}
        button={texts.chat.button}
        draft={`${user}.room.${room}`}
        people={people}
        send={send}
        typed={typing.tell}
        focused={HOVERS}
      />
    </>
  );
}

function useDoing(room: string, { outbox, messages }: RoomState, setEditing: (id: string) => void, setSide: (side: Side) => void): Doing {
  const latest = useRef({ outbox, messages, setEditing, setSide });
  useEffect(() => {
    latest.current = { outbox, messages, setEditing, setSide };
  });
  // The same functions for all messages at each render: an item is rendered again where something of it changed.
  return useMemo(
    () => ({
      room,
      reply: (message: Message) => latest.current.setSide({ kind: "thread", root: threadOf(message) }),
      edit: (id: string) => latest.current.setEditing(id),
      cancelEdit: () => {
        latest.current.setEditing("");
        keepFocus();
      },
      save: (id: string, text: string) => {
        const { outbox: box, messages: all } = latest.current;
        latest.current.setEditing("");
        keepFocus();
        if (all.find((each) => each.id === id)?.text !== text) {
          box.add({ room, do: "edit", id, text });
        }
      },
      takeBack: (id: string) => {
        latest.current.outbox.add({ room, do: "delete", id });
        keepFocus();
      },
      retry: (key: string) => {
        latest.current.outbox.retry(key);
        keepFocus();
      },
      discard: (key: string) => {
        latest.current.outbox.discard(key);
        keepFocus();
      },
    }),
    [room],
  );
}

/** What had the focus may go with what was done: who uses the keyboard then goes on from the messages. */
function keepFocus(): void {
  setTimeout(() => {
    if (document.activeElement === document.body || document.activeElement === null) {
      document.querySelector<HTMLElement>("[role=log]")?.focus({ preventScroll: true });
    }
  });
}

/** A room that one is no member of, or that is not there. */
function Closed({ room, state: { closed, open }, reload }: { room: string; state: RoomState; reload: () => void }): ReactNode {
  const { chat } = useSession();
  const { call, pending, error } = useRpc(async () => {
    await chat.join({ room });
    reload();
    open();
  });
  return (
    <div className="flex flex-col items-start gap-3 rounded-xl bg-white p-4 shadow-sm dark:bg-slate-900">
      <Fault>{texts.chat.closed(closed?.message ?? "")}</Fault>
      {closed?.code === 404 ? null : (
        <Button disabled={pending} onClick={() => void call(undefined).catch(() => undefined)}>
          {texts.chat.join}
        </Button>
      )}
      {error ? <Fault>{texts.chat.joinFailed(error.message)}</Fault> : null}
    </div>
  );
}

function Toggles({ side, setSide, unread }: { side: Side; setSide: (side: Side) => void; unread: boolean }): ReactNode {
  const kinds = [
    ["rooms", texts.chat.rooms.open, "md:hidden"],
    ["people", texts.chat.people.open, "lg:hidden"],
    ["search", texts.chat.search.open, ""],
  ] as const;
  return (
    <div className="ms-auto flex gap-1">
      {kinds.map(([kind, name, where]) => (
        <button
          key={kind}
          type="button"
          aria-expanded={side.kind === kind}
          onClick={() => setSide(side.kind === kind ? NOTHING : { kind })}
          className={`inline-flex min-h-9 items-center gap-1 rounded-lg border border-slate-400 px-3 text-sm font-medium hover:bg-slate-200 aria-expanded:bg-indigo-100 dark:border-slate-600 dark:hover:bg-slate-800 dark:aria-expanded:bg-indigo-950 ${where}`}
        >
          {name}
          {kind === "rooms" && unread ? <span aria-hidden className="size-2 rounded-full bg-indigo-700 dark:bg-indigo-300" /> : null}
        </button>
      ))}
    </div>
  );
}
