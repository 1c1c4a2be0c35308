import { Gavel, PartyPopper } from "lucide-react";
import type { ReactNode } from "react";
import { useSession } from "../../session";
import type { Live } from "../../state/lots";
import { money } from "../../state/money";
import { texts } from "../../texts";

/** How it ended, for whoever looks. */
export function Result({ live: { lot, bids } }: { live: Live }): ReactNode {
  const { user } = useSession();
  const won = lot.buyer === user;
  const lost = !won && lot.buyer !== null && bids.some((each) => each.user === user);
  const amount = money(lot.price, lot.currency);
  const buyer = lot.buyer ?? "";
  const Icon = won ? PartyPopper : Gavel;
  const text = (): string => {
    if (lot.status === "unsold") {
      return texts.lot.result.unsold;
    }
    if (won) {
      return lot.status === "sold" ? texts.lot.result.wonPaid : texts.lot.result.won;
    }
    if (lot.status === "sold") {
      return lot.seller === user ? texts.lot.result.seller(amount) : texts.lot.result.soldTo(buyer, amount);
    }
    return texts.lot.result.waitingFor(buyer, amount);
  };
  return (
    <section
      aria-labelledby="result"
      className={`appears flex items-start gap-4 rounded-2xl p-5 shadow-sm ring-1 ring-slate-900/5 dark:ring-white/10 ${won ? "bg-emerald-100 text-emerald-950 dark:bg-emerald-950 dark:text-emerald-50" : "bg-white dark:bg-slate-900"}`}
    >
      <Icon aria-hidden className="size-7 shrink-0" />
      <div className="flex min-w-0 flex-col gap-1">
        <h2 id="result" className="text-lg font-semibold wrap-anywhere">
          {text()}
        </h2>
        {lost ? <p className="text-sm">{texts.lot.result.lost}</p> : null}
      </div>
    </section>
  );
}
