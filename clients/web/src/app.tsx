import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRootRoute, createRoute, createRouter, Link, Navigate, Outlet, RouterProvider, useNavigate, useParams } from "@tanstack/react-router";
import { LogOut, Zap } from "lucide-react";
import { lazy, Suspense, useRef, useState, type ReactNode } from "react";
import { ChatPage } from "./pages/chat";
import { LotPage } from "./pages/lot";
import { LotsPage } from "./pages/lots";
import { deskHere, type DeskAt } from "./playground/desk";
import { SignedIn, useSession } from "./session";
import { ChatOutbox } from "./state/outbox";
import { texts } from "./texts";
import { ConnectionState } from "./ui/connection";
import { Button } from "./ui/controls";

const PlaygroundDialog = lazy(() => import("./pages/playground/dialog"));
const LOBBY = "lobby";
const DESK = deskHere();
const SMALL = "max-sm:w-11 max-sm:px-0"; // on a phone an icon says it
const root = createRootRoute({ component: Root, notFoundComponent: () => <p className="p-4">{texts.notFound}</p> });
const index = createRoute({ getParentRoute: () => root, path: "/", component: () => <Navigate to="/chat/$room" params={{ room: LOBBY }} replace /> });
const chat = createRoute({ getParentRoute: () => root, path: "/chat/$room", component: Chat });
const lots = createRoute({ getParentRoute: () => root, path: "/lots", component: LotsPage });
const lot = createRoute({ getParentRoute: () => root, path: "/lots/$lot", component: Lot });
const router = createRouter({ routeTree: root.addChildren([index, chat, lots, lot]) });
const queries = new QueryClient({ defaultOptions: { queries: { retry: 1, networkMode: "always" }, mutations: { networkMode: "always" } } });

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

/** The application. */
export function App(): ReactNode {
  return (
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  );
}

function Root(): ReactNode {
  const navigate = useNavigate();
  return (
    <div className="h-full bg-slate-100 text-slate-950 dark:bg-slate-950 dark:text-slate-50">
      <SignedIn entered={() => void (router.state.location.pathname === "/" && navigate({ to: "/chat/$room", params: { room: LOBBY } }))}>
        <ChatOutbox>
          <Layout />
        </ChatOutbox>
      </SignedIn>
    </div>
  );
}

function Layout(): ReactNode {
  const { user, leave } = useSession();
  const link = "inline-flex min-h-11 items-center rounded-lg px-2 font-medium sm:px-3 hover:bg-slate-200 dark:hover:bg-slate-800 aria-[current=page]:underline underline-offset-8 decoration-2";
  return (
    <div className="flex h-full flex-col">
      <a href="#content" className="sr-only focus:not-sr-only focus:p-3">
        {texts.skip}
      </a>
      <header className="flex flex-wrap items-center gap-x-1 border-b border-slate-300 px-3 py-1 sm:gap-x-4 sm:px-4 dark:border-slate-700">
        <p className="flex items-center gap-2 font-bold text-indigo-800 dark:text-indigo-300">
          <img src="/favicon.svg" alt="" className="size-7" />
          <span className="sr-only sm:not-sr-only">{texts.name}</span>
        </p>
        <nav aria-label={texts.nav.label} className="flex">
          <Link to="/chat/$room" params={{ room: LOBBY }} className={link}>
            {texts.nav.lobby}
          </Link>
          <Link to="/lots" className={link}>
            {texts.nav.lots}
          </Link>
        </nav>
        <ConnectionState />
        <div className="ms-auto flex items-center gap-x-2 sm:ms-0 sm:gap-x-4">
          {DESK === null ? null : <PlaygroundButton desk={DESK} />}
          <p className="hidden max-w-48 truncate text-sm md:block">
            <bdi>{texts.nav.you(user)}</bdi>
          </p>
          <Button kind="quiet" aria-label={texts.nav.leave} className={SMALL} onClick={leave}>
            <LogOut aria-hidden className="size-5 sm:hidden" />
            <span className="hidden sm:inline">{texts.nav.leave}</span>
          </Button>
        </div>
      </header>
      <main id="content" className="min-h-0 flex-1 overflow-y-auto">
        <Outlet />
      </main>
    </div>
  );
}

function PlaygroundButton({ desk }: { desk: DeskAt }): ReactNode {
  const [open, set] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <Button ref={button} kind="danger" aria-haspopup="dialog" aria-label={texts.playground.name} className={SMALL} onClick={() => set(true)}>
        <Zap aria-hidden className="size-5 sm:hidden" />
        <span className="hidden sm:inline">{texts.playground.name}</span>
      </Button>
      <Suspense>{open ? <PlaygroundDialog desk={desk} opener={button} close={() => set(false)} /> : null}</Suspense>
    </>
  );
}

function Chat(): ReactNode {
  const { room } = useParams({ from: chat.id });
  return <ChatPage room={room} />;
}

function Lot(): ReactNode {
  const { lot: id } = useParams({ from: lot.id });
  return <LotPage key={id} lot={id} />;
}
