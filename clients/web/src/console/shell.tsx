import { Link, useRouterState } from "@tanstack/react-router";
import { Activity, Boxes, Braces, Gauge, ListTodo, Radio, ScrollText, Timer, UsersRound, Webhook } from "lucide-react";
import { useEffect, useRef, useSyncExternalStore, type ReactNode } from "react";
import { texts } from "../texts/console";
import { Mark } from "./pages/sign-in";
import { useSession } from "./session";
import { time } from "./state/format";
import { Button } from "./ui/controls";

const PLACES = [
  ["/", texts.places.overview, Gauge],
  ["/apps", texts.places.apps, Boxes],
  ["/channels", texts.places.channels, Radio],
  ["/users", texts.places.users, UsersRound],
  ["/entities", texts.places.entities, Braces],
  ["/jobs", texts.places.jobs, ListTodo],
  ["/timers", texts.places.timers, Timer],
  ["/webhooks", texts.places.webhooks, Webhook],
  ["/events", texts.places.events, Activity],
  ["/audit", texts.places.audit, ScrollText],
] as const;
const BASE = /^\/console\/?/;
const NOTHING = {};
const NOTICE_MS = 20_000;

/** What every page stands in: the places, who looks, and whether the gateway answers. */
export function Shell({ children }: { children: ReactNode }): ReactNode {
  const { info, leave } = useSession();
  const reads = !info.operations.includes("users.disconnect") && !info.operations.includes("jobs.redrive");
  return (
    <div className="flex h-full flex-col lg:flex-row">
      <a href="#content" className="sr-only focus:not-sr-only focus:absolute focus:z-30 focus:bg-panel focus:p-3">
        {texts.skip}
      </a>
      <header className="flex shrink-0 flex-col gap-1 border-b border-line bg-panel px-3 pt-2 lg:w-52 lg:border-e lg:border-b-0 lg:p-3">
        <div className="flex items-center justify-between gap-2 lg:mb-3 lg:px-2">
          <p className="flex items-center gap-2 font-semibold text-accent">
            <Mark />
            {texts.name} <span className="font-normal text-dim">{texts.console}</span>
          </p>
          <Button kind="bare" className="lg:hidden" onClick={leave}>
            {texts.shell.leave}
          </Button>
        </div>
        <Places />
        <div className="mt-auto hidden flex-col gap-1 px-2 text-xs text-dim lg:flex">
          {reads ? <p>{texts.shell.reads}</p> : null}
          <p className="wrap-anywhere">{texts.shell.signedIn(info.caller, info.version)}</p>
          <Button kind="bare" className="self-start px-0!" onClick={leave}>
            {texts.shell.leave}
          </Button>
        </div>
      </header>
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <Silence />
        <main id="content" tabIndex={0} className="min-h-0 flex-1 overflow-y-auto focus:outline-none">
          <div className="mx-auto flex max-w-[110rem] flex-col gap-4 p-3 sm:p-5">{children}</div>
        </main>
        <NoticeLine />
      </div>
    </div>
  );
}

function Places(): ReactNode {
  const strip = useRef<HTMLElement>(null);
  const path = useRouterState({ select: (state) => state.location.pathname.replace(BASE, "/") });
  useEffect(() => {
    strip.current?.querySelector("[aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [path]);
  return (
    <nav ref={strip} aria-label={texts.places.label} className="-mx-1 flex gap-0.5 overflow-x-auto pb-1 lg:flex-col lg:overflow-visible">
      {PLACES.map(([to, name, Icon]) => (
        <Link
          key={name}
          to={to}
          search={{}}
          activeProps={NOTHING}
          aria-current={path === to || (to !== "/" && path.startsWith(`${to}/`)) ? "page" : undefined}
          className="flex min-h-8 shrink-0 items-center gap-2.5 rounded-md px-2.5 font-medium text-dim hover:bg-raised hover:text-ink max-lg:min-h-11 aria-[current=page]:bg-accent-soft aria-[current=page]:text-accent"
        >
          <Icon aria-hidden className="size-4 shrink-0 max-lg:hidden" />
          {name}
        </Link>
      ))}
    </nav>
  );
}

/** One line over everything while nothing comes back. */
function Silence(): ReactNode {
  const { contact } = useSession();
  const { silentSince, answered } = useSyncExternalStore(contact.listen, contact.current);
  return (
    <div role="status">
      {silentSince === 0 ? null : (
        <p className="bg-warn-soft px-5 py-2 text-sm font-medium text-warn">
          {answered === 0 ? texts.shell.silentFirst : texts.shell.silent(time(answered))}
        </p>
      )}
    </div>
  );
}

/** What was done last. */
function NoticeLine(): ReactNode {
  const { notices } = useSession();
  const notice = useSyncExternalStore(notices.listen, notices.current);
  useEffect(() => {
    const timer = setTimeout(() => notices.dismiss(), NOTICE_MS);
    return () => clearTimeout(timer);
  }, [notices, notice]);
  return (
    <div role="status" aria-label={texts.shell.done}>
      {notice === null ? null : (
        <div key={notice.key} className="fade flex items-center justify-between gap-4 border-t border-line bg-good-soft px-5 py-1.5 text-good">
          <p className="wrap-anywhere">{notice.text}</p>
          <button type="button" className="min-h-8 rounded px-2 font-medium underline underline-offset-3" onClick={() => notices.dismiss()}>
            {texts.shell.dismiss}
          </button>
        </div>
      )}
    </div>
  );
}
