import * as AlertDialog from "@radix-ui/react-alert-dialog";
import { useRef, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { Button } from "./controls";
import { Problem } from "./states";

/**
 * Asks before something is done; closes by itself when it is done, and stays with the reason when it is not.
 *
 * The overlay is a plain element: Radix's own brings scroll locking that writes a style element, which the page's policy refuses.
 */
export function Confirm({
  open,
  close,
  title,
  children,
  action,
  act,
  busy,
  error,
  danger = false,
}: {
  open: boolean;
  close: () => void;
  title: string;
  children: ReactNode;
  action: string;
  act: () => void;
  busy: boolean;
  error: Error | null;
  danger?: boolean;
}): ReactNode {
  const opener = useRef<Element | null>(null);
  const begin = (event: Event): void => {
    opener.current = document.activeElement;
    const field = (event.currentTarget as HTMLElement).querySelector<HTMLElement>("input, select");
    if (field !== null) {
      event.preventDefault();
      field.focus();
    }
  };
  const end = (event: Event): void => {
    event.preventDefault();
    const back = opener.current?.isConnected === true ? opener.current : document.getElementById("content");
    (back as HTMLElement | null)?.focus();
  };
  return (
    <AlertDialog.Root open={open} onOpenChange={(next) => !next && close()}>
      <AlertDialog.Portal>
        <div aria-hidden className="fade fixed inset-0 z-40 bg-black/50" />
        <AlertDialog.Content
          aria-modal
          onOpenAutoFocus={begin}
          onCloseAutoFocus={end}
          className="fade fixed inset-x-3 top-1/2 z-50 mx-auto flex max-h-[90dvh] max-w-lg -translate-y-1/2 flex-col gap-4 overflow-y-auto rounded-xl border border-line bg-panel p-5 shadow-xl"
        >
          <AlertDialog.Title className="text-lg font-semibold wrap-anywhere">{title}</AlertDialog.Title>
          <AlertDialog.Description asChild>
            <div className="flex flex-col gap-3 text-dim">{children}</div>
          </AlertDialog.Description>
          {error === null ? null : <Problem error={error} />}
          <div className="flex flex-wrap justify-end gap-2">
            <AlertDialog.Cancel asChild>
              <Button>{texts.actions.cancel}</Button>
            </AlertDialog.Cancel>
            <Button kind={danger ? "danger" : "main"} disabled={busy} onClick={act}>
              {action}
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
