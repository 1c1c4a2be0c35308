import { ChevronDown } from "lucide-react";
import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import type { LotView, Standing } from "../../api/auctions";
import { useSession } from "../../session";
import { outbid, type Live } from "../../state/lots";
import { decimal, decimals, minor, money } from "../../state/money";
import type { Sending } from "../../state/sending";
import { texts } from "../../texts";
import { Button, Fault, Field, FIELD } from "../../ui/controls";
import { usePlacing } from "./placing";
import { Withdraw } from "./withdraw";

/** One's own bid that is not answered yet. */
export interface Mine {
  amount: number;
}

const CARD = "flex flex-col gap-4 rounded-2xl bg-white p-5 shadow-sm ring-1 ring-slate-900/5 dark:bg-slate-900 dark:ring-white/10";
const STEPS_AHEAD = [0, 1, 4]; // above the least good bid, to be filled in with one touch
const TOO_LOW = 409;
const CLOSED = 410;

interface BiddingProps {
  live: Live;
  stands: (standing: Standing) => void;
  show: (mine: Mine | null) => void;
}

/** Bids on an open lot: plain ones, and up to a maximum. */
export function Bidding({ live, stands, show }: BiddingProps): ReactNode {
  const { user } = useSession();
  const { lot } = live;
  if (lot.seller === user) {
    return (
      <div className={CARD}>
        <p>{texts.lot.yours}</p>
        {lot.bids === 0 ? <Withdraw lot={lot.lot_id} /> : null}
      </div>
    );
  }
  return (
    <div className={CARD}>
      {outbid(live, user) ? (
        <p className="appears rounded-lg bg-rose-100 px-3 py-2 font-medium wrap-anywhere text-rose-950 dark:bg-rose-950 dark:text-rose-100">
          {texts.lot.outbid(lot.leader ?? "", money(lot.minimum, lot.currency))}
        </p>
      ) : null}
      <PlainBid lot={lot} stands={stands} show={show} />
      <ProxyBid lot={lot} stands={stands} />
    </div>
  );
}

function PlainBid({ lot, stands, show }: { lot: LotView; stands: (standing: Standing) => void; show: (mine: Mine | null) => void }): ReactNode {
  const { auctions, user } = useSession();
  const [typed, setTyped] = useState("");
  const [wrong, setWrong] = useState(false);
  const { sending, send } = usePlacing(async (amount, key) => {
    const standing = await auctions.bid({ lot_id: lot.lot_id, amount, key });
    stands(standing);
    return standing;
  });
  const amount = sending.state === "sending" ? sending.amount : null;
  useEffect(() => {
    show(amount === null ? null : { amount });
    return () => show(null);
  }, [amount, show]);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const bid = minor(typed, lot.currency);
    setWrong(bid === null);
    if (bid !== null && (await send(bid))) {
      setTyped((now) => (now === typed ? "" : now)); // what was typed meanwhile stays
    }
  };
  const fault = wrong ? texts.lot.noNumber : sending.state === "refused" ? texts.lot.refused(reason(sending, lot)) : null;
  return (
    <form onSubmit={(event) => void submit(event)} noValidate className="flex flex-col gap-3">
      <div className="flex items-end gap-2">
        <Amount id="bid" label={texts.lot.label} lot={lot} value={typed} invalid={fault !== null} change={setTyped} />
        <Button type="submit" disabled={sending.state === "sending"}>
          {texts.lot.button}
        </Button>
      </div>
      <div className="flex flex-wrap gap-2">
        {STEPS_AHEAD.map((steps) => lot.minimum + steps * lot.increment).map((each) => (
          <button
            key={each}
            type="button"
            aria-label={texts.lot.fill(money(each, lot.currency))}
            className="min-h-9 rounded-full border border-slate-400 px-3 text-sm font-medium tabular-nums hover:bg-slate-100 dark:border-slate-600 dark:hover:bg-slate-800"
            onClick={() => setTyped(decimal(each, lot.currency))}
          >
            {money(each, lot.currency)}
          </button>
        ))}
      </div>
      <p id="bid-least" className="text-sm text-slate-700 dark:text-slate-300">
        {texts.lot.least(money(lot.minimum, lot.currency), money(lot.increment, lot.currency))}
      </p>
      <p role="status" aria-label={texts.lot.bidState} className="min-h-5 text-sm font-medium wrap-anywhere">
        {fault === null ? said(sending, lot, user) : null}
      </p>
      {fault === null ? null : <Fault>{fault}</Fault>}
    </form>
  );
}

function ProxyBid({ lot, stands }: { lot: LotView; stands: (standing: Standing) => void }): ReactNode {
  const { auctions, user } = useSession();
  const [typed, setTyped] = useState("");
  const [wrong, setWrong] = useState(false);
  const { sending, send } = usePlacing(async (maximum, key) => {
    const standing = await auctions.proxyBid({ lot_id: lot.lot_id, maximum, key });
    stands(standing);
    return standing;
  });
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const maximum = minor(typed, lot.currency);
    setWrong(maximum === null);
    if (maximum !== null && (await send(maximum))) {
      setTyped((now) => (now === typed ? "" : now));
    }
  };
  const set = sending.state === "stands" ? sending.amount : lot.maximum;
  const standing = lot.leader === user && set !== null && set >= lot.minimum ? set : null;
  const fault = wrong ? texts.lot.noNumber : sending.state === "refused" ? texts.lot.proxy.refused(reason(sending, lot)) : null;
  return (
    <details className="group border-t border-slate-200 pt-2 dark:border-slate-800">
      <summary className="flex min-h-11 cursor-pointer list-none items-center justify-between gap-2 font-medium">
        <span>
          {texts.lot.proxy.title}
          {standing === null ? null : (
            <span className="block text-sm font-normal text-emerald-800 dark:text-emerald-300">{texts.lot.proxy.stands(money(standing, lot.currency))}</span>
          )}
        </span>
        <ChevronDown aria-hidden className="size-5 shrink-0 group-open:rotate-180" />
      </summary>
      <form onSubmit={(event) => void submit(event)} noValidate className="flex flex-col gap-2 pt-1">
        <p className="text-sm text-slate-700 dark:text-slate-300">{texts.lot.proxy.about}</p>
        <div className="flex items-end gap-2">
          <Amount id="maximum" label={texts.lot.proxy.label} lot={lot} value={typed} invalid={fault !== null} change={setTyped} />
          <Button type="submit" kind="quiet" disabled={sending.state === "sending"}>
            {texts.lot.proxy.button}
          </Button>
        </div>
        {sending.state === "sending" ? <p className="text-sm">{texts.lot.proxy.sending(money(sending.amount, lot.currency))}</p> : null}
        {fault === null ? null : <Fault>{fault}</Fault>}
      </form>
    </details>
  );
}

interface AmountProps {
  id: string;
  label: string;
  lot: LotView;
  value: string;
  invalid: boolean;
  change: (value: string) => void;
}

function Amount({ id, label, lot, value, invalid, change }: AmountProps): ReactNode {
  return (
    <Field id={id} label={label}>
      <input
        id={id}
        type="number"
        inputMode="decimal"
        min={decimal(lot.minimum, lot.currency)}
        step={decimals(lot.currency) === 0 ? 1 : decimal(1, lot.currency)}
        className={`${FIELD} text-lg tabular-nums`}
        value={value}
        aria-invalid={invalid}
        aria-describedby="bid-least"
        onChange={(event) => change(event.target.value)}
      />
    </Field>
  );
}

function said(sending: Sending<Standing>, lot: LotView, user: string): string | null {
  if (sending.state === "sending") {
    return (sending.slow ? texts.lot.sendingAgain : texts.lot.sending)(money(sending.amount, lot.currency));
  }
  if (sending.state !== "stands" || (lot.leader !== user && lot.bids > sending.answer.bids)) {
    return null; // whoever bid more since is said elsewhere
  }
  const { amount, answer } = sending;
  return answer.price > amount ? texts.lot.answeredBy(money(amount, lot.currency), answer.leader) : texts.lot.stands(money(amount, lot.currency));
}

function reason({ code, message }: { code: number; message: string }, lot: LotView): string {
  if (code === TOO_LOW) {
    return texts.lot.reason.tooLow(money(lot.minimum, lot.currency));
  }
  return code === CLOSED ? texts.lot.reason.closed : message;
}
