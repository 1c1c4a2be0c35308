import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { Ops, WrongKey } from "../api";
import type { Info } from "../contract";
import type { ContactWatch } from "../state/contact";
import { Button, TextField } from "../ui/controls";
import { Problem } from "../ui/states";

const AGAIN_MS = 3000;

/** The door: asks for the key, or tries the one that is known until the gateway says yes or no. */
export function SignIn({
  given,
  wrong,
  enter,
  refused,
  opened,
  contact,
}: {
  given: string | null;
  wrong: boolean;
  enter: (key: string) => void;
  refused: () => void;
  opened: (ops: Ops, info: Info) => void;
  contact: ContactWatch;
}): ReactNode {
  const [key, setKey] = useState("");
  const [empty, setEmpty] = useState(false);
  const error = useTried(given, contact, opened, refused);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setEmpty(key.trim() === "");
    if (key.trim() !== "") {
      enter(key.trim());
    }
  };
  const fault = empty ? texts.signIn.empty : wrong ? `${texts.signIn.wrong} ${texts.signIn.wrongTodo}` : null;
  return (
    <main className="mx-auto flex min-h-full max-w-sm flex-col justify-center gap-6 p-6">
      <div className="flex flex-col gap-2">
        <p className="flex items-center gap-2 font-semibold text-accent">
          <Mark />
          {texts.name}
        </p>
        <h1 className="text-2xl font-semibold tracking-tight">{texts.signIn.title}</h1>
        <p className="text-dim">{texts.signIn.about}</p>
      </div>
      {given === null ? (
        <form onSubmit={submit} noValidate className="flex flex-col gap-3">
          <TextField
            id="key"
            type="password"
            label={texts.signIn.label}
            autoComplete="current-password"
            value={key}
            onChange={(event) => setKey(event.target.value)}
            aria-invalid={fault !== null}
            aria-describedby={fault === null ? undefined : "key-fault"}
          />
          {fault === null ? null : (
            <p id="key-fault" role="alert" className="text-sm text-bad">
              {fault}
            </p>
          )}
          <Button type="submit" kind="main" className="min-h-10">
            {texts.signIn.button}
          </Button>
        </form>
      ) : (
        <div className="flex flex-col gap-3">
          <p role="status">{texts.signIn.checking}</p>
          {error === null ? null : <Problem error={error} />}
          {error === null ? null : <Button onClick={refused}>{texts.shell.leave}</Button>}
        </div>
      )}
    </main>
  );
}

/** The sign of the house. */
export function Mark(): ReactNode {
  return (
    <svg viewBox="0 0 24 24" aria-hidden className="size-5" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round">
      <path d="M2 17h20M4 17a8 8 0 0 1 16 0M9 17v-3m6 3v-3" />
    </svg>
  );
}

/** Asks with the key until there is a yes or a no; what stands in the way, meanwhile. */
function useTried(key: string | null, contact: ContactWatch, opened: (ops: Ops, info: Info) => void, refused: () => void): Error | null {
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    if (key === null) {
      return;
    }
    const leaving = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ops = new Ops(key, contact);
    const ask = (): void => {
      ops.run("console.info", {}, leaving.signal).then(
        (info) => opened(ops, info),
        (reason: unknown) => {
          if (leaving.signal.aborted) {
            return;
          }
          if (reason instanceof WrongKey) {
            refused();
            return;
          }
          setError(reason as Error);
          timer = setTimeout(ask, AGAIN_MS);
        },
      );
    };
    ask();
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
    // The parent gives new functions each time; which key it is decides alone.
  }, [key]);
  return error;
}
