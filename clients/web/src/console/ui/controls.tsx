import * as Label from "@radix-ui/react-label";
import type { ComponentProps, ReactNode } from "react";

const BUTTON =
  "inline-flex min-h-8 items-center justify-center gap-1.5 rounded-md px-3 text-sm font-medium whitespace-nowrap max-sm:min-h-11 disabled:cursor-not-allowed disabled:opacity-50";
const KINDS = {
  main: "bg-accent text-on-accent enabled:hover:opacity-90",
  quiet: "border border-edge/60 bg-panel text-ink enabled:hover:bg-raised",
  danger: "bg-bad text-on-bad enabled:hover:opacity-90",
  small: "border border-edge/60 bg-panel text-ink enabled:hover:bg-raised sm:min-h-7! sm:px-2! sm:text-xs!",
  bare: "text-accent enabled:hover:underline underline-offset-4 px-1",
};

/** How a button looks, for links that look like one. */
export function buttonClass(kind: keyof typeof KINDS = "quiet"): string {
  return `${BUTTON} ${KINDS[kind]}`;
}

/** A button. */
export function Button({ kind = "quiet", className = "", ...props }: ComponentProps<"button"> & { kind?: keyof typeof KINDS }): ReactNode {
  return <button type="button" className={`${buttonClass(kind)} ${className}`} {...props} />;
}

export const FIELD =
  "min-h-8 max-sm:min-h-11 w-full min-w-0 rounded-md border border-edge/70 bg-panel px-2.5 py-1 text-sm text-ink placeholder:text-dim aria-invalid:border-bad";
export const LINK = "font-medium text-accent underline decoration-accent/35 underline-offset-3 hover:decoration-accent wrap-break-word";

/** A control under its visible label. */
export function Field({
  id,
  label,
  hint,
  faulty = false,
  className = "",
  children,
}: {
  id: string;
  label: string;
  hint?: string;
  faulty?: boolean;
  className?: string;
  children: ReactNode;
}): ReactNode {
  return (
    <div className={`flex min-w-0 flex-col gap-1 ${className}`}>
      <Label.Root htmlFor={id} className="text-xs font-medium text-dim">
        {label}
      </Label.Root>
      {children}
      {hint === undefined ? null : (
        <p id={`${id}-hint`} className={`text-xs ${faulty ? "text-bad" : "text-dim"}`}>
          {hint}
        </p>
      )}
    </div>
  );
}

/** A text field under its label. */
export function TextField({
  id,
  label,
  hint,
  className = "",
  ...props
}: ComponentProps<"input"> & { id: string; label: string; hint?: string }): ReactNode {
  return (
    <Field id={id} label={label} className={className} faulty={props["aria-invalid"] === true} {...(hint === undefined ? {} : { hint })}>
      <input
        id={id}
        className={FIELD}
        autoComplete="off"
        spellCheck={false}
        autoCapitalize="none"
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        {...props}
      />
    </Field>
  );
}

/** A choice under its label. */
export function Choice({
  id,
  label,
  options,
  className = "",
  ...props
}: ComponentProps<"select"> & { id: string; label: string; options: readonly (readonly [string, string])[] }): ReactNode {
  return (
    <Field id={id} label={label} className={className}>
      <select id={id} className={FIELD} {...props}>
        {options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </Field>
  );
}
