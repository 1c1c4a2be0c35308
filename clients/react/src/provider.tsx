import type { Centrifuge } from "centrifuge";
import { createContext, useContext, type ReactNode } from "react";

const Context = createContext<Centrifuge | null>(null);

/** Gives the hooks below it the SDK's connection, which stays the caller's to connect and to disconnect. */
export function CausewayProvider({ client, children }: { client: Centrifuge; children: ReactNode }): ReactNode {
  return <Context value={client}>{children}</Context>;
}

/** The connection of the nearest provider. Throws where there is none. */
export function useCauseway(): Centrifuge {
  const client = useContext(Context);
  if (client === null) {
    throw new Error("there is no CausewayProvider above this component");
  }
  return client;
}
