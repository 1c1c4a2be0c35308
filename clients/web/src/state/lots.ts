import type { BidPublished, LotMessage, LotView, Standing } from "../api/auctions";

/** A lot as its page shows it: with its newest bids, oldest first, and by how many milliseconds the last one put off the end. */
export interface Live {
  readonly lot: LotView;
  readonly bids: readonly BidPublished[];
  readonly extendedBy: number;
}

export const BIDS_KEPT = 100;

/** Whether this is a message that the page understands at all; who has the API key may publish anything. */
export function isMessage(data: unknown): data is LotMessage {
  const { type, seq, amount, status } = (typeof data === "object" && data !== null ? data : {}) as Record<string, unknown>;
  return type === "bid" ? typeof seq === "number" && typeof amount === "number" : type === "status" && typeof status === "string";
}

/** The lot after a message of its channel; what it knows already changes nothing. What a newer server says is left alone. */
export function applied(lot: LotView, message: LotMessage): LotView {
  if (!isMessage(message)) {
    return lot;
  }
  switch (message.type) {
    case "bid":
      return message.seq > lot.bids ? raised(lot, message.amount, message.user, message.seq, message.closes_at) : lot;
    case "status": {
      const { status, price, buyer } = message;
      return { ...lot, status, price, buyer, maximum: null };
    }
  }
}

/** The lot behind the answer to one's own bid, which may come before the messages that tell of it. */
export function stood(lot: LotView, { price, leader, bids, closes_at }: Standing): LotView {
  return bids > lot.bids && lot.status === "open" ? raised(lot, price, leader, bids, closes_at) : lot;
}

/** The same, with the bids. */
export function live({ lot, bids, extendedBy }: Live, message: LotMessage): Live {
  if (!isMessage(message) || message.type !== "bid") {
    return { lot: applied(lot, message), bids, extendedBy };
  }
  const known = bids.some((each) => each.seq === message.seq);
  const later = message.seq > lot.bids ? Date.parse(message.closes_at) - Date.parse(lot.closes_at) : extendedBy;
  return {
    lot: applied(lot, message),
    bids: known ? bids : [...bids, message].sort((a, b) => a.seq - b.seq).slice(-BIDS_KEPT),
    extendedBy: Math.max(0, later),
  };
}

/** Whether this user bid here, as far as the page knows, and somebody else leads. */
export function outbid({ lot, bids }: Live, user: string): boolean {
  return lot.bids > 0 && lot.leader !== user && bids.some((each) => each.user === user);
}

function raised(lot: LotView, price: number, leader: string, bids: number, closesAt: string): LotView {
  const minimum = price + lot.increment;
  const maximum = lot.maximum !== null && lot.maximum >= minimum ? lot.maximum : null; // as the app keeps a proxy
  return { ...lot, price, leader, bids, closes_at: closesAt, minimum, maximum };
}
