import { useState, type FormEvent, type ReactNode } from "react";
import { texts } from "../texts";
import { Button, Fault, Field, FIELD } from "../ui/controls";

const NAME_MAX = 40;

/** The door: a name, and in. */
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
    <main className="mx-auto flex min-h-full max-w-md flex-col justify-center gap-6 p-6">
      <div className="flex flex-col gap-2">
        <p className="text-lg font-semibold text-indigo-800 dark:text-indigo-300">{texts.name}</p>
        <h1 className="text-4xl font-bold tracking-tight">{texts.promise}</h1>
        <p className="text-slate-700 dark:text-slate-300">{texts.enter.about}</p>
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
    </main>
  );
}
