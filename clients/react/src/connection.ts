import type { ConnectingContext, DisconnectedContext } from "centrifuge";
import { useEffect, useState } from "react";
import { useCauseway } from "./provider";

/**
 * How the connection stands: `connecting` for the first time, `connected`, `reconnecting` after it was connected,
 * `disconnected` where nobody tries any more (`code` and `reason` say why). `interruptions` counts the times it was lost.
 */
export interface Connection {
  state: "connecting" | "connected" | "reconnecting" | "disconnected";
  interruptions: number;
  code?: number;
  reason?: string;
}

/** The state of the connection, as it is. */
export function useConnection(): Connection {
  const client = useCauseway();
  const [connection, set] = useState<Connection>(() => ({
    state: client.state === "connected" ? "connected" : client.state === "connecting" ? "connecting" : "disconnected",
    interruptions: 0,
  }));
  useEffect(() => {
    let was = client.state === "connected";
    const connecting = ({ code, reason }: ConnectingContext): void => {
      const lost = was;
      set((before) => ({
        state: lost ? "reconnecting" : "connecting",
        interruptions: before.interruptions + (lost && before.state === "connected" ? 1 : 0),
        code,
        reason,
      }));
    };
    const connected = (): void => {
      was = true;
      set(({ interruptions }) => ({ state: "connected", interruptions }));
    };
    const disconnected = ({ code, reason }: DisconnectedContext): void => {
      was = false;
      set(({ interruptions }) => ({ state: "disconnected", interruptions, code, reason }));
    };
    client.on("connecting", connecting).on("connected", connected).on("disconnected", disconnected);
    if (client.state === "connected") {
      connected();
    } else if (client.state === "connecting") {
      set((before) => (before.state === "disconnected" ? { ...before, state: "connecting" } : before));
    }
    return () => {
      client.removeListener("connecting", connecting);
      client.removeListener("connected", connected);
      client.removeListener("disconnected", disconnected);
    };
  }, [client]);
  return connection;
}
