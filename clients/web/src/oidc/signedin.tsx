import { useConnection } from "@causeway/react";
import { useEffect, useState, type ReactNode } from "react";
import { Connected } from "../session";
import { texts } from "../texts";
import { Button, Fault } from "../ui/controls";
import { Oidc, type OidcAt } from "./oidc";

const INVALID_TOKEN = 3500;
const UNAUTHORIZED = 1; // the SDK's own code: getToken threw UnauthorizedError

/** Asks who is here at the OIDC issuer, then connects with its tokens. */
export function OidcSignedIn({ at, entered, children }: { at: OidcAt; entered: () => void; children: ReactNode }): ReactNode {
  const [oidc, setOidc] = useState<Oidc | null>(null);
  const [user, setUser] = useState<string | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  useEffect(() => {
    let here = true;
    const begin = async (): Promise<void> => {
      const opened = await Oidc.open(at);
      try {
        const found = await opened.who();
        if (here) {
          setUser(found);
          if (found !== null) {
            entered();
          }
        }
      } catch (error) {
        setFault(texts.signIn.failed(error instanceof Error ? error.message : String(error)));
      }
      if (here) {
        setOidc(opened);
      }
    };
    begin().catch((error: unknown) => setFault(texts.signIn.failed(String(error))));
    return () => {
      here = false;
    };
  }, [at]);
  if (user === null || oidc === null) {
    return <Door ready={oidc !== null} fault={fault} signIn={() => void oidc?.signIn().catch((error: unknown) => setFault(texts.signIn.failed(String(error))))} />;
  }
  const ended = (): void => {
    void oidc.forget();
    setFault(texts.signIn.ended);
    setUser(null);
  };
  return (
    <Connected user={user} how={{ getToken: oidc.getToken }} leave={() => void oidc.leave().then(() => setUser(null))}>
      <Ended ended={ended} />
      {children}
    </Connected>
  );
}

/** Where the gateway or the issuer takes the token no more, one signs in again. */
function Ended({ ended }: { ended: () => void }): ReactNode {
  const { state, code } = useConnection();
  useEffect(() => {
    if (state === "disconnected" && (code === INVALID_TOKEN || code === UNAUTHORIZED)) {
      ended();
    }
  }, [state, code]);
  return null;
}

function Door({ ready, fault, signIn }: { ready: boolean; fault: string | null; signIn: () => void }): ReactNode {
  return (
    <main className="mx-auto flex min-h-full max-w-md flex-col justify-center gap-6 p-6">
      <div className="flex flex-col gap-2">
        <p className="text-lg font-semibold text-indigo-800 dark:text-indigo-300">{texts.name}</p>
        <h1 className="text-4xl font-bold tracking-tight">{texts.promise}</h1>
      </div>
      {fault === null ? null : <Fault>{fault}</Fault>}
      <Button onClick={signIn} disabled={!ready}>
        {texts.signIn.button}
      </Button>
    </main>
  );
}
