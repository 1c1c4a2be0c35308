import { refusalOf, useChannel, type ChannelStatus, type Outbox } from "@causeway/react";
import { useCallback, useEffect, useMemo, useReducer, useState } from "react";
import { useSession } from "../../session";
import { KEPT, next, shown, type Act, type Message, type Shown } from "../../state/messages";
import { useOutgoing } from "../../state/outbox";

/** A room as it stands in the page. `closed`: why one may not watch it; `loaded`: its messages were there once. */
export interface RoomState {
  messages: readonly Message[];
  shown: readonly Shown[];
  /** The number of the newest message that is understood. */
  newest: string | null;
  status: ChannelStatus;
  loaded: boolean;
  closed: { code: number; message: string } | null;
  outbox: Outbox<Act>;
  /** Tries to get in again, after one has joined. */
  open: () => void;
}

const NONE: readonly Message[] = [];

/** The messages of a room: loaded with their position, kept up to date, loaded anew where some are gone. */
export function useRoom(room: string): RoomState {
  const { chat, user } = useSession();
  const [messages, dispatch] = useReducer(next, NONE);
  const [loaded, setLoaded] = useState(false);
  const [closed, setClosed] = useState<RoomState["closed"]>(null);
  const load = async (): Promise<{ offset: number; epoch: string }> => {
    try {
      const { messages: found, offset, epoch } = await chat.snapshot({ room, limit: KEPT });
      if (!Array.isArray(found) || typeof offset !== "number" || typeof epoch !== "string") {
        throw new Error("the server answered something that this page does not understand");
      }
      dispatch({ kind: "loaded", messages: found });
      setLoaded(true);
      return { offset, epoch };
    } catch (error) {
      setClosed(refusalOf(error));
      throw error;
    }
  };
  const status = useChannel(closed === null ? `chat:${room}` : null, {
    joinLeave: true,
    getState: load,
    onMessage: (data) => dispatch({ kind: "published", data }),
  });
  const outbox = useOutgoing(room, (entry, id) => dispatch({ kind: "accepted", entry, user, id }));
  const all = useMemo(() => shown(messages, outbox.entries, user), [messages, outbox.entries, user]);
  const open = useCallback(() => setClosed(null), []);
  const refused = status.state === "refused" ? status.error : null; // put out while one was in
  useEffect(() => {
    if (refused !== null) {
      setClosed(refused);
    }
  }, [refused]);
  const newest = messages.findLast(({ strange }) => !strange)?.id ?? null;
  return { messages, shown: all, newest, status, loaded, closed, outbox, open };
}
