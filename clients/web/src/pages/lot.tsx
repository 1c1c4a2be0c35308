import { useEntity } from "@causeway/react";
import { Link } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import { useCallback, useState, type ReactNode } from "react";
import type { LotMessage, LotView, Standing } from "../api/auctions";
import { useSession } from "../session";
import { BIDS_KEPT, isMessage, live, stood, type Live } from "../state/lots";
import { texts } from "../texts";
import { CaughtUpNote } from "../ui/connection";
import { Fault } from "../ui/controls";
import { BidTable } from "./lot/bids";
import { Bidding, type Mine } from "./lot/bidding";
import { PriceChart } from "./lot/chart";
import { Heading, Price } from "./lot/heading";
import { Payment } from "./lot/payment";
import { Result } from "./lot/result";
import { Notices } from "./lots/notices";
import { useServerClock } from "./lots/time";
import "./lots/lots.css";

const NO_SUCH_LOT = 404;

/** One lot, live. */
export function LotPage({ lot: id }: { lot: string }): ReactNode {
  const { auctions } = useSession();
  const clock = useServerClock();
  const [answered, setAnswered] = useState<Standing | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const { value, status } = useEntity<Live, LotMessage>(`lot:${id}`, {
    load: async () => {
      try {
        const { lot, offset, epoch } = await auctions.snapshot({ lot_id: id });
        const { bids } = await auctions.bids({ lot_id: id, limit: BIDS_KEPT }); // behind the snapshot: so that no bid is in neither
        if (typeof lot?.lot_id !== "string" || !Array.isArray(bids)) {
          throw new Error(texts.lots.odd);
        }
        setFailure(null);
        return { state: { lot, bids, extendedBy: 0 }, position: { offset, epoch } };
      } catch (error) {
        const { code, message = String(error) } = error as { code?: number; message?: string };
        setFailure(code === NO_SUCH_LOT ? texts.lot.missing : texts.lot.failed(message));
        throw error; // the subscription tries again
      }
    },
    apply: (state, message) => {
      clock.heard(isMessage(message) && typeof message.at === "string" ? message.at : null);
      return live(state, message);
    },
  });
  const shown = value === null || answered === null ? value : { ...value, lot: stood(value.lot, answered) };
  const failed = failure ?? (status.error && texts.lot.failed(status.error.message));
  return (
    <div className="mx-auto flex w-full max-w-6xl flex-col gap-4 p-4 lg:p-6">
      <div className="flex flex-wrap items-center justify-between gap-x-4">
        <Link to="/lots" className="inline-flex min-h-11 items-center gap-1.5 font-medium text-indigo-800 hover:underline underline-offset-4 dark:text-indigo-300">
          <ArrowLeft aria-hidden className="size-4" />
          {texts.lot.back}
        </Link>
        <CaughtUpNote caughtUp={status.caughtUp} />
      </div>
      <Notices except={id} />
      {shown === null ? (
        <>
          <h1 className="text-2xl font-bold tracking-tight">{texts.lot.title}</h1>
          {failed ? <Fault>{failed}</Fault> : <p>{texts.lot.loading}</p>}
        </>
      ) : (
        <Lot live={shown} stands={setAnswered} />
      )}
    </div>
  );
}

function Lot({ live: shown, stands }: { live: Live; stands: (standing: Standing) => void }): ReactNode {
  const { user } = useSession();
  const [mine, setMine] = useState<Mine | null>(null);
  const { lot, bids } = shown;
  const show = useCallback((now: Mine | null) => setMine(now), []);
  return (
    <article aria-labelledby="title" className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_24rem] lg:grid-rows-[auto_1fr] lg:gap-x-6">
      <Heading lot={lot} />
      <div className="flex flex-col gap-4 lg:sticky lg:top-4 lg:row-span-2">
        <Price live={shown} />
        {lot.status === "open" ? <Bidding live={shown} stands={stands} show={show} /> : <Result live={shown} />}
        {pays(lot, user) ? <Payment lot={lot} /> : null}
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <PriceChart lot={lot} bids={bids} />
        <BidTable lot={lot} bids={bids} pending={mine} />
      </div>
    </article>
  );
}

function pays(lot: LotView, user: string): boolean {
  return lot.buyer === user && (lot.status === "awaiting_payment" || lot.status === "sold");
}
