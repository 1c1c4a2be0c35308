import { CausewayProvider, useConnection } from "@causeway/react";
import { Centrifuge, type Options } from "centrifuge";
import { createContext, useContext, useEffect, useState, type ReactNode } from "react";
import { Auctions } from "./api/auctions";
import { Chat } from "./api/chat";
import { oidcHere } from "./oidc/oidc";
import { OidcSignedIn } from "./oidc/signedin";
import { Enter } from "./pages/enter";

/** Who is here, and the typed clients over the connection. */
export interface Session {
  user: string;
  chat: Chat;
  auctions: Auctions;
  leave: () => void;
}

const Context = createContext<Session | null>(null);
const OIDC = oidcHere();
const KEPT = "causeway.demo_user"; // for this tab alone: two tabs may be two users

/** The session of a component below `SignedIn`. */
export function useSession(): Session {
  const session = useContext(Context);
  if (session === null) {
    throw new Error("nobody is signed in here");
  }
  return session;
}

/** Asks who is here, then connects as that: at the OIDC issuer that the gateway names, else for the name alone, which dev takes. */
export function SignedIn(props: { children: ReactNode; entered: () => void }): ReactNode {
  return OIDC === null ? <ByName {...props} /> : <OidcSignedIn at={OIDC} {...props} />;
}

function ByName({ children, entered }: { children: ReactNode; entered: () => void }): ReactNode {
  const [user, setUser] = useState(() => sessionStorage.getItem(KEPT));
  const [refused, setRefused] = useState<string | null>(null);
  const leave = (reason: string | null): void => {
    sessionStorage.removeItem(KEPT);
    setRefused(reason);
    setUser(null);
  };
  const enter = (name: string): void => {
    sessionStorage.setItem(KEPT, name);
    setRefused(null);
    setUser(name);
    entered();
  };
  if (user === null) {
    return <Enter refused={refused} enter={enter} />;
  }
  return (
    <Connected key={user} user={user} how={signIn(user)} leave={() => leave(null)}>
      <Refused leave={leave} />
      {children}
    </Connected>
  );
}

/** What the page is below a connection, whose options `how` say who it is. */
export function Connected({ user, how, leave, children }: { user: string; how: Partial<Options>; leave: () => void; children: ReactNode }): ReactNode {
  const [client] = useState(() => new Centrifuge(address(), { ...how, name: "causeway-web", maxReconnectDelay: 5000 }));
  const [session] = useState(() => ({ user, chat: new Chat(client), auctions: new Auctions(client), leave }));
  useEffect(() => {
    client.connect();
    return () => client.disconnect();
  }, [client]);
  return (
    <CausewayProvider client={client}>
      <Context value={session}>
        {children}
      </Context>
    </CausewayProvider>
  );
}

/** A refusal of the connect hook leads back to the door, with the reason. */
function Refused({ leave }: { leave: (reason: string | null) => void }): ReactNode {
  const { state, code, reason } = useConnection();
  useEffect(() => {
    if (state === "disconnected" && code !== undefined && code >= 100 && code < 1000) {
      leave(reason ?? String(code));
    }
  }, [state, code, reason, leave]);
  return null;
}

/** What a connection of dev says of who it is: the name alone. */
export function signIn(user: string): Partial<Pick<Options, "data" | "getToken">> {
  return { data: { demo_user: user } };
}

/** What the door's window says of who it is: somebody without a name, whom dev alone lets look in. */
export const LOOK_IN: Partial<Options> = { data: { onlooker: true } };

/** Where the gateway is that serves this page. */
export function address(): string {
  const { protocol, host } = window.location;
  return `${protocol === "https:" ? "wss" : "ws"}://${host}/connection/websocket`;
}
