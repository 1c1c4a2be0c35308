import { useDeferredValue, useMemo, useState, type ReactNode } from "react";
import type { LotView, Notice } from "../api/auctions";
import { texts } from "../texts";
import { Button, Fault } from "../ui/controls";
import { PAGE, useLots, type Category, type Tab } from "./lots/asking";
import { LotCard } from "./lots/card";
import { Filters } from "./lots/filters";
import { Notices } from "./lots/notices";
import { Offer } from "./lots/offer";
import "./lots/lots.css";

const NONE: readonly LotView[] = [];
const GRID = "grid gap-4 sm:grid-cols-2 lg:grid-cols-3 xl:grid-cols-4";
const CARDS = 8;

/** What is on offer, and what became of it. */
export function LotsPage(): ReactNode {
  const [tab, setTab] = useState<Tab>("open");
  const [category, setCategory] = useState<Category | null>(null);
  const [wanted, setWanted] = useState("");
  const [limit, setLimit] = useState(PAGE);
  const [outbid, setOutbid] = useState<ReadonlySet<string>>(new Set());
  const { data, error, isPending } = useLots(tab, category, limit);
  const told = (notice: Notice): void => {
    if (notice.type === "outbid") {
      setOutbid((before) => new Set(before).add(notice.lot_id));
    }
  };
  const lots = useDeferredValue(data?.lots ?? NONE, NONE); // many cards are drawn bit by bit, so that the page answers meanwhile
  const found = useMemo(() => {
    const part = wanted.trim().toLowerCase();
    return lots.filter((lot) => lot.title.toLowerCase().includes(part));
  }, [lots, wanted]);
  const titles = found.map((lot) => lot.title);
  const empty = lots.length === 0 ? texts.lots.empty[tab] : texts.lots.noneFound(wanted.trim());
  const drawn = !isPending && lots === data?.lots;
  return (
    <div className="mx-auto flex w-full max-w-6xl flex-col gap-5 p-4 lg:p-6">
      <div>
        <h1 className="text-3xl font-bold tracking-tight">{texts.lots.title}</h1>
        <p className="text-slate-700 dark:text-slate-300">{texts.lots.about}</p>
      </div>
      <Notices told={told} />
      <Filters {...{ tab, setTab, category, setCategory, wanted, setWanted }} />
      {error === null ? null : <Fault>{texts.lots.failed(error.message)}</Fault>}
      {drawn && found.length === 0 ? <p className="py-8 text-center text-slate-700 dark:text-slate-300">{empty}</p> : null}
      {lots === NONE && !drawn && error === null ? <Loading /> : null}
      <ul aria-label={texts.lots.list} className={`${GRID} empty:hidden`}>
        {found.map((lot) => (
          <LotCard key={lot.lot_id} lot={lot} outbid={outbid.has(lot.lot_id)} twin={titles.filter((title) => title === lot.title).length > 1} />
        ))}
      </ul>
      {data?.more ? (
        <Button kind="quiet" className="self-center" onClick={() => setLimit(limit + PAGE)}>
          {texts.lots.more}
        </Button>
      ) : null}
      <Offer />
    </div>
  );
}

/** Where the cards will be, so that nothing moves when they come. */
function Loading(): ReactNode {
  return (
    <div role="status" aria-label={texts.lots.loading} className={GRID}>
      {Array.from({ length: CARDS }, (_, index) => (
        <div key={index} className="h-64 rounded-2xl bg-slate-200/70 motion-safe:animate-pulse dark:bg-slate-900" />
      ))}
    </div>
  );
}
