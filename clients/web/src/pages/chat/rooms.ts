import { useConnection } from "@causeway/react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useSession } from "../../session";
import { mentions } from "../../state/mentions";
import { read } from "../../state/messages";

/** One of one's rooms. `read`: the number of the newest message that one has read there; `messages`: how many there are. */
export interface Place {
  room: string;
  name: string;
  unread: number;
  read: number;
  messages: number;
  mentioned: boolean;
}

export interface Rooms {
  rooms: readonly Place[];
  invitations: ReadonlyArray<{ room: string; name: string }>;
  known: boolean;
  /** Why nothing is known yet; the page keeps asking. */
  error: Error | null;
  reload: () => void;
  /** Something came on the channel of one of them. */
  heard: (room: string, data: unknown) => void;
  /** One has read a room up to this message. */
  hasRead: (room: string, id: number) => void;
}

interface Live {
  newest: number;
  read: number;
  mentioned: boolean;
}

const POLL_MS = 60_000;
const SEAT_MS = 10_000;
const AGAIN_MS = 3000;
const NOTHING: Live = { newest: 0, read: 0, mentioned: false };

/** One's rooms with what is unread in each, as the server counts and as messages come in. `current` is listed soon, if it is not yet. */
export function useRooms(current: string): Rooms {
  const { chat, user } = useSession();
  const { state, interruptions } = useConnection();
  const [live, setLive] = useState<Record<string, Live>>({});
  const queries = useQueryClient();
  const joinedAt = useRef(0);
  useEffect(() => {
    joinedAt.current = Date.now();
  }, [current]);
  const { data, error } = useQuery({
    queryKey: ["chat", "rooms", user, interruptions],
    queryFn: async () => {
      const { rooms, invitations } = await chat.rooms();
      if (!Array.isArray(rooms)) {
        throw new Error("the server answered something that this page does not understand");
      }
      return { rooms, invitations: Array.isArray(invitations) ? invitations : [] };
    },
    enabled: state === "connected",
    placeholderData: (before) => before,
    refetchOnWindowFocus: true,
    // A seat is taken a moment after one has joined: a room that one is in is looked for until it is there.
    refetchInterval: ({ state: { data: found } }) => {
      if (found === undefined) {
        return AGAIN_MS;
      }
      return Date.now() - joinedAt.current > SEAT_MS || found.rooms.some(({ room }) => room === current) ? POLL_MS : 1000;
    },
  });
  const change = useCallback((room: string, apply: (before: Live) => Live) => {
    setLive((before) => ({ ...before, [room]: apply(before[room] ?? NOTHING) }));
  }, []);
  const heard = useCallback(
    (room: string, published: unknown) => {
      const message = read(published);
      if (message && !message.strange) {
        const mentioned = message.user !== user && mentions(message.text, user);
        change(room, (before) => ({
          ...before,
          newest: Math.max(before.newest, Number(message.id)),
          mentioned: before.mentioned || mentioned,
        }));
      }
    },
    [change, user],
  );
  const hasRead = useCallback(
    (room: string, id: number) => change(room, ({ newest, read: known }) => ({ newest, read: Math.max(known, id), mentioned: false })),
    [change],
  );
  const rooms = useMemo(
    () =>
      (data?.rooms ?? []).map(({ room, name, messages, unread }): Place => {
        const { newest, read: known, mentioned } = live[room] ?? NOTHING;
        const upTo = Math.max(messages - unread, known);
        const all = Math.max(messages, newest);
        return { room, name, read: upTo, messages: all, unread: Math.max(0, all - upTo), mentioned };
      }),
    [data, live],
  );
  const unread = rooms.reduce((sum, each) => sum + each.unread, 0);
  useEffect(() => {
    const title = document.title.replace(/^\(\d+\) /, "");
    document.title = unread === 0 ? title : `(${unread}) ${title}`;
    return () => {
      document.title = title;
    };
  }, [unread]);
  const reload = useCallback(() => {
    joinedAt.current = Date.now();
    void queries.invalidateQueries({ queryKey: ["chat", "rooms"] });
  }, [queries]);
  return { rooms, invitations: data?.invitations ?? [], known: data !== undefined, error: data === undefined ? error : null, reload, heard, hasRead };
}
