import * as RadixLabel from "@radix-ui/react-label";
import { Slot } from "@radix-ui/react-slot";
import * as RadixAvatar from "@radix-ui/react-avatar";
import type { ComponentProps, ReactNode } from "react";

const BUTTON =
  "inline-flex min-h-11 items-center justify-center rounded-lg px-4 font-medium transition-colors disabled:cursor-not-allowed disabled:opacity-60";
const KINDS = {
  main: "bg-indigo-700 text-white hover:bg-indigo-800 dark:bg-indigo-400 dark:text-slate-950 dark:hover:bg-indigo-300",
  danger: "border border-red-700 text-red-800 hover:bg-red-50 dark:border-red-400 dark:text-red-300 dark:hover:bg-red-950",
  quiet: "border border-slate-500 text-slate-800 hover:bg-slate-200 dark:text-slate-100 dark:hover:bg-slate-800",
};

/** A button; with `asChild` its child (a link) looks like one. */
export function Button({
  kind = "main",
  asChild = false,
  className = "",
  ...props
}: ComponentProps<"button"> & { kind?: keyof typeof KINDS; asChild?: boolean }): ReactNode {
  const Element = asChild ? Slot : "button";
  return <Element className={`${BUTTON} ${KINDS[kind]} ${className}`} {...(asChild ? {} : { type: "button" as const })} {...props} />;
}

export const FIELD =
  "min-h-11 w-full rounded-lg border border-slate-500 bg-white px-3 py-2 text-slate-950 dark:bg-slate-900 dark:text-slate-50 aria-invalid:border-red-700";

/** A control under its visible label. */
export function Field({ id, label, children }: { id: string; label: string; children: ReactNode }): ReactNode {
  return (
    <div className="flex min-w-0 flex-1 flex-col gap-1">
      <RadixLabel.Root htmlFor={id} className="text-sm font-medium">
        {label}
      </RadixLabel.Root>
      {children}
    </div>
  );
}

/** What went wrong, said at once to who listens. */
export function Fault({ id, children }: { id?: string; children: ReactNode }): ReactNode {
  return (
    <p id={id} role="alert" className="text-sm font-medium wrap-anywhere text-red-800 dark:text-red-300">
      {children}
    </p>
  );
}

const HUES = [
  "bg-indigo-100 text-indigo-900 dark:bg-indigo-900 dark:text-indigo-100",
  "bg-teal-100 text-teal-900 dark:bg-teal-900 dark:text-teal-100",
  "bg-rose-100 text-rose-900 dark:bg-rose-900 dark:text-rose-100",
  "bg-amber-100 text-amber-900 dark:bg-amber-900 dark:text-amber-100",
  "bg-sky-100 text-sky-900 dark:bg-sky-900 dark:text-sky-100",
  "bg-fuchsia-100 text-fuchsia-900 dark:bg-fuchsia-900 dark:text-fuchsia-100",
];

/** The first letter of a name in a colour of its own, for the eye alone. */
export function Avatar({ name }: { name: string }): ReactNode {
  const hue = HUES[[...name].reduce((sum, letter) => sum * 31 + letter.codePointAt(0)!, 7) % HUES.length];
  return (
    <RadixAvatar.Root aria-hidden className={`inline-flex size-9 shrink-0 select-none items-center justify-center rounded-full font-semibold ${hue}`}>
      <RadixAvatar.Fallback>{[...name][0]?.toUpperCase()}</RadixAvatar.Fallback>
    </RadixAvatar.Root>
  );
}
