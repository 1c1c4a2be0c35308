/** A message as the page shows it. `key` stays the same from the moment it was written here until it is everybody's. */
export interface Shown {
  key: string;
  id: string | null;
  user: string;
  text: string;
  at: string;
  editedAt: string | null;
  deleted: boolean;
  state: "sent" | "sending" | "failed";
  failure?: string;
}

/** What happens to the messages of a room. */
export type Event =
  | { kind: "loaded"; messages: unknown[] }
  | { kind: "published"; data: unknown }
  | { kind: "written"; key: string; user: string; text: string; at: string }
  | { kind: "accepted"; key: string; id: string }
  | { kind: "failed"; key: string; failure: string }
  | { kind: "discarded"; key: string };

export const KEPT = 200;

/** The messages after the event: those of the room by their number, the newest 200, and behind them those that are on their way. */
export function next(before: readonly Shown[], event: Event): readonly Shown[] {
  switch (event.kind) {
    case "loaded":
      return ordered(event.messages.flatMap((data) => read(data) ?? []).reduce(merged, before));
    case "published":
      return ordered(published(before, event.data));
    case "written": {
      const { key, user, text, at } = event;
      return [...before, { key, id: null, user, text, at, editedAt: null, deleted: false, state: "sending" }];
    }
    case "accepted":
      return ordered(accepted(before, event.key, event.id));
    case "failed":
      return before.map((each) => (each.key === event.key ? { ...each, state: "failed", failure: event.failure } : each));
    case "discarded":
      return before.filter((each) => each.key !== event.key);
  }
}

function published(before: readonly Shown[], data: unknown): readonly Shown[] {
  const fields = record(data);
  if (fields["type"] === "edited" || fields["type"] === "deleted") {
    return before.map((each) => (each.id === null || each.id !== fields["id"] ? each : amended(each, fields)));
  }
  const message = read(data);
  return message && (fields["type"] === "message" || fields["type"] === undefined) ? merged(before, message) : before;
}

function amended(message: Shown, fields: Record<string, unknown>): Shown {
  if (fields["type"] === "deleted") {
    return { ...message, deleted: true, text: "" };
  }
  const newer = typeof fields["at"] === "string" && fields["at"] >= (message.editedAt ?? "");
  return newer && typeof fields["text"] === "string" ? { ...message, text: fields["text"], editedAt: fields["at"] as string } : message;
}

/** A message that came: the one of its number, or the one written here that it is, or a new one. */
function merged(before: readonly Shown[], came: Shown): readonly Shown[] {
  const at = before.findIndex((each) => each.id === came.id);
  const known = before[at];
  if (known) {
    const older = !came.deleted && (known.deleted || (known.editedAt ?? "") > (came.editedAt ?? ""));
    return older ? before : before.with(at, { ...came, key: known.key });
  }
  // The answer to a call and the message race each other: the first one of one's own with this text is the one.
  const own = before.findIndex((each) => each.id === null && each.state === "sending" && each.user === came.user && each.text === came.text);
  const written = before[own];
  return written ? before.with(own, { ...came, key: written.key }) : [...before, came];
}

function accepted(before: readonly Shown[], key: string, id: string): readonly Shown[] {
  if (before.some((each) => each.id === id)) {
    return before.filter((each) => each.key !== key || each.id === id);
  }
  return before.map((each) => (each.key === key && each.id === null ? { ...each, id, state: "sent" } : each));
}

function ordered(messages: readonly Shown[]): readonly Shown[] {
  const there = messages.filter((each) => each.id !== null).sort((a, b) => Number(a.id) - Number(b.id));
  return [...there.slice(-KEPT), ...messages.filter((each) => each.id === null)];
}

function read(data: unknown): Shown | null {
  const { id, user, text, at, edited_at: editedAt, deleted } = record(data);
  if (typeof id !== "string" || typeof user !== "string" || typeof text !== "string" || typeof at !== "string") {
    return null;
  }
  return { key: `m${id}`, id, user, text, at, editedAt: typeof editedAt === "string" ? editedAt : null, deleted: deleted === true, state: "sent" };
}

function record(data: unknown): Record<string, unknown> {
  return typeof data === "object" && data !== null ? (data as Record<string, unknown>) : {};
}
