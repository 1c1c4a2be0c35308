import type { PublicationContext, StreamPosition } from "centrifuge";
import { useEffect, useRef, useState } from "react";
import { useChannel, type ChannelStatus } from "./channel";

/** A state and the position of the channel that goes with it, as an app's `snapshot` method answers. */
export interface Loaded<State> {
  state: State;
  position: StreamPosition;
}

/** `load` asks the app for the state; `apply` makes the next one of it and a message, and changes nothing. */
export interface EntityOptions<State, Message> {
  load: () => Promise<Loaded<State>>;
  apply: (state: State, message: Message) => State;
}

/** The value, null until it is loaded, and how its channel stands. */
export interface Entity<State> {
  value: State | null;
  status: ChannelStatus;
}

/**
 * An entity, loaded once and kept up to date by the messages of its channel; loaded again where messages are gone.
 * A message that the loaded state already has in it is not applied a second time.
 */
export function useEntity<State, Message>(
  channel: string | null,
  { load, apply }: EntityOptions<State, Message>,
): Entity<State> {
  const [value, set] = useState<State | null>(null);
  const offset = useRef(0);
  useEffect(() => {
    offset.current = 0;
    set(null);
  }, [channel]);
  const { state, caughtUp, error } = useChannel<Message>(channel, {
    getState: async () => {
      const loaded = await load();
      offset.current = loaded.position.offset;
      set(loaded.state);
      return loaded.position;
    },
    onMessage: (message, context: PublicationContext) => {
      const at = context.offset ?? Number.POSITIVE_INFINITY;
      if (at > offset.current) {
        offset.current = context.offset ?? offset.current;
        set((before) => (before === null ? before : apply(before, message)));
      }
    },
  });
  return { value, status: { state, caughtUp, error } };
}
