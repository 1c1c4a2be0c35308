import { createRootRoute, createRoute, createRouter, Outlet, RouterProvider } from "@tanstack/react-router";
import { useEffect, type ReactNode } from "react";
import { texts } from "../texts/console";
import { AppPage } from "./pages/app";
import { AppsPage } from "./pages/apps";
import { AuditPage } from "./pages/audit";
import { ChannelPage } from "./pages/channel";
import { ChannelsPage } from "./pages/channels";
import { EntitiesPage } from "./pages/entities";
import { EventsPage } from "./pages/events";
import { JobsPage } from "./pages/jobs";
import { NodePage } from "./pages/node";
import { OverviewPage } from "./pages/overview";
import { TimersPage } from "./pages/timers";
import { UsersPage } from "./pages/users";
import { WebhooksPage } from "./pages/webhooks";
import { only, parseSearch, stringifySearch } from "./places";
import { SignedIn } from "./session";
import { Shell } from "./shell";
import { PageHead } from "./ui/panel";

const root = createRootRoute({ component: Root, notFoundComponent: () => <Page title={texts.notFound} page={<PageHead title={texts.notFound} about={texts.notFoundTodo} />} /> });
const at = { getParentRoute: () => root };
const places = texts.places;

const overview = createRoute({ ...at, path: "/", component: () => <Page title={places.overview} page={<OverviewPage />} /> });
const node = createRoute({ ...at, path: "/nodes/$node", component: Node });
const apps = createRoute({ ...at, path: "/apps", component: () => <Page title={places.apps} page={<AppsPage />} /> });
const app = createRoute({ ...at, path: "/apps/$app", component: App });
const channels = createRoute({ ...at, path: "/channels", validateSearch: only("pattern", "order", "channel", "view"), component: Channels });
const users = createRoute({ ...at, path: "/users", validateSearch: only("user"), component: Users });
const entities = createRoute({ ...at, path: "/entities", validateSearch: only("app", "kind", "id"), component: Entities });
const jobs = createRoute({ ...at, path: "/jobs", validateSearch: only("state", "app", "connector"), component: Jobs });
const job = createRoute({ ...at, path: "/jobs/$job", validateSearch: only("state", "app", "connector"), component: Job });
const timers = createRoute({ ...at, path: "/timers", validateSearch: only("app", "kind", "id"), component: Timers });
const webhooks = createRoute({ ...at, path: "/webhooks", component: () => <Page title={places.webhooks} page={<WebhooksPage endpoint="" />} /> });
const endpoint = createRoute({ ...at, path: "/webhooks/$endpoint", component: Endpoint });
const events = createRoute({ ...at, path: "/events", component: () => <Page title={places.events} page={<EventsPage />} /> });
const audit = createRoute({ ...at, path: "/audit", component: () => <Page title={places.audit} page={<AuditPage />} /> });
const router = createRouter({
  routeTree: root.addChildren([overview, node, apps, app, channels, users, entities, jobs, job, timers, webhooks, endpoint, events, audit]),
  basepath: "/console",
  parseSearch,
  stringifySearch,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

/** The operator's console. */
export function Console(): ReactNode {
  return (
    <SignedIn>
      <RouterProvider router={router} />
    </SignedIn>
  );
}

function Root(): ReactNode {
  return (
    <Shell>
      <Outlet />
    </Shell>
  );
}

function Page({ title, page }: { title: string; page: ReactNode }): ReactNode {
  useEffect(() => {
    document.title = texts.title(title);
  }, [title]);
  return page;
}

function Node(): ReactNode {
  const { node: name } = node.useParams();
  return <Page title={name} page={<NodePage key={name} node={name} />} />;
}

function App(): ReactNode {
  const { app: name } = app.useParams();
  return <Page title={name} page={<AppPage key={name} app={name} />} />;
}

function Channels(): ReactNode {
  const { pattern = "", order = "", channel = "", view = "" } = channels.useSearch();
  return channel === "" ? (
    <Page title={places.channels} page={<ChannelsPage pattern={pattern} order={order} />} />
  ) : (
    <Page title={channel} page={<ChannelPage key={channel} channel={channel} view={view} />} />
  );
}

function Users(): ReactNode {
  const { user = "" } = users.useSearch();
  return <Page title={user === "" ? places.users : user} page={<UsersPage user={user} />} />;
}

function Entities(): ReactNode {
  const { app: of = "", kind = "", id = "" } = entities.useSearch();
  return <Page title={id === "" ? places.entities : `${kind} ${id}`} page={<EntitiesPage app={of} kind={kind} id={id} />} />;
}

function Jobs(): ReactNode {
  const { state = "", app: of = "", connector = "" } = jobs.useSearch();
  return <Page title={places.jobs} page={<JobsPage job="" state={state} app={of} connector={connector} />} />;
}

function Job(): ReactNode {
  const { job: id } = job.useParams();
  const { state = "", app: of = "", connector = "" } = job.useSearch();
  return <Page title={id} page={<JobsPage job={id} state={state} app={of} connector={connector} />} />;
}

function Timers(): ReactNode {
  const { app: of = "", kind = "", id = "" } = timers.useSearch();
  return <Page title={places.timers} page={<TimersPage app={of} kind={kind} id={id} />} />;
}

function Endpoint(): ReactNode {
  const { endpoint: id } = endpoint.useParams();
  return <Page title={places.webhooks} page={<WebhooksPage endpoint={id} />} />;
}
