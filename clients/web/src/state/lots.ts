import type { LotMessage, LotView } from "../api/auctions";

/** The lot after a message of its channel. What a newer server says is left alone. */
export function applied(lot: LotView, message: LotMessage): LotView {
  switch (message.type) {
    case "bid": {
      const { amount, user, seq, closes_at } = message;
      return { ...lot, price: amount, leader: user, bids: seq, closes_at, minimum: amount + lot.increment };
    }
    case "status":
      return { ...lot, status: message.status, price: message.price, buyer: message.buyer };
    default:
      return lot;
  }
}
