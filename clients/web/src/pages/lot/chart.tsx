import { useId, type ReactNode } from "react";
import type { BidPublished, LotView } from "../../api/auctions";
import { useSession } from "../../session";
import { path, points } from "../../state/chart";
import { money } from "../../state/money";
import { texts } from "../../texts";
import { timeOf, useServerNow } from "../lots/time";

const [WIDTH, HEIGHT] = [600, 180];
const CARD = "flex flex-col gap-3 rounded-2xl bg-white p-5 shadow-sm ring-1 ring-slate-900/5 dark:bg-slate-900 dark:ring-white/10";

/** How the price rose: a line for the eye; its label says the same in a sentence, the table of bids in full. */
export function PriceChart({ lot, bids }: { lot: LotView; bids: readonly BidPublished[] }): ReactNode {
  const { user } = useSession();
  const now = useServerNow();
  const fill = useId();
  const found = points(lot, bids, lot.status === "open" ? now : Date.parse(lot.closes_at));
  const last = found.at(-1);
  const low = money(bids[0]?.seq === 1 ? lot.start_price : (bids[0]?.amount ?? lot.start_price), lot.currency);
  const high = money(lot.price, lot.currency);
  const line = path(found, WIDTH, HEIGHT);
  return (
    <section aria-labelledby="chart" className={CARD}>
      <h2 id="chart" className="font-semibold">
        {texts.lot.chart.title}
      </h2>
      {last === undefined ? (
        <p className="flex h-44 items-center justify-center rounded-lg border border-dashed border-slate-300 text-sm text-slate-700 dark:border-slate-700 dark:text-slate-300">
          {texts.lot.chart.none}
        </p>
      ) : (
        <div role="img" aria-label={texts.lot.chart.about(lot.bids, low, high)} className="flex flex-col gap-1 text-xs text-slate-600 tabular-nums dark:text-slate-400">
          <span>{high}</span>
          <div className="relative h-40 text-indigo-600 dark:text-indigo-400">
            <svg aria-hidden viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" className="absolute inset-0 size-full overflow-visible">
              <linearGradient id={fill} x1="0" x2="0" y1="0" y2="1">
                <stop offset="0" stopColor="currentColor" stopOpacity="0.28" />
                <stop offset="1" stopColor="currentColor" stopOpacity="0.02" />
              </linearGradient>
              <path d={`M0 ${HEIGHT}H${WIDTH}`} className="stroke-slate-300 dark:stroke-slate-700" vectorEffect="non-scaling-stroke" />
              <path d={`${line}V${HEIGHT}H0Z`} fill={`url(#${fill})`} />
              <path d={line} fill="none" stroke="currentColor" strokeWidth="2.5" strokeLinejoin="round" vectorEffect="non-scaling-stroke" />
            </svg>
            {found.map(({ x, y }, index) => (
              <Dot key={bids[index]?.seq} x={x} y={y} mine={bids[index]?.user === user} last={index === found.length - 1} />
            ))}
          </div>
          <p className="flex justify-between gap-4">
            <span>{low}</span>
            <span>
              {timeOf(bids[0]?.at ?? null)} – {timeOf(bids.at(-1)?.at ?? null)}
            </span>
          </p>
        </div>
      )}
    </section>
  );
}

function Dot({ x, y, mine, last }: { x: number; y: number; mine: boolean; last: boolean }): ReactNode {
  const size = last ? "size-3.5" : "size-2";
  return (
    <span
      style={{ left: `${x * 100}%`, top: `${(1 - y) * 100}%` }}
      className={`absolute -translate-1/2 rounded-full ring-2 ring-white dark:ring-slate-900 ${size} ${mine ? "bg-emerald-600 dark:bg-emerald-400" : "bg-current"} ${last ? "price-beats" : ""}`}
    />
  );
}
