// Written by `causeway client ts apps.auctions:app` from auctions 0.2.0. Do not edit it, write it anew.
import {
  Centrifuge,
  type HistoryOptions,
  type PublicationContext,
  type Subscription,
  type SubscriptionOptions,
} from "centrifuge";

/** Input of `prices`. */
export interface AskPrices {
  currencies: Array<string>;
  lot_id: string;
}

/** A bid on a lot's channel: `seq` counts 1, 2, 3… per lot. `at` is missing in those of versions before 0.2.0. */
export interface BidPublished {
  amount: number;
  at: string | null;
  closes_at: string;
  seq: number;
  type: "bid";
  user: string;
}

/** Answer of `bids`, oldest first. */
export interface Bids {
  bids: Array<BidPublished>;
}

/**
 * What the buyer pays, until when, and with which payment. `client_secret` is for the buyer's browser alone.
 *
 * `state` is the provider's; `pending` while the payment is being asked for, `free` where nothing is to be paid.
 */
export interface Checkout {
  amount: number;
  client_secret: string;
  currency: string;
  pay_by: string;
  payment: string;
  state: string;
}

/** Answer of `clock`: the server's time of day, for countdowns that trust no other clock. */
export interface Clock {
  now: string;
}

/** Input of `contact`: where receipts go; "" for nowhere. */
export interface Contact {
  email: string;
}

/**
 * Input of `create_lot`. `closes_in` and `pay_within` (the time that a buyer has to pay) are seconds.
 *
 * Who sends the same `key` again, since no answer came, gets the first lot and makes no second one.
 */
export interface CreateLot {
  category?: "clocks" | "home" | "instruments" | "music" | "outdoors" | "paper" | "travel" | "other";
  closes_in: number;
  currency: string;
  increment: number;
  key?: string | null;
  pay_within?: number;
  start_price: number;
  title: string;
}

/** Input of `bids`: the newest, or those right before the bid `before`. */
export interface ListBids {
  before?: number | null;
  limit?: number;
  lot_id: string;
}

/**
 * Input of `lots`: those that close first come first, or with `newest` last; of one status, seller, buyer, category.
 *
 * `cursor` is an answer's, for the page behind it.
 */
export interface ListLots {
  buyer?: string | null;
  category?: "clocks" | "home" | "instruments" | "music" | "outdoors" | "paper" | "travel" | "other" | null;
  cursor?: string;
  limit?: number;
  newest?: boolean;
  seller?: string | null;
  status?: "open" | "awaiting_payment" | "sold" | "unsold";
}

export type LotMessage = BidPublished | StatusPublished;

/** A lot by its id. */
export interface LotRef {
  lot_id: string;
}

/** A lot, and the position of its channel that goes with it: what an SDK's `getState` asks for. */
export interface LotSnapshot {
  epoch: string;
  lot: LotView;
  offset: number;
}

/**
 * A lot as its reader sees it. `price` is the start price until somebody bids, `minimum` the least good next bid.
 *
 * `pay_by` is set while the lot waits for its buyer (the `leader`, or who got a second chance: `buyer`); `maximum` is the reader's own
 * standing proxy bid.
 */
export interface LotView {
  bids: number;
  buyer: string | null;
  category: "clocks" | "home" | "instruments" | "music" | "outdoors" | "paper" | "travel" | "other";
  closes_at: string;
  currency: string;
  increment: number;
  leader: string | null;
  lot_id: string;
  maximum: number | null;
  minimum: number;
  pay_by: string | null;
  price: number;
  seller: string;
  start_price: number;
  status: "open" | "awaiting_payment" | "sold" | "unsold";
  title: string;
}

/** A page of lots. `cursor` "": there are no more. */
export interface Lots {
  cursor: string;
  lots: Array<LotView>;
}

/** What a bidder is told on their own channel: `outbid`, `offered` (pay until `pay_by`), `sold` (to you). `amount` is the price. */
export interface Notice {
  amount: number;
  currency: string;
  lot_id: string;
  pay_by: string | null;
  title: string;
  type: "outbid" | "offered" | "sold";
}

/** Input of `pay`: with this payment method of the provider. */
export interface Pay {
  lot_id: string;
  method: string;
}

/**
 * Input of `bid`: a plain bid, whose amount becomes the price.
 *
 * Who sends the same `key` again, since no answer came, gets the first answer and bids no second time.
 */
export interface PlaceBid {
  amount: number;
  key?: string | null;
  lot_id: string;
}

/** Input of `proxy_bid`: bid for me, as little as needed, up to this maximum. `key` as of `bid`. */
export interface PlaceProxy {
  key?: string | null;
  lot_id: string;
  maximum: number;
}

/**
 * A lot's price in other currencies, in their minor units; those without a rate are left out.
 *
 * `rates`: `fresh`, `stale` (the rates of before, since the source is away) or `away` (there are none).
 */
export interface Prices {
  currency: string;
  price: number;
  prices: Record<string, number>;
  rates: "fresh" | "stale" | "away";
}

/** Answer of `bid` and `proxy_bid`: how the lot stands behind it, answers of a proxy included. */
export interface Standing {
  bids: number;
  closes_at: string;
  leader: string;
  price: number;
}

/** A lot's new status on its channel: closed, offered to the next bidder, sold, unsold. */
export interface StatusPublished {
  at: string;
  buyer: string | null;
  price: number;
  status: "open" | "awaiting_payment" | "sold" | "unsold";
  type: "status";
}

/** Input of `watch`: put a lot on the watch list, or (`on` false) take it off. */
export interface Watch {
  lot_id: string;
  on?: boolean;
}

/** Answer of `watch`: the lots on the watch list, the latest last. */
export interface Watched {
  lot_ids: Array<string>;
}

/** A refusal: the app's own code and message, or the system's. A temporary one may be tried again. */
export class AuctionsError extends Error {
  readonly code: number;
  readonly temporary: boolean;

  constructor(code: number, message: string, temporary: boolean) {
    super(message);
    this.name = "AuctionsError";
    this.code = code;
    this.temporary = temporary;
  }

  /** What the SDK rejects with, as an error of this kind; anything else as it is. */
  static of(error: unknown): unknown {
    if (error instanceof Error || typeof error !== "object" || error === null || !("code" in error)) {
      return error;
    }
    const { code, message, temporary } = error as { code: number; message?: string; temporary?: boolean };
    return new AuctionsError(code, message ?? "", temporary ?? false);
  }
}

/** A publication's offset, author and tags beside its message. */
export type AuctionsContext<Message> = Omit<PublicationContext, "data"> & { data: Message };

/** A channel whose messages are `Message`, and in which a client may publish `Sent`. `subscription` is the SDK's own. */
export class AuctionsChannel<Message, Sent = never> {
  readonly name: string;
  readonly subscription: Subscription;

  constructor(centrifuge: Centrifuge, name: string, options?: SubscriptionOptions) {
    this.name = name;
    this.subscription = centrifuge.getSubscription(name) ?? centrifuge.newSubscription(name, options);
  }

  /** Calls `handler` with every message, until the function that is returned is called. */
  onMessage(handler: (message: Message, context: AuctionsContext<Message>) => void): () => void {
    const listener = (context: PublicationContext): void => handler(context.data as Message, context);
    this.subscription.on("publication", listener);
    return () => {
      this.subscription.removeListener("publication", listener);
    };
  }

  /** Subscribes; done once subscribed, fails where that is refused. */
  async subscribe(): Promise<void> {
    let refused: AuctionsError | undefined;
    const listener = (context: { code: number; reason: string }): void => {
      refused = new AuctionsError(context.code, context.reason, false);
    };
    this.subscription.on("unsubscribed", listener);
    try {
      this.subscription.subscribe();
      await this.subscription.ready();
    } catch (error) {
      throw refused ?? AuctionsError.of(error);
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
      throw AuctionsError.of(error);
    }
  }

  /** A page of the channel's log, where clients may read it. */
  async history(options: HistoryOptions): Promise<Array<Message>> {
    try {
      const page = await this.subscription.history(options);
      return page.publications.map((publication) => publication.data as Message);
    } catch (error) {
      throw AuctionsError.of(error);
    }
  }
}

/** The app auctions, 0.2.0. */
export class Auctions {
  readonly centrifuge: Centrifuge;

  /** A client of the app over a connection of the SDK, which stays the caller's to connect and to disconnect. */
  constructor(centrifuge: Centrifuge) {
    this.centrifuge = centrifuge;
  }

  /** A lot's price in other currencies. Without rates the page still has its price: `rates` says `away`. */
  async prices(data: AskPrices): Promise<Prices> {
    return (await this.call("auctions.prices", data)) as Prices;
  }

  /** What the buyer pays and with which payment: the page gives its `client_secret` to the provider's form. */
  async checkout(data: LotRef): Promise<Checkout> {
    return (await this.call("auctions.checkout", data)) as Checkout;
  }

  /** Pay with a method that the provider knows. Whether the answer arrives or not, the provider's event tells the same. */
  async pay(data: Pay): Promise<Checkout> {
    return (await this.call("auctions.pay", data)) as Checkout;
  }

  /** Offer something. The caller is its seller; the lot closes by itself. */
  async createLot(data: CreateLot): Promise<LotRef> {
    return (await this.call("auctions.create_lot", data)) as LotRef;
  }

  /** Bid. The amount becomes the price, unless a standing proxy bid answers it. 409: a higher bid stands; 410: closed. */
  async bid(data: PlaceBid): Promise<Standing> {
    return (await this.call("auctions.bid", data)) as Standing;
  }

  /** Have the lot bid for the caller, as little as needed, up to a maximum that nobody else sees. Refusals as of `bid`. */
  async proxyBid(data: PlaceProxy): Promise<Standing> {
    return (await this.call("auctions.proxy_bid", data)) as Standing;
  }

  /** Take an open lot back. 410: it is closed. */
  async withdraw(data: LotRef): Promise<LotView> {
    return (await this.call("auctions.withdraw", data)) as LotView;
  }

  /** A lot as it is now. */
  async lot(data: LotRef): Promise<LotView> {
    return (await this.call("auctions.lot", data)) as LotView;
  }

  /** A lot, and the position of its channel that goes with it: for an SDK's `getState`. */
  async snapshot(data: LotRef): Promise<LotSnapshot> {
    return (await this.call("auctions.snapshot", data)) as LotSnapshot;
  }

  /** Lots of one status, those that close first come first. */
  async lots(data: ListLots): Promise<Lots> {
    return (await this.call("auctions.lots", data)) as Lots;
  }

  /** The newest bids on a lot, or those right before the bid `before`; oldest first. The last thousand are kept. */
  async bids(data: ListBids): Promise<Bids> {
    return (await this.call("auctions.bids", data)) as Bids;
  }

  /** What time it is here. */
  async clock(): Promise<Clock> {
    return (await this.call("auctions.clock", {})) as Clock;
  }

  /** Put a lot on the caller's watch list, or take it off; again is no error. Answers with the whole list. */
  async watch(data: Watch): Promise<Watched> {
    return (await this.call("auctions.watch", data)) as Watched;
  }

  /** The lots on the caller's watch list, the latest first; those that are gone are left out. */
  async watched(): Promise<Lots> {
    return (await this.call("auctions.watched", {})) as Lots;
  }

  /** Say where receipts go. */
  async contact(data: Contact): Promise<Contact> {
    return (await this.call("auctions.contact", data)) as Contact;
  }

  /** The channel `bidder:{user}`. */
  bidderChannel(at: { user: string }, options?: SubscriptionOptions): AuctionsChannel<Notice, never> {
    return new AuctionsChannel(this.centrifuge, `bidder:${at.user}`, options);
  }

  /** The channel `lot:{lot_id}`. */
  lotChannel(at: { lot_id: string }, options?: SubscriptionOptions): AuctionsChannel<LotMessage, never> {
    return new AuctionsChannel(this.centrifuge, `lot:${at.lot_id}`, options);
  }

  private async call(method: string, data: unknown): Promise<unknown> {
    try {
      return (await this.centrifuge.rpc(method, data)).data as unknown;
    } catch (error) {
      throw AuctionsError.of(error);
    }
  }
}
