import * as Dialog from "@radix-ui/react-dialog";
import { useEffect, useState, useSyncExternalStore, type ReactNode, type RefObject } from "react";
import type { DeskAt } from "../../playground/desk";
import { now } from "../../playground/flow";
import { Playground, type View } from "../../playground/playground";
import { interruption, waiting, type Kill } from "../../playground/tally";
import { address, signIn, useSession } from "../../session";
import { texts } from "../../texts";
import { Button, Fault } from "../../ui/controls";
import { Figures, Promises } from "./figures";
import { Strip } from "./strip";
import { Tiles } from "./tiles";

const NOTICED_MS = 300;
const KILLS_TOLD = 4;

/** The failure playground: kill what runs here, and watch that the promise holds. It counts while it is open. */
export default function PlaygroundDialog({ desk, opener, close }: { desk: DeskAt; opener: RefObject<HTMLButtonElement | null>; close: () => void }): ReactNode {
  const { user } = useSession();
  const [playground, set] = useState<Playground | null>(null);
  useEffect(() => {
    const made = new Playground(desk, address(), signIn(user));
    made.start();
    set(made);
    return () => made.stop();
  }, [desk, user]);
  return (
    <Dialog.Root open onOpenChange={(open) => !open && close()}>
      <Dialog.Portal>
        {/* Not Radix's overlay: it brings an inline style, which the page's policy forbids. */}
        <div aria-hidden className="fixed inset-0 bg-slate-950/60" />
        <Dialog.Content
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            opener.current?.focus();
          }}
          className="fixed inset-0 m-auto flex h-fit max-h-full w-full max-w-5xl flex-col gap-4 overflow-y-auto bg-white p-4 text-slate-950 shadow-2xl sm:max-h-[calc(100%-2rem)] sm:rounded-2xl sm:p-6 dark:bg-slate-900 dark:text-slate-50"
        >
          <header className="flex items-start justify-between gap-4">
            <div>
              <Dialog.Title className="text-xl font-bold sm:text-2xl">{texts.playground.name}</Dialog.Title>
              <Dialog.Description className="max-w-prose text-sm text-slate-700 dark:text-slate-300">{texts.playground.about}</Dialog.Description>
            </div>
            <Dialog.Close asChild>
              <Button kind="quiet">{texts.playground.close}</Button>
            </Dialog.Close>
          </header>
          {playground === null ? null : <Running playground={playground} />}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Running({ playground }: { playground: Playground }): ReactNode {
  const view = useSyncExternalStore(playground.subscribe, playground.snapshot);
  return (
    <>
      <Promises view={view} />
      <Figures view={view} />
      <div className="rounded-xl bg-slate-50 p-2 ring-1 ring-slate-200 dark:bg-slate-950 dark:ring-slate-800">
        <Strip playground={playground} />
      </div>
      {view.fault === null ? null : <Fault>{texts.playground.fault(view.fault)}</Fault>}
      <Tiles playground={playground} view={view} />
      <Happened view={view} />
    </>
  );
}

function Happened({ view }: { view: View }): ReactNode {
  const told = view.tally.kills.slice(-KILLS_TOLD).toReversed();
  return (
    <section aria-labelledby="happened" className="text-sm">
      <h3 id="happened" className="sr-only">
        {texts.playground.happened}
      </h3>
      {told.length === 0 ? <p className="text-slate-700 dark:text-slate-300">{texts.playground.nothingYet}</p> : null}
      <ol aria-labelledby="happened" className="flex flex-col gap-1">
        {told.map((kill) => (
          <li key={kill.at} className="flex items-baseline gap-2 tabular-nums">
            <span aria-hidden className={`size-2 shrink-0 rounded-full ${kill.over ? "bg-emerald-600" : "bg-red-600 motion-safe:animate-pulse"}`} />
            {story(view, kill)}
          </li>
        ))}
      </ol>
      <p aria-live="polite" className="sr-only">
        {told[0]?.over ? story(view, told[0]) : ""}
      </p>
    </section>
  );
}

function story(view: View, kill: Kill): string {
  const what = texts.playground.kinds[kill.what as keyof typeof texts.playground.kinds];
  const long = interruption(view.tally, kill, now());
  const { doubled, outOfOrder } = view.tally;
  const { lastCame } = view.tally;
  if (!kill.over && lastCame !== null && lastCame > kill.at && now() - lastCame < NOTICED_MS) {
    return texts.playground.draining(what, long, waiting(view.tally));
  }
  if (!kill.over) {
    return texts.playground.open(what, long);
  }
  if (view.lost + doubled + outOfOrder > 0) {
    return texts.playground.broken(what, long);
  }
  return long < NOTICED_MS ? texts.playground.unnoticed(what, long) : texts.playground.over(what, long, kill.waited);
}
