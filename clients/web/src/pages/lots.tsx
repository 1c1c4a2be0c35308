import { useMemo, useState, type ReactNode } from "react";
import type { Notice } from "../api/auctions";
import { texts } from "../texts";
import { Button, Fault } from "../ui/controls";
import { PAGE, useLots, type Category, type Tab } from "./lots/asking";
import { LotCard } from "./lots/card";
import { Filters } from "./lots/filters";
import { Notices } from "./lots/notices";
import { Offer } from "./lots/offer";
import "./lots/lots.css";

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
  const found = useMemo(() => {
    const part = wanted.trim().toLowerCase();
    return (data?.lots ?? []).filter((lot) => lot.title.toLowerCase().includes(part));
  }, [data, wanted]);
  const titles = found.map((lot) => lot.title);
  const empty = (data?.lots ?? []).length === 0 ? texts.lots.empty[tab] : texts.lots.noneFound(wanted.trim());
  const note = isPending ? (error ? null : texts.lots.loading) : found.length === 0 ? empty : null;
  return (
    <div className="mx-auto flex w-full max-w-6xl flex-col gap-5 p-4 lg:p-6">
      <div>
        <h1 className="text-3xl font-bold tracking-tight">{texts.lots.title}</h1>
        <p className="text-slate-700 dark:text-slate-300">{texts.lots.about}</p>
      </div>
      <Notices told={told} />
      <Filters {...{ tab, setTab, category, setCategory, wanted, setWanted }} />
      {error === null ? null : <Fault>{texts.lots.failed(error.message)}</Fault>}
      {note === null ? null : <p className="py-8 text-center text-slate-700 dark:text-slate-300">{note}</p>}
      <ul aria-label={texts.lots.list} className="grid gap-4 empty:hidden sm:grid-cols-2 lg:grid-cols-3 xl:grid-cols-4">
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
