export { CausewayProvider, useCauseway } from "./provider";
export { useConnection, type Connection } from "./connection";
export { useChannel, type CaughtUp, type ChannelOptions, type ChannelState, type ChannelStatus } from "./channel";
export { usePresence, type Member, type Presence } from "./presence";
export { useRpc, type Rpc } from "./rpc";
export { useEntity, type Entity, type EntityOptions, type Loaded } from "./entity";
export { newKey, refusalOf, useOutbox, type Entry, type Outbox, type OutboxOptions } from "./outbox";
