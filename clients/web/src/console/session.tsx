import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useState, type ReactNode } from "react";
import { Ops, WrongKey } from "./api";
import type { Info } from "./contract";
import { forget, keep, knownKey, takeKey } from "./key";
import { SignIn } from "./pages/sign-in";
import { ContactWatch } from "./state/contact";
import { Notices } from "./state/notices";

/** Who looks, and the calls that this key may do. */
export interface Session {
  ops: Ops;
  info: Info;
  contact: ContactWatch;
  notices: Notices;
  leave: () => void;
}

const Context = createContext<Session | null>(null);

/** The session of a component below `SignedIn`. */
export function useSession(): Session {
  const session = useContext(Context);
  if (session === null) {
    throw new Error("nobody is signed in here");
  }
  return session;
}

/** Whether this key may do that. */
export function useMay(operation: string): boolean {
  return useSession().info.operations.includes(operation);
}

/** Asks for the operator's key where there is none, or none that is good. */
export function SignedIn({ children }: { children: ReactNode }): ReactNode {
  const [key, setKey] = useState(knownKey);
  const [session, setSession] = useState<Session | null>(null);
  const [wrong, setWrong] = useState(false);
  const leave = (refused: boolean): void => {
    forget();
    setWrong(refused);
    setKey(null);
    setSession(null);
  };
  const enter = (given: string): void => {
    setWrong(false);
    setKey(given);
  };
  useEffect(() => {
    // The link with the key, opened where the page is open already: the browser changes the fragment alone.
    const changed = (): void => {
      if (takeKey()) {
        setSession(null);
        setWrong(false);
        setKey(knownKey());
      }
    };
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  const [contact] = useState(() => new ContactWatch());
  const [queries] = useState(
    () =>
      new QueryClient({
        queryCache: new QueryCache({ onError: (error) => void (error instanceof WrongKey && leave(true)) }),
        defaultOptions: {
          queries: { retry: false, networkMode: "always", refetchOnWindowFocus: true, staleTime: 1000 },
          mutations: { networkMode: "always" },
        },
      }),
  );
  if (session === null) {
    const opened = (ops: Ops, info: Info): void => {
      keep(key ?? "");
      setSession({ ops, info, contact, notices: new Notices(), leave: () => leave(false) });
    };
    return <SignIn key={key} given={key} wrong={wrong} enter={enter} refused={() => leave(true)} contact={contact} opened={opened} />;
  }
  return (
    <QueryClientProvider client={queries}>
      <Context value={session}>{children}</Context>
    </QueryClientProvider>
  );
}
