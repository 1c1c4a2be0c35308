import { useConnection, useCauseway } from "@causeway/react";
import { useQuery } from "@tanstack/react-query";
import { Crown, Eye, Timer, TrendingUp } from "lucide-react";
import type { ReactNode } from "react";
import type { LotView } from "../../api/auctions";
import { useSession } from "../../session";
import { clockFace } from "../../state/clock";
import type { Live } from "../../state/lots";
import { money } from "../../state/money";
import { texts } from "../../texts";
import { Art } from "../lots/art";
import { Countdown } from "../lots/time";
import { OtherCurrency } from "./currency";
import { WatchButton } from "./watch";

const PRESENCE_MS = 10_000;

/** What it is and who offers it. */
export function Heading({ lot }: { lot: LotView }): ReactNode {
  return (
    <header className="flex min-w-0 flex-col gap-4 overflow-hidden rounded-2xl bg-white shadow-sm ring-1 ring-slate-900/5 dark:bg-slate-900 dark:ring-white/10">
      <Art lot={lot} className="h-36 sm:h-52" />
      <div className="flex flex-wrap items-end justify-between gap-4 px-5 pb-5">
        <div className="flex min-w-0 flex-col gap-1">
          <p className="text-sm font-medium text-indigo-800 dark:text-indigo-300">{texts.lots.category[lot.category] ?? lot.category}</p>
          <h1 id="title" dir="auto" className="text-2xl font-bold tracking-tight wrap-anywhere sm:text-3xl">
            {lot.title}
          </h1>
          <p className="text-sm wrap-anywhere text-slate-700 dark:text-slate-300">{texts.lot.seller(lot.seller)}</p>
        </div>
        <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
          <Watching lot={lot.lot_id} />
          <WatchButton lot={lot.lot_id} />
        </div>
      </div>
    </header>
  );
}

/** How many look at it, where that is known. */
function Watching({ lot }: { lot: string }): ReactNode {
  const client = useCauseway();
  const { state } = useConnection();
  const { data } = useQuery({
    queryKey: ["watching", lot],
    queryFn: async () => (await client.presenceStats(`lot:${lot}`)).numUsers,
    enabled: state === "connected",
    refetchInterval: PRESENCE_MS,
  });
  return data === undefined || data === 0 ? null : (
    <p className="inline-flex items-center gap-1.5 text-sm text-slate-700 dark:text-slate-300">
      <Eye aria-hidden className="size-4" />
      {texts.lot.watching(data)}
    </p>
  );
}

/** The price, who leads, and how long it is open. */
export function Price({ live }: { live: Live }): ReactNode {
  const { user } = useSession();
  const { lot, extendedBy } = live;
  const open = lot.status === "open";
  return (
    <section aria-label={texts.lot.standing} className="flex flex-col gap-3 rounded-2xl bg-white p-5 shadow-sm ring-1 ring-slate-900/5 dark:bg-slate-900 dark:ring-white/10">
      <div className="flex items-center justify-between gap-4 text-sm text-slate-700 dark:text-slate-300">
        <span aria-hidden>{lot.bids === 0 ? texts.lot.startPrice : texts.lot.price}</span>
        <span className="inline-flex items-center gap-1.5">
          <TrendingUp aria-hidden className="size-4" />
          {texts.lots.bids(lot.bids)}
        </span>
      </div>
      <p role="status" aria-label={texts.lot.price} className="text-5xl font-bold tracking-tight tabular-nums wrap-anywhere">
        <span key={lot.price} className={lot.bids === 0 ? "" : "price-rises"}>
          {money(lot.price, lot.currency)}
        </span>
      </p>
      <OtherCurrency lot={lot} />
      {open ? <Leader lot={lot} user={user} /> : null}
      {open ? (
        <p className="flex items-baseline justify-between gap-4 border-t border-slate-200 pt-3 dark:border-slate-800">
          <span aria-hidden className="inline-flex items-center gap-1.5 self-center text-sm text-slate-700 dark:text-slate-300">
            <Timer className="size-4" />
            {texts.lot.closesIn}
          </span>
          <Countdown label={texts.lot.closesIn} to={lot.closes_at} over={texts.lot.closing} className="text-2xl font-semibold" />
        </p>
      ) : (
        <p className="border-t border-slate-200 pt-3 font-medium dark:border-slate-800">{texts.lot.status[lot.status]}</p>
      )}
      {open && extendedBy > 0 ? (
        <p className="appears rounded-lg bg-amber-100 px-3 py-2 text-sm font-medium text-amber-950 dark:bg-amber-950 dark:text-amber-100">
          {texts.lot.extended(clockFace(extendedBy))}
        </p>
      ) : null}
    </section>
  );
}

function Leader({ lot, user }: { lot: LotView; user: string }): ReactNode {
  const leads = lot.leader === user;
  const text = lot.leader === null ? texts.lot.nobody : leads ? texts.lot.youLead : texts.lot.leader(lot.leader);
  const colours = leads
    ? "bg-emerald-100 text-emerald-950 dark:bg-emerald-950 dark:text-emerald-100"
    : "bg-slate-100 dark:bg-slate-800";
  return (
    <p className={`flex items-center gap-2 rounded-lg px-3 py-2 font-medium wrap-anywhere ${colours}`}>
      {lot.leader === null ? null : <Crown aria-hidden className="size-4 shrink-0" />}
      <span dir="auto">{text}</span>
    </p>
  );
}
