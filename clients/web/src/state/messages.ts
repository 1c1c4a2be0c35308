import type { Entry } from "@causeway/react";

/**
 * A message of a room as the page knows it. `place` stays the same from the moment it was written here until it is everybody's;
 * `strange`: a newer server said something that this page does not understand.
 */
export interface Message {
  place: string;
  id: string;
  user: string;
  text: string;
  at: string;
  editedAt: string | null;
  deleted: boolean;
  key: string | null;
  replyTo: string | null;
  thread: string | null;
  strange: boolean;
}

/** What one does in a room. `after`: the newest message that was there when it was written. */
export type Act = { room: string } & (
  | { do: "send"; text: string; replyTo: string | null; thread: string | null; after: string | null }
  | { do: "edit"; id: string; text: string }
  | { do: "delete"; id: string }
);

/** A message as it is shown: as it is, or as it will be once `entry` has been answered. An `id` of "" has none yet. */
export interface Shown {
  message: Message;
  entry: Entry<Act> | null;
}

/** What happens to the messages of a room. `accepted`: one's own was answered with its number. */
export type Event =
  | { kind: "loaded"; messages: readonly unknown[] }
  | { kind: "published"; data: unknown }
  | { kind: "accepted"; entry: Entry<Act>; user: string; id: string };

export const KEPT = 200;

/** The messages after the event: those of the room by their number, the newest 200. */
export function next(before: readonly Message[], event: Event): readonly Message[] {
  switch (event.kind) {
    case "loaded":
      return newest(event.messages.flatMap((data) => read(data) ?? []).reduce(merged, before));
    case "published":
      return newest(published(before, event.data));
    case "accepted":
      return newest(accepted(before, event.entry, event.user, event.id));
  }
}

/** What is shown: the room's messages with one's own changes that are on their way, and behind them what is not sent yet. */
export function shown(messages: readonly Message[], entries: readonly Entry<Act>[], me: string): readonly Shown[] {
  const changes = new Map<string, Entry<Act>>();
  const unsent: Shown[] = [];
  const there = new Set(messages.flatMap(({ user, key }) => (user === me && key !== null ? [key] : [])));
  for (const entry of entries) {
    if (entry.data.do !== "send") {
      changes.set(entry.data.id, entry);
    } else if (!there.has(entry.key)) {
      unsent.push({ message: written(entry, me, ""), entry });
    }
  }
  return [...messages.map((message) => changed(message, changes.get(message.id) ?? null)), ...unsent];
}

/** How many answers each first message of a thread has. */
export function answers(messages: readonly Message[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { thread } of messages) {
    if (thread !== null) {
      counts.set(thread, (counts.get(thread) ?? 0) + 1);
    }
  }
  return counts;
}

/** The first message of the thread that a message belongs to or would begin. */
export function threadOf({ thread, id }: Message): string {
  return thread ?? id;
}

/** A message that somebody published or that was loaded; null where it is none. */
export function read(data: unknown): Message | null {
  const { id, user, text, at, edited_at: editedAt, deleted, key, reply_to: replyTo, thread, type } = record(data);
  if (!isNumber(id) || typeof user !== "string") {
    return null;
  }
  const strange = typeof text !== "string" || typeof at !== "string" || (type !== undefined && type !== "message");
  return {
    place: typeof key === "string" ? placeOf(user, key) : `m${id}`,
    id,
    user,
    text: typeof text === "string" ? text : "",
    at: typeof at === "string" ? at : "",
    editedAt: typeof editedAt === "string" ? editedAt : null,
    deleted: deleted === true,
    key: typeof key === "string" ? key : null,
    replyTo: isNumber(replyTo) ? replyTo : null,
    thread: isNumber(thread) ? thread : null,
    strange,
  };
}

function changed(message: Message, entry: Entry<Act> | null): Shown {
  if (entry === null || entry.data.do === "send" || entry.state === "refused") {
    return { message, entry };
  }
  const { data } = entry;
  return { message: data.do === "edit" ? { ...message, text: data.text } : { ...message, deleted: true, text: "" }, entry };
}

function published(before: readonly Message[], data: unknown): readonly Message[] {
  const fields = record(data);
  if (fields["type"] === "edited" || fields["type"] === "deleted") {
    return before.map((each) => (each.id === fields["id"] ? amended(each, fields) : each));
  }
  const message = read(data);
  return message ? merged(before, message) : before;
}

function amended(message: Message, fields: Record<string, unknown>): Message {
  if (fields["type"] === "deleted") {
    return { ...message, deleted: true, text: "" };
  }
  const newer = typeof fields["at"] === "string" && fields["at"] >= (message.editedAt ?? "");
  return newer && typeof fields["text"] === "string" ? { ...message, text: fields["text"], editedAt: fields["at"] as string } : message;
}

/** A message that came: the one of its number, or a new one. */
function merged(before: readonly Message[], came: Message): readonly Message[] {
  const at = before.findIndex((each) => each.id === came.id);
  const known = before[at];
  if (known) {
    const older = came.strange || (!came.deleted && (known.deleted || (known.editedAt ?? "") > (came.editedAt ?? "")));
    return older ? before : before.with(at, { ...came, place: known.place });
  }
  // A client of somebody's own may use its keys twice; a place is one message's.
  const taken = before.some((each) => each.place === came.place);
  return [...before, taken ? { ...came, place: `m${came.id}` } : came];
}

function accepted(before: readonly Message[], entry: Entry<Act>, user: string, id: string): readonly Message[] {
  const { data } = entry;
  switch (data.do) {
    case "send":
      return before.some((each) => each.id === id) ? before : [...before, written(entry, user, id)];
    case "edit":
      return before.map((each) => (each.id === data.id ? { ...each, text: data.text, editedAt: each.editedAt ?? each.at } : each));
    case "delete":
      return published(before, { type: "deleted", id: data.id });
  }
}

function written({ key, at, data }: Entry<Act>, user: string, id: string): Message {
  const { text = "", replyTo = null, thread = null } = data.do === "send" ? data : {};
  return { place: placeOf(user, key), id, user, text, at, editedAt: null, deleted: false, key, replyTo, thread, strange: false };
}

function newest(messages: readonly Message[]): readonly Message[] {
  return messages.toSorted((a, b) => Number(a.id) - Number(b.id)).slice(-KEPT);
}

function placeOf(user: string, key: string): string {
  return `k${key}.${user}`;
}

function isNumber(found: unknown): found is string {
  return typeof found === "string" && /^[1-9][0-9]{0,14}$/.test(found);
}

function record(data: unknown): Record<string, unknown> {
  return typeof data === "object" && data !== null ? (data as Record<string, unknown>) : {};
}
