import { useEntity, useRpc } from "@causeway/react";
import { Link } from "@tanstack/react-router";
import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import type { LotMessage, LotView } from "../api/auctions";
import { useSession } from "../session";
import { applied } from "../state/lots";
import { decimals, minor, money } from "../state/money";
import { texts } from "../texts";
import { CaughtUpNote } from "../ui/connection";
import { Button, Fault, Field, FIELD } from "../ui/controls";

/** One lot, live. */
export function LotPage({ lot: id }: { lot: string }): ReactNode {
  const { auctions } = useSession();
  const { value: lot, status } = useEntity<LotView, LotMessage>(`lot:${id}`, {
    load: async () => {
      const { lot: state, offset, epoch } = await auctions.snapshot({ lot_id: id });
      return { state, position: { offset, epoch } };
    },
    apply: applied,
  });
  return (
    <div className="mx-auto flex w-full max-w-xl flex-col gap-4 p-4">
      <Link to="/lots" className="text-indigo-800 underline underline-offset-4 dark:text-indigo-300">
        {texts.lot.back}
      </Link>
      {lot === null ? status.error === null ? <p>{texts.lot.loading}</p> : <Fault>{texts.lot.failed(status.error.message)}</Fault> : <Lot lot={lot} />}
      <CaughtUpNote caughtUp={status.caughtUp} />
    </div>
  );
}

function Lot({ lot }: { lot: LotView }): ReactNode {
  const { user } = useSession();
  const leader = lot.leader === null ? texts.lot.nobody : lot.leader === user ? texts.lot.youLead : texts.lot.leader(lot.leader);
  return (
    <section aria-labelledby="title" className="flex flex-col gap-4 rounded-xl bg-white p-5 shadow-sm dark:bg-slate-900">
      <div>
        <h1 id="title" dir="auto" className="text-2xl font-bold wrap-anywhere">
          {lot.title}
        </h1>
        <p className="text-sm wrap-anywhere text-slate-700 dark:text-slate-300">{texts.lot.seller(lot.seller)}</p>
      </div>
      <p role="status" aria-label={texts.lot.price} className="text-5xl font-bold tabular-nums">
        {money(lot.price, lot.currency)}
      </p>
      <p className="flex flex-wrap justify-between gap-x-4 wrap-anywhere">
        <span>{leader}</span>
        <span>{texts.lots.bids(lot.bids)}</span>
      </p>
      <p className="font-medium tabular-nums">{lot.status === "open" ? <Countdown to={lot.closes_at} /> : texts.lot.status[lot.status]}</p>
      {lot.status !== "open" ? null : lot.seller === user ? <p>{texts.lot.yours}</p> : <Bid lot={lot} />}
    </section>
  );
}

function Bid({ lot }: { lot: LotView }): ReactNode {
  const { auctions } = useSession();
  const [typed, setTyped] = useState("");
  const [wrong, setWrong] = useState(false);
  const bid = useRpc((amount: number) => auctions.bid({ lot_id: lot.lot_id, amount }));
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const amount = minor(typed, lot.currency);
    setWrong(amount === null);
    if (amount !== null) {
      bid.call(amount).then(
        () => setTyped(""),
        () => undefined, // said below; what was typed stays
      );
    }
  };
  const fault = wrong ? texts.lot.noNumber : bid.error === null ? null : texts.lot.refused(bid.error.message);
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-2">
      <div className="flex items-end gap-2">
        <Field id="bid" label={texts.lot.label}>
          <input
            id="bid"
            type="number"
            inputMode="decimal"
            step={10 ** -decimals(lot.currency)}
            className={FIELD}
            value={typed}
            aria-invalid={fault !== null}
            aria-describedby="least"
            onChange={(event) => setTyped(event.target.value)}
          />
        </Field>
        <Button type="submit" disabled={bid.pending}>
          {texts.lot.button}
        </Button>
      </div>
      <p id="least" className="text-sm text-slate-700 dark:text-slate-300">
        {texts.lot.least(money(lot.minimum, lot.currency))}
      </p>
      {fault === null ? null : <Fault>{fault}</Fault>}
      {fault === null && bid.answer !== null && !bid.pending ? <p className="text-sm">{texts.lot.accepted}</p> : null}
    </form>
  );
}

function Countdown({ to }: { to: string }): ReactNode {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const left = Math.max(0, Math.round((Date.parse(to) - now) / 1000));
  const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60].map((n) => String(n).padStart(2, "0"));
  return left === 0 ? texts.lot.closing : texts.lot.closesIn(`${hours}:${minutes}:${seconds}`);
}
