// The published JavaScript SDK under remote control: commands come as JSON lines on stdin, answers and events leave as JSON lines on stdout.
// Run by tests/interop/driver.py; one process serves many clients.
import { createInterface } from 'node:readline';
import { Centrifuge as JsonCentrifuge } from 'centrifuge';
import { Centrifuge as ProtobufCentrifuge } from 'centrifuge/build/protobuf';
import WebSocket from 'ws';
import EventSource from 'eventsource';

const clients = new Map();
const say = (message) => process.stdout.write(JSON.stringify(message) + '\n');
const text = (data) => (data instanceof Uint8Array ? { bytes: Buffer.from(data).toString('base64') } : data);
const bytes = (data) => new TextEncoder().encode(JSON.stringify(data));

// Every request on a connection of its own, so that commands of an emulated client land on any gateway.
const scattered = (url, options) => fetch(url, { ...options, headers: { ...options?.headers, connection: 'close' } });

function connect({ c, url, protobuf, transports, tokens, ...options }) {
  const Centrifuge = protobuf ? ProtobufCentrifuge : JsonCentrifuge;
  const client = new Centrifuge(transports ?? url, {
    websocket: WebSocket,
    eventsource: EventSource,
    fetch: scattered,
    minReconnectDelay: 20,
    maxReconnectDelay: 200,
    ...options,
    data: options.data === undefined ? undefined : protobuf ? bytes(options.data) : options.data,
    ...(tokens ? { getToken: async () => tokens.shift() } : {}),
  });
  for (const event of ['connecting', 'connected', 'disconnected', 'error', 'message'])
    client.on(event, (context) => say({ c, event, context: plain(context) }));
  for (const event of ['publication', 'join', 'leave', 'subscribed', 'subscribing', 'unsubscribed'])
    client.on(event, (context) => say({ c, event: `server_${event}`, channel: context.channel, context: plain(context) }));
  clients.set(c, { client, protobuf });
  client.connect();
  return {};
}

function subscribe({ c, channel, tokens, ...options }) {
  const { client, protobuf } = clients.get(c);
  const subscription = client.newSubscription(channel, {
    minResubscribeDelay: 20,
    maxResubscribeDelay: 200,
    ...options,
    data: options.data === undefined ? undefined : protobuf ? bytes(options.data) : options.data,
    ...(tokens ? { getToken: async () => tokens.shift() } : {}),
  });
  for (const event of ['publication', 'join', 'leave', 'subscribed', 'subscribing', 'unsubscribed', 'error'])
    subscription.on(event, (context) => say({ c, event, channel, context: plain(context) }));
  subscription.subscribe();
  return {};
}

function plain(context) {
  return JSON.parse(JSON.stringify(context, (key, value) => {
    if (value instanceof Uint8Array) return text(value);
    if (value instanceof Map) return Object.fromEntries(value);
    return typeof value === 'bigint' ? Number(value) : value;
  }));
}

const operations = {
  connect,
  subscribe,
  unsubscribe: ({ c, channel }) => clients.get(c).client.getSubscription(channel).unsubscribe() ?? {},
  publish: ({ c, channel, data }) => clients.get(c).client.publish(channel, clients.get(c).protobuf ? bytes(data) : data),
  history: ({ c, channel, ...options }) => clients.get(c).client.history(channel, options),
  presence: ({ c, channel }) => clients.get(c).client.presence(channel),
  presence_stats: ({ c, channel }) => clients.get(c).client.presenceStats(channel),
  rpc: ({ c, method, data }) => clients.get(c).client.rpc(method, clients.get(c).protobuf ? bytes(data) : data),
  send: ({ c, data }) => clients.get(c).client.send(clients.get(c).protobuf ? bytes(data) : data),
  disconnect: ({ c }) => clients.get(c).client.disconnect() ?? {},
  reconnect: ({ c }) => clients.get(c).client.connect() ?? {},
  // As if the network had gone: the socket is cut, the SDK comes back by itself.
  drop: ({ c }) => { clients.get(c).client._transport.transport?._transport?.terminate?.() ?? clients.get(c).client._transport._transport?.terminate?.(); return {}; },
  transport: ({ c }) => ({ name: clients.get(c).client._transport?.name?.() }),
};

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { n, op, ...rest } = JSON.parse(line);
  try {
    say({ n, ok: plain((await operations[op](rest)) ?? {}) });
  } catch (error) {
    say({ n, error: { code: error.code ?? -1, message: error.message ?? String(error) } });
  }
}).on('close', () => process.exit(0));
