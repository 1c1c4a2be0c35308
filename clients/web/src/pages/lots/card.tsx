import { useChannel } from "@causeway/react";
import { Link } from "@tanstack/react-router";
import { Timer } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { LotMessage, LotView } from "../../api/auctions";
import { useSession } from "../../session";
import { applied } from "../../state/lots";
import { money } from "../../state/money";
import { texts } from "../../texts";
import { Art } from "./art";
import { Countdown } from "./time";

const CHIP = "rounded-full px-2.5 py-0.5 text-xs font-semibold";

/** One lot of the list, its price live. `outbid`: this user was told so. `twin`: another one here has the same title. */
export function LotCard({ lot: listed, outbid, twin }: { lot: LotView; outbid: boolean; twin: boolean }): ReactNode {
  const [seen, see] = useState(listed);
  const lot = seen.bids > listed.bids && listed.status === "open" ? seen : listed; // whichever knows more
  useChannel<LotMessage>(listed.status === "open" ? `lot:${listed.lot_id}` : null, { onMessage: (message) => see((before) => applied(newer(before, listed), message)) });
  const short = lot.lot_id.slice(-4);
  const name = twin ? `${lot.title}, ${texts.lots.number(short)}` : lot.title;
  return (
    <li className="group relative flex flex-col overflow-hidden rounded-2xl bg-white shadow-sm ring-1 ring-slate-900/5 transition-shadow hover:shadow-lg dark:bg-slate-900 dark:ring-white/10 dark:hover:ring-white/30">
      <Art lot={lot} className="h-28" />
      <div className="absolute inset-x-3 top-3 flex items-start justify-between gap-2">
        <Standing lot={lot} outbid={outbid} />
        {lot.status === "open" ? (
          <span className={`${CHIP} ms-auto inline-flex items-center gap-1 bg-white/90 text-slate-950 dark:bg-slate-950/90 dark:text-slate-50`}>
            <Timer aria-hidden className="size-3.5" />
            <Countdown label={`${texts.lot.closesIn}: ${name}`} to={lot.closes_at} over={texts.lot.closing} />
          </span>
        ) : null}
      </div>
      <div className="flex flex-1 flex-col gap-1 p-4">
        <h2 className="font-semibold wrap-anywhere">
          <Link
            to="/lots/$lot"
            params={{ lot: lot.lot_id }}
            aria-label={name}
            className="line-clamp-2 after:absolute after:inset-0 after:rounded-2xl group-hover:underline underline-offset-4 focus-visible:outline-none focus-visible:after:outline-3 focus-visible:after:outline-indigo-500"
          >
            <span dir="auto">{lot.title}</span>
          </Link>
        </h2>
        <p className="mt-auto flex flex-wrap items-baseline justify-between gap-x-3 pt-2">
          <strong key={lot.price} className={`text-2xl font-bold tracking-tight tabular-nums ${lot.bids === 0 ? "" : "price-rises"}`}>
            {money(lot.price, lot.currency)}
          </strong>
          <span className="text-sm text-slate-700 dark:text-slate-300">{texts.lots.bids(lot.bids)}</span>
        </p>
        <p className="truncate text-sm text-slate-700 dark:text-slate-300">
          <bdi>{lot.status === "open" ? (lot.leader === null ? texts.lot.nobody : texts.lot.leader(lot.leader)) : texts.lot.status[lot.status]}</bdi>
        </p>
      </div>
    </li>
  );
}

function Standing({ lot, outbid }: { lot: LotView; outbid: boolean }): ReactNode {
  const { user } = useSession();
  if (lot.buyer === user && lot.status === "awaiting_payment") {
    return <span className={`${CHIP} bg-amber-300 text-amber-950`}>{texts.lots.pay}</span>;
  }
  if (lot.buyer === user && lot.status === "sold") {
    return <span className={`${CHIP} bg-emerald-700 text-white`}>{texts.lots.yours}</span>;
  }
  if (lot.status === "open" && lot.leader === user) {
    return <span className={`${CHIP} bg-emerald-700 text-white`}>{texts.lots.youLead}</span>;
  }
  if (lot.status === "open" && outbid) {
    return <span className={`${CHIP} bg-rose-700 text-white`}>{texts.lots.outbid}</span>;
  }
  return lot.seller === user ? <span className={`${CHIP} bg-slate-800 text-white`}>{texts.lots.selling}</span> : null;
}

function newer(a: LotView, b: LotView): LotView {
  return a.bids > b.bids ? a : b;
}
