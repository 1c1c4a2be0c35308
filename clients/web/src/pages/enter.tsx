import { useState, type FormEvent, type ReactNode } from "react";
import { deskHere } from "../playground/desk";
import { texts } from "../texts";
import { Button, Fault, Field, FIELD } from "../ui/controls";
import { Window } from "./enter/window";

const NAME_MAX = 40;
const DEV = deskHere() !== null;

/** The door: what this is, a name, and in; in dev beside a window on what goes on inside. */
export function Enter({ refused, enter }: { refused: string | null; enter: (name: string) => void }): ReactNode {
  const [name, setName] = useState("");
  const [empty, setEmpty] = useState(false);
  const fault = empty ? texts.enter.empty : refused === null ? null : texts.enter.refused(refused);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const chosen = name.trim();
    setEmpty(chosen === "");
    if (chosen !== "") {
      enter(chosen);
    }
  };
  return (
    <main className="mx-auto flex min-h-full max-w-6xl flex-col items-center justify-center gap-10 p-6 lg:flex-row lg:gap-16">
      <div className="flex w-full max-w-md flex-col gap-6">
      <div className="flex flex-col gap-4">
        <p className="flex items-center gap-3 text-lg font-semibold text-indigo-800 dark:text-indigo-300">
          <img src="/favicon.svg" alt="" className="size-9" />
          {texts.name}
        </p>
        <h1 className="text-4xl leading-[1.1] min-[400px]:text-5xl font-extrabold tracking-tight sm:text-6xl">
            {texts.promise.split(/(?<=\.) /).map((part) => (
              <span key={part} className="block">
                {`${part} `}
              </span>
            ))}
          </h1>
        <p className="text-lg text-slate-700 dark:text-slate-300">{texts.enter.about}</p>
        {DEV ? <p className="text-slate-700 dark:text-slate-300">{texts.enter.dare}</p> : null}
      </div>
      <form onSubmit={submit} noValidate className="flex flex-col gap-4">
        <Field id="name" label={texts.enter.label}>
          <input
            id="name"
            className={FIELD}
            value={name}
            maxLength={NAME_MAX}
            autoComplete="nickname"
            autoFocus
            dir="auto"
            aria-invalid={fault !== null}
            aria-describedby={fault === null ? undefined : "name-fault"}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        {fault === null ? null : <Fault id="name-fault">{fault}</Fault>}
        <Button type="submit">{texts.enter.button}</Button>
      </form>
      </div>
      {DEV ? <Window /> : null}
    </main>
  );
}
