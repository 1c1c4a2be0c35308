import { useState, type ReactNode } from "react";
import { useDeed } from "../asking";
import type { Operation, Request, Result } from "../contract";
import { useMay } from "../session";
import { Confirm } from "./confirm";
import { Button } from "./controls";

/** A button that asks before it does something. It is not there for a key that may not. `name`: where `label` alone is not once in the page. */
export function Deed<O extends Operation>({
  operation,
  request,
  label,
  name,
  title,
  about,
  action,
  done,
  danger = false,
  disabled = false,
  kind = "quiet",
  after,
  children,
}: {
  operation: O;
  request: Request<O>;
  label: string;
  name?: string;
  title: string;
  about: string;
  action: string;
  done: (result: Result<O>) => string;
  danger?: boolean;
  disabled?: boolean;
  kind?: "main" | "quiet" | "small" | "bare";
  after?: (result: Result<O>) => void;
  children?: ReactNode;
}): ReactNode {
  const [open, setOpen] = useState(false);
  const deed = useDeed(operation, done);
  if (!useMay(operation)) {
    return null;
  }
  const start = (): void => {
    deed.reset();
    setOpen(true);
  };
  const succeeded = (result: Result<O>): void => {
    setOpen(false);
    after?.(result);
  };
  return (
    <>
      <Button kind={kind} aria-label={name} disabled={disabled} onClick={start}>
        {label}
      </Button>
      <Confirm
        open={open}
        close={() => setOpen(false)}
        title={title}
        action={action}
        act={() => deed.mutate(request, { onSuccess: succeeded })}
        busy={deed.isPending}
        error={deed.error}
        danger={danger}
      >
        <p>{about}</p>
        {children}
      </Confirm>
    </>
  );
}

/** A button that does something harmless at once, and says how it ended. */
export function Act<O extends Operation>({
  operation,
  request,
  label,
  done,
  failed,
}: {
  operation: O;
  request: Request<O>;
  label: string;
  done: (result: Result<O>) => string;
  failed: (error: Error) => void;
}): ReactNode {
  const deed = useDeed(operation, done);
  return useMay(operation) ? (
    <Button disabled={deed.isPending} onClick={() => deed.mutate(request, { onError: failed })}>
      {label}
    </Button>
  ) : null;
}
