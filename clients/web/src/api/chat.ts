// Written by `causeway client ts apps.chat:app` from chat 0.3.0. Do not edit it, write it anew.
import {
  Centrifuge,
  type HistoryOptions,
  type PublicationContext,
  type Subscription,
  type SubscriptionOptions,
} from "centrifuge";

/** Input of `chat.appoint`: what the member is from now on. */
export interface Appoint {
  role: "moderator" | "member";
  room: string;
  user: string;
}

/** A file that lies elsewhere. */
export interface Attachment {
  name: string;
  size: number;
  type: string;
  url: string;
}

/** A file that lies elsewhere. */
export interface AttachmentInput {
  name: string;
  size: number;
  type: string;
  url: string;
}

export type ChatMessage = MessagePublished | Edited | Deleted;

/** Input of `chat.create_room`. Into a private room one comes by invitation only. */
export interface CreateRoom {
  name: string;
  private?: boolean;
}

/** A message was taken back, by its author or a moderator. */
export interface Deleted {
  at: string;
  by: string;
  id: string;
  type: "deleted";
}

/** Input of `chat.edit`. */
export interface Edit {
  id: string;
  room: string;
  text: string;
}

/** A message has another text now. */
export interface Edited {
  at: string;
  id: string;
  text: string;
  type: "edited";
}

/** A room that a user is invited into. */
export interface Invitation {
  name: string;
  room: string;
}

/** Input of `chat.snapshot`. */
export interface LoadRoom {
  limit?: number;
  room: string;
}

/** A user in a room: input of `chat.invite`, `chat.ban`, `chat.unban`. */
export interface Member {
  room: string;
  user: string;
}

/**
 * One message as its readers see it; what it has not is left out. `id` counts up within the room, from "1".
 *
 * Attributes:
 *     reply_to: the message that it answers; `thread` is the first one of that exchange.
 *     edited_at: when its text was changed last.
 *     deleted: it was taken back, by its author or a moderator; its text is gone.
 *     key: what its author sent it with, and knows its own message by.
 */
export interface Message {
  at: string;
  attachments: Array<Attachment>;
  deleted: boolean;
  edited_at: string | null;
  id: string;
  key: string | null;
  reply_to: string | null;
  text: string;
  thread: string | null;
  user: string;
}

/** A message on the room's channel. */
export interface MessagePublished {
  at: string;
  attachments: Array<Attachment>;
  deleted: boolean;
  edited_at: string | null;
  id: string;
  key: string | null;
  reply_to: string | null;
  text: string;
  thread: string | null;
  type: "message";
  user: string;
}

/** One message: input of `chat.delete`, `chat.read` and `chat.thread`, answer of `chat.edit`, `chat.delete` and `chat.read`. */
export interface MessageRef {
  id: string;
  room: string;
}

/** One message: input of `chat.delete`, `chat.read` and `chat.thread`, answer of `chat.edit`, `chat.delete` and `chat.read`. */
export interface MessageRefInput {
  id: string;
  room: string;
}

/** Messages, oldest first; of a search the newest first. */
export interface Messages {
  messages: Array<Message>;
}

/** Input of `chat.mute`; 0 seconds end it. */
export interface Mute {
  room: string;
  seconds: number;
  user: string;
}

/** One of the rooms of a user, and how many messages there it has not read. */
export interface MyRoom {
  messages: number;
  name: string;
  room: string;
  unread: number;
}

/** Answer of `chat.rooms`. */
export interface MyRooms {
  invitations: Array<Invitation>;
  rooms: Array<MyRoom>;
}

/** Input and answer of `chat.profile`: "" takes no mail, nothing given asks what it is. */
export interface Profile {
  email: string | null;
}

/** Input and answer of `chat.profile`: "" takes no mail, nothing given asks what it is. */
export interface ProfileInput {
  email?: string | null;
}

/** Input of `chat.history`: the newest messages, or those right before the message `before`. */
export interface ReadHistory {
  before?: string | null;
  limit?: number;
  room: string;
}

/** On `chat_read:<room>`: how far a member has read. */
export interface ReadPublished {
  id: string;
  type: "read";
  user: string;
}

/** What a member is in a room. Whoever made it owns it. */
export type Role = "owner" | "moderator" | "member";

/** A room by its id. */
export interface RoomRef {
  room: string;
}

/** Answer of `chat.snapshot`: the newest messages, oldest first, and the position of `chat:<room>` from which one misses nothing. */
export interface RoomSnapshot {
  epoch: string;
  messages: Array<Message>;
  offset: number;
}

/** Answer of `chat.room`: a room as its members see it. */
export interface RoomView {
  members: Array<string>;
  messages: number;
  muted: Record<string, string>;
  name: string;
  private: boolean;
  roles: Record<string, Role>;
  room: string;
}

/** Input of `chat.search`: messages that have all of these words. */
export interface Search {
  limit?: number;
  room: string;
  text: string;
}

/**
 * Input of `chat.send`.
 *
 * Who sends the same `key` again, since no answer came, gets the first answer and sends no second message.
 */
export interface Send {
  attachments?: Array<AttachmentInput>;
  key?: string | null;
  reply_to?: string | null;
  room: string;
  text: string;
}

/** Answer of `chat.send`. */
export interface Sent {
  id: string;
}

/** What a client publishes to `chat_typing:<room>`. */
export interface Typing {
  typing: boolean;
}

/** What the members of the room get. */
export interface TypingPublished {
  type: "typing";
  typing: boolean;
  user: string;
}

/** A refusal: the app's own code and message, or the system's. A temporary one may be tried again. */
export class ChatError extends Error {
  readonly code: number;
  readonly temporary: boolean;

  constructor(code: number, message: string, temporary: boolean) {
    super(message);
    this.name = "ChatError";
    this.code = code;
    this.temporary = temporary;
  }

  /** What the SDK rejects with, as an error of this kind; anything else as it is. */
  static of(error: unknown): unknown {
    if (error instanceof Error || typeof error !== "object" || error === null || !("code" in error)) {
      return error;
    }
    const { code, message, temporary } = error as { code: number; message?: string; temporary?: boolean };
    return new ChatError(code, message ?? "", temporary ?? false);
  }
}

/** A publication's offset, author and tags beside its message. */
export type ChatContext<Message> = Omit<PublicationContext, "data"> & { data: Message };

/** A channel whose messages are `Message`, and in which a client may publish `Sent`. `subscription` is the SDK's own. */
export class ChatChannel<Message, Sent = never> {
  readonly name: string;
  readonly subscription: Subscription;

  constructor(centrifuge: Centrifuge, name: string, options?: SubscriptionOptions) {
    this.name = name;
    this.subscription = centrifuge.getSubscription(name) ?? centrifuge.newSubscription(name, options);
  }

  /** Calls `handler` with every message, until the function that is returned is called. */
  onMessage(handler: (message: Message, context: ChatContext<Message>) => void): () => void {
    const listener = (context: PublicationContext): void => handler(context.data as Message, context);
    this.subscription.on("publication", listener);
    return () => {
      this.subscription.removeListener("publication", listener);
    };
  }

  /** Subscribes; done once subscribed, fails where that is refused. */
  async subscribe(): Promise<void> {
    let refused: ChatError | undefined;
    const listener = (context: { code: number; reason: string }): void => {
      refused = new ChatError(context.code, context.reason, false);
    };
    this.subscription.on("unsubscribed", listener);
    try {
      this.subscription.subscribe();
      await this.subscription.ready();
    } catch (error) {
      throw refused ?? ChatError.of(error);
    } finally {
      this.subscription.removeListener("unsubscribed", listener);
    }
  }

  /** Ends the subscription; `subscribe` goes on where it was. */
  unsubscribe(): void {
    this.subscription.unsubscribe();
  }

  /** Publishes as this client, where the channel lets clients. */
  async publish(data: Sent): Promise<void> {
    try {
      await this.subscription.publish(data);
    } catch (error) {
      throw ChatError.of(error);
    }
  }

  /** A page of the channel's log, where clients may read it. */
  async history(options: HistoryOptions): Promise<Array<Message>> {
    try {
      const page = await this.subscription.history(options);
      return page.publications.map((publication) => publication.data as Message);
    } catch (error) {
      throw ChatError.of(error);
    }
  }
}

/** The app chat, 0.3.0. */
export class Chat {
  readonly centrifuge: Centrifuge;

  /** A client of the app over a connection of the SDK, which stays the caller's to connect and to disconnect. */
  constructor(centrifuge: Centrifuge) {
    this.centrifuge = centrifuge;
  }

  /** Make a room; the caller owns it. */
  async createRoom(data: CreateRoom): Promise<RoomRef> {
    return (await this.call("chat.create_room", data)) as RoomRef;
  }

  /** Become a member; again is no error. */
  async join(data: RoomRef): Promise<RoomRef> {
    return (await this.call("chat.join", data)) as RoomRef;
  }

  /** Be a member no more; again is no error. */
  async leave(data: RoomRef): Promise<RoomRef> {
    return (await this.call("chat.leave", data)) as RoomRef;
  }

  /** The room as its members see it. */
  async room(data: RoomRef): Promise<RoomView> {
    return (await this.call("chat.room", data)) as RoomView;
  }

  /** The rooms of the caller with what is unread, and those it is invited into, by name; up to 200 and 50. */
  async rooms(): Promise<MyRooms> {
    return (await this.call("chat.rooms", {})) as MyRooms;
  }

  /** Tell where mail about mentions goes, or ask what was told. */
  async profile(data: ProfileInput): Promise<Profile> {
    return (await this.call("chat.profile", data)) as Profile;
  }

  /** Let a user join a private room. It finds the invitation among its rooms. */
  async invite(data: Member): Promise<RoomRef> {
    return (await this.call("chat.invite", data)) as RoomRef;
  }

  /** Make a member a moderator, or a member again. */
  async appoint(data: Appoint): Promise<RoomRef> {
    return (await this.call("chat.appoint", data)) as RoomRef;
  }

  /** Let a member be silent for so many seconds: it reads on, and sends nothing. */
  async mute(data: Mute): Promise<RoomRef> {
    return (await this.call("chat.mute", data)) as RoomRef;
  }

  /** Put a user out of the room, its live connections at once, and keep it out. */
  async ban(data: Member): Promise<RoomRef> {
    return (await this.call("chat.ban", data)) as RoomRef;
  }

  /** Let a banned user join again. */
  async unban(data: Member): Promise<RoomRef> {
    return (await this.call("chat.unban", data)) as RoomRef;
  }

  /** Messages that have all words of `text`, the newest first. A new message is found after about a second. */
  async search(data: Search): Promise<Messages> {
    return (await this.call("chat.search", data)) as Messages;
  }

  /** Send a message: stored, published to the members and told to outside receivers, all or nothing. */
  async send(data: Send): Promise<Sent> {
    return (await this.call("chat.send", data)) as Sent;
  }

  /** Give a message of one's own another text. */
  async edit(data: Edit): Promise<MessageRef> {
    return (await this.call("chat.edit", data)) as MessageRef;
  }

  /** Take a message back; again is no error. Its text and attachments are gone, that it was there stays. */
  async delete(data: MessageRefInput): Promise<MessageRef> {
    return (await this.call("chat.delete", data)) as MessageRef;
  }

  /** The newest `limit` messages, or the newest before the message `before`; oldest first, as they are by now. */
  async history(data: ReadHistory): Promise<Messages> {
    return (await this.call("chat.history", data)) as Messages;
  }

  /** The newest messages with a position of the room's channel: for an SDK's `getState`. What came between is in both. */
  async snapshot(data: LoadRoom): Promise<RoomSnapshot> {
    return (await this.call("chat.snapshot", data)) as RoomSnapshot;
  }

  /** The first 200 messages of a thread, whichever of its messages is named. A new one is in it after about a second. */
  async thread(data: MessageRefInput): Promise<Messages> {
    return (await this.call("chat.thread", data)) as Messages;
  }

  /** Tell that everything up to this message was read; it never goes back. */
  async read(data: MessageRefInput): Promise<MessageRef> {
    return (await this.call("chat.read", data)) as MessageRef;
  }

  /** The channel `chat:{room}`. */
  chatChannel(at: { room: string }, options?: SubscriptionOptions): ChatChannel<ChatMessage, never> {
    return new ChatChannel(this.centrifuge, `chat:${at.room}`, options);
  }

  /** The channel `chat_read:{room}`. */
  chatReadChannel(at: { room: string }, options?: SubscriptionOptions): ChatChannel<ReadPublished, never> {
    return new ChatChannel(this.centrifuge, `chat_read:${at.room}`, options);
  }

  /** The channel `chat_typing:{room}`. */
  chatTypingChannel(at: { room: string }, options?: SubscriptionOptions): ChatChannel<TypingPublished, Typing> {
    return new ChatChannel(this.centrifuge, `chat_typing:${at.room}`, options);
  }

  private async call(method: string, data: unknown): Promise<unknown> {
    try {
      return (await this.centrifuge.rpc(method, data)).data as unknown;
    } catch (error) {
      throw ChatError.of(error);
    }
  }
}
