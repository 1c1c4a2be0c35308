import { useState, type ReactNode } from "react";
import type { BidPublished, LotView } from "../../api/auctions";
import { useSession } from "../../session";
import { money } from "../../state/money";
import { texts } from "../../texts";
import { Button } from "../../ui/controls";
import { timeOf } from "../lots/time";
import type { Mine } from "./bidding";

const FEW = 10;
const CELL = "px-3 py-2.5";
const HEAD = `${CELL} font-medium text-slate-600 dark:text-slate-400`;

/** The newest bids, the latest first; one's own that is on its way above them. */
export function BidTable({ lot, bids, pending }: { lot: LotView; bids: readonly BidPublished[]; pending: Mine | null }): ReactNode {
  const { user } = useSession();
  const [all, setAll] = useState(false);
  const newest = bids.toReversed();
  if (newest.length === 0 && pending === null) {
    return null;
  }
  return (
    <section aria-labelledby="bids" className="flex flex-col gap-2 rounded-2xl bg-white p-5 shadow-sm ring-1 ring-slate-900/5 dark:bg-slate-900 dark:ring-white/10">
      <h2 id="bids" className="font-semibold">
        {texts.lot.bids.title}
      </h2>
      <table className="w-full text-sm tabular-nums">
        <thead>
          <tr className="border-b border-slate-200 dark:border-slate-800">
            <th scope="col" className={`${HEAD} w-12 text-start`}>
              {texts.lot.bids.number}
            </th>
            <th scope="col" className={`${HEAD} text-start`}>
              {texts.lot.bids.bidder}
            </th>
            <th scope="col" className={`${HEAD} text-end`}>
              {texts.lot.bids.amount}
            </th>
            <th scope="col" className={`${HEAD} text-end max-sm:hidden`}>
              {texts.lot.bids.at}
            </th>
          </tr>
        </thead>
        <tbody>
          {pending === null ? null : (
            <tr className="border-b border-slate-100 italic text-slate-700 dark:border-slate-800 dark:text-slate-300">
              <td className={CELL}>…</td>
              <td className={CELL}>{texts.lot.bids.you}</td>
              <td className={`${CELL} text-end`}>{money(pending.amount, lot.currency)}</td>
              <td className={`${CELL} text-end max-sm:hidden`}>{texts.lot.bids.pending}</td>
            </tr>
          )}
          {(all ? newest : newest.slice(0, FEW)).map((bid) => (
            <tr key={bid.seq} className={`appears border-b border-slate-100 last:border-0 dark:border-slate-800 ${bid.seq === lot.bids ? "font-semibold" : ""}`}>
              <td className={CELL}>{bid.seq}</td>
              <td className={`${CELL} wrap-anywhere`}>
                <bdi>{bid.user}</bdi>
                {bid.user === user ? (
                  <span className="ms-2 rounded-full bg-emerald-100 px-2 py-0.5 text-xs font-medium text-emerald-950 dark:bg-emerald-950 dark:text-emerald-100">{texts.lot.bids.you}</span>
                ) : null}
              </td>
              <td className={`${CELL} text-end`}>{money(bid.amount, lot.currency)}</td>
              <td className={`${CELL} text-end font-normal text-slate-600 max-sm:hidden dark:text-slate-400`}>{timeOf(bid.at ?? null)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {all || newest.length <= FEW ? null : (
        <Button kind="quiet" onClick={() => setAll(true)}>
          {texts.lot.bids.all(newest.length)}
        </Button>
      )}
    </section>
  );
}
