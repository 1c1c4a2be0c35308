import * as Dialog from "@radix-ui/react-dialog";
import { useState, type ReactNode } from "react";
import { texts } from "../../texts/console";
import type { Secret } from "../contract";
import { Button } from "./controls";

const words = texts.webhooks;

/** Shows a secret once; it is in the page only while this is open. A click beside it does not close it. */
export function SecretOnce({ secret, close }: { secret: Secret | null; close: () => void }): ReactNode {
  const [copied, setCopied] = useState(false);
  const shut = (): void => {
    setCopied(false);
    close();
  };
  return (
    <Dialog.Root open={secret !== null} onOpenChange={(open) => !open && shut()}>
      <Dialog.Portal>
        <div aria-hidden className="fade fixed inset-0 z-40 bg-black/50" />
        <Dialog.Content
          onPointerDownOutside={(event) => event.preventDefault()}
          className="fade fixed inset-x-3 top-1/2 z-50 mx-auto flex max-w-lg -translate-y-1/2 flex-col gap-4 rounded-xl border border-line bg-panel p-5 shadow-xl"
        >
          <Dialog.Title className="text-lg font-semibold">{words.secret}</Dialog.Title>
          <Dialog.Description className="text-dim">{words.secretAbout}</Dialog.Description>
          <p aria-label={words.secret} role="status" className="rounded-md bg-raised px-3 py-2 font-mono text-xs wrap-anywhere select-all">
            {secret?.secret}
          </p>
          <div className="flex justify-end gap-2">
            <Button onClick={() => void navigator.clipboard.writeText(secret?.secret ?? "").then(() => setCopied(true))}>{copied ? words.copied : words.copy}</Button>
            <Button kind="main" onClick={shut}>
              {texts.actions.close}
            </Button>
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
