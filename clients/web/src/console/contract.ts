/** What the operators' calls take and give. Times are milliseconds since the Unix epoch, 0: none; fields may be added by a newer gateway. */

export interface Info {
  node: string;
  version: string;
  caller: string;
  operations: string[];
  trace_url: string;
  storage: string;
  now_ms: number;
  step_ms: number;
  window_ms: number;
}

export interface NodeRow {
  node: string;
  service: string;
  version: string;
  app_version: string;
  started_ms: number;
  heard_ms: number;
  state: "up" | "silent" | "left";
  figures: Record<string, number>;
}

export interface FigureKind {
  unit: string;
  text: string;
  service: string;
}

export interface NodeList {
  nodes: NodeRow[];
  figures: Record<string, FigureKind>;
  now_ms: number;
}

export interface Series {
  node: string;
  service: string;
  figure: string;
  values: (number | null)[];
}

export interface SeriesPage {
  step_ms: number;
  from_ms: number;
  series: Series[];
}

export interface AppVersion {
  version: string;
  instances: number;
  methods: string[];
}

export interface AppRow {
  app: string;
  ruling: string;
  versions: AppVersion[];
  methods: string[];
  namespaces: string[];
  breaks: string[];
}

export interface MethodVersion {
  version: string;
  calls: number;
  errors: number;
  mean_ms: number;
}

export interface MethodRow {
  app: string;
  method: string;
  calls: number;
  errors: number;
  rejected: number;
  mean_ms: number;
  route: { version: string; share_permille: number } | null;
  versions: MethodVersion[];
  calls_series: number[];
  errors_series: number[];
}

export interface MethodPage {
  window_ms: number;
  step_ms: number;
  from_ms: number;
  methods: MethodRow[];
}

export interface Route {
  app: string;
  method: string;
  version: string;
  share_permille: number;
}

export interface RouteRow extends Route {
  instances: number;
}

export interface ChannelRow {
  channel: string;
  clients: number;
}

export interface ChannelShown extends ChannelRow {
  namespace: string;
  app: string;
  users: number;
  epoch: string;
  offset: number;
  history_size: number;
  history_ttl_ms: number;
  presence: boolean;
  join_leave: boolean;
  binary: boolean;
  slow_reader: string;
}

export interface PresenceRow {
  client: string;
  user: string;
  conn_info?: unknown;
  chan_info?: unknown;
}

export interface Publication {
  offset: number;
  data?: unknown;
  b64data: string;
  user: string;
  client: string;
  tags: Record<string, string> | null;
}

export type TailMessage =
  | { type: "begin"; epoch: string; offset: number }
  | ({ type: "publication"; time_ms: number; bytes: number } & Publication)
  | { type: "join" | "leave"; user: string; client: string }
  | { type: "skipped"; count: number }
  | { type: "alive" }
  | { type: "end"; reason: string };

export type EventMessage =
  | {
      type: "event";
      event: string;
      sequence: number;
      id: string;
      time_ms: number;
      user?: string;
      client?: string;
      channel?: string;
      namespace?: string;
      app?: string;
      operation?: string;
      record?: string;
      endpoint?: string;
      note?: string;
    }
  | { type: "begin" | "alive" }
  | { type: "skipped"; count: number }
  | { type: "end"; reason: string };

/** `num_channels`: all of them, of which `channels` may be the first ones alone. */
export interface ClientRow {
  client: string;
  node: string;
  transport: string;
  codec: string;
  name: string;
  version: string;
  address: string;
  connected_ms: number;
  channels: string[];
  num_channels: number;
}

export interface Ban {
  user: string;
  at_ms: number;
  expire_at_ms: number;
  by: string;
  reason: string;
}

export interface Version {
  version: number;
  by: string;
  at_ms: number;
  traceparent: string;
  deleted: boolean;
}

export interface Waiting {
  version: number;
  at_ms: number;
  traceparent: string;
  items: unknown[];
}

export interface Entity {
  version: number;
  state: unknown;
  versions: Version[];
  outbox: Waiting[];
}

export interface Timer {
  app: string;
  kind: string;
  id: string;
  name: string;
  task: string;
  at_ms: number;
  version: number;
  payload: unknown;
  traceparent: string;
}

export type JobState = "pending" | "retrying" | "done" | "dead";

export interface Job {
  id: string;
  app: string;
  connector: string;
  op: string;
  operation: string;
  state: JobState;
  tries: number;
  created_ms: number;
  next_at_ms: number;
  ended_ms: number;
  note: string;
  traceparent: string;
}

export interface Attempt {
  number: number;
  at_ms: number;
  duration_ms: number;
  outcome: string;
  status?: number;
  answer?: string;
  trace_id?: string;
}

export interface JobInFull extends Job {
  payload: unknown;
  attempts: Attempt[];
}

export interface Endpoint {
  id: string;
  app: string;
  event: string;
  url: string;
  configured: boolean;
  disabled: string;
  disabled_ms: number;
  created_ms: number;
  rate_limit: number;
}

export interface Delivery {
  webhook_id: string;
  at_ms: number;
  duration_ms: number;
  outcome: string;
  status: number;
  answer: string;
}

export interface EndpointInFull extends Endpoint {
  attempts: Delivery[];
  failing_since_ms: number;
  previous_secret_until_ms: number;
}

export interface Secret {
  id: string;
  secret: string;
}

export interface AuditRow {
  id: string;
  at_ms: number;
  caller: string;
  operation: string;
  target: string;
  outcome: string;
  traceparent: string;
}

type None = Record<string, never>;
interface Named {
  id: string;
}

/** Each call: what it takes, what it gives. */
export interface Contract {
  "console.info": [None, Info];
  "nodes.list": [{ service: string }, NodeList];
  "nodes.series": [{ figures: string[]; node: string; service: string; after_ms: number }, SeriesPage];
  "apps.list": [{ app: string }, { apps: AppRow[] }];
  "apps.methods": [{ app: string; window_ms: number }, MethodPage];
  "apps.contract": [{ app: string; version: string }, { manifest: unknown }];
  "route.list": [{ app: string }, { routes: RouteRow[] }];
  "route.set": [Route, None];
  "route.remove": [{ app: string; method: string }, None];
  "channels.list": [{ pattern: string; after: string; limit: number; order: "name" | "clients" }, { channels: ChannelRow[]; more: boolean }];
  "channels.show": [{ channel: string }, ChannelShown];
  "channels.presence": [{ channel: string }, { clients: PresenceRow[]; total: number }];
  "channels.history": [
    { channel: string; limit: number; since: { offset: number; epoch: string } | null; reverse: boolean },
    { publications: Publication[]; epoch: string; offset: number },
  ];
  "users.show": [{ user: string }, { clients: ClientRow[]; total: number; ban: Ban | null }];
  "users.disconnect": [{ user: string; client: string; code: number; reason: string }, { clients: number }];
  "users.ban": [{ user: string; expire_at_ms: number; reason: string }, None];
  "users.unban": [{ user: string }, None];
  "users.bans": [{ after: string; limit: number }, { bans: Ban[]; more: boolean }];
  "entity.inspect": [{ app: string; kind: string; id: string }, Entity];
  "timers.list": [{ app: string; kind: string; id: string; after: string; limit: number }, { timers: Timer[]; next: string }];
  "jobs.list": [{ state: JobState | ""; app: string; connector: string; after: string; limit: number }, { jobs: Job[]; more: boolean }];
  "jobs.show": [Named, JobInFull];
  "jobs.redrive": [{ ids: string[] }, { redriven: string[] }];
  "webhooks.list": [{ app: string }, { endpoints: Endpoint[] }];
  "webhooks.show": [Named, EndpointInFull];
  "webhooks.add": [{ app: string; event: string; url: string; rate_limit: number }, Secret];
  "webhooks.test": [Named, Delivery];
  "webhooks.rotate": [{ id: string; overlap_ms: number }, Secret];
  "webhooks.enable": [Named, Named];
  "webhooks.disable": [Named, Named];
  "webhooks.remove": [Named, Named];
  "webhooks.replay": [{ id: string; since_ms: number; until_ms?: number }, { replay: string }];
  "audit.list": [{ before: string; limit: number }, { records: AuditRow[] }];
}

/** The name of a call. */
export type Operation = keyof Contract;
export type Request<O extends Operation> = Contract[O][0];
export type Result<O extends Operation> = Contract[O][1];

/** The calls that go on until their reader leaves. */
export interface Streams {
  "channels.tail": [{ channel: string; history: number }, TailMessage];
  "events.tail": [{ since_ms: number; types: string[] }, EventMessage];
}
