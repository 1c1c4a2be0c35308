import { useConnection } from "@causeway/react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Check, CreditCard } from "lucide-react";
import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import type { Checkout, LotView } from "../../api/auctions";
import { useSession } from "../../session";
import { money } from "../../state/money";
import { unanswered } from "../../state/sending";
import { texts } from "../../texts";
import { Button, Fault, Field, FIELD } from "../../ui/controls";
import { Countdown } from "../lots/time";

const AGAIN_MS = 1000;
const TEST_PAYMENT = "pi_test_"; // how the test provider's payments are called
const METHODS = ["pm_card_visa", "pm_card_declined"] as const;
const words = texts.lot.payment;

/** The winner's payment, from its being asked for to its receipt. */
export function Payment({ lot }: { lot: LotView }): ReactNode {
  const { auctions } = useSession();
  const { state } = useConnection();
  const [mailed, setMailed] = useState("");
  const { data, error, refetch } = useQuery({
    queryKey: ["checkout", lot.lot_id],
    queryFn: () => auctions.checkout({ lot_id: lot.lot_id }),
    enabled: state === "connected",
    refetchInterval: ({ state: { data: known } }) => (known === undefined || ["pending", "processing"].includes(known.state) ? AGAIN_MS : 5 * AGAIN_MS),
  });
  useEffect(() => void refetch(), [lot.status, refetch]); // the channel tells first
  const paid = lot.status === "sold";
  const found = paid && data && data.state !== "free" ? "succeeded" : (data?.state ?? "pending");
  return (
    <section aria-labelledby="payment" className="appears flex flex-col gap-4 rounded-2xl bg-white p-5 shadow-sm ring-1 ring-slate-900/5 dark:bg-slate-900 dark:ring-white/10">
      <div className="flex items-center gap-2">
        <CreditCard aria-hidden className="size-5" />
        <h2 id="payment" className="font-semibold">
          {words.title}
        </h2>
      </div>
      <Steps done={paid ? words.steps.length : found === "succeeded" ? 3 : found === "pending" ? 1 : 2} />
      <p role="status" aria-label={words.state} className="font-medium">
        {words.states[found] ?? found}
      </p>
      {error === null || data !== undefined ? null : <Fault>{words.failed(error.message)}</Fault>}
      {data === undefined ? null : paid ? (
        <Receipt lot={lot} checkout={data} mailed={mailed} />
      ) : found === "open" ? (
        <Pay lot={lot} checkout={data} mailed={setMailed} look={() => void refetch()} />
      ) : null}
    </section>
  );
}

function Steps({ done }: { done: number }): ReactNode {
  return (
    <ol className="grid grid-cols-4 gap-1 text-xs">
      {words.steps.map((step, index) => {
        const is = index < done;
        return (
          <li key={step} className={`flex flex-col gap-1.5 ${is ? "font-medium" : "text-slate-600 dark:text-slate-400"}`}>
            <span className={`h-1.5 rounded-full transition-colors ${is ? "bg-emerald-600 dark:bg-emerald-400" : "bg-slate-200 dark:bg-slate-700"}`} />
            <span className="inline-flex items-center gap-1">
              {is ? <Check aria-hidden className="size-3.5" /> : null}
              {step}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

function Pay({ lot, checkout, mailed, look }: { lot: LotView; checkout: Checkout; mailed: (to: string) => void; look: () => void }): ReactNode {
  const { auctions } = useSession();
  const [method, setMethod] = useState<string>(METHODS[0]);
  const [email, setEmail] = useState("");
  const pay = useMutation({
    mutationFn: async () => {
      if (email.trim() !== "") {
        mailed((await auctions.contact({ email: email.trim() })).email);
      }
      return auctions.pay({ lot_id: lot.lot_id, method });
    },
    onSettled: look,
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    pay.mutate();
  };
  if (!checkout.payment.startsWith(TEST_PAYMENT)) {
    return <p>{words.other}</p>;
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <p className="flex items-baseline justify-between gap-4 text-sm">
        <span aria-hidden>{words.payBy}</span>
        <Countdown label={words.payBy} to={checkout.pay_by} over={words.over} className="text-lg font-semibold" />
      </p>
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-1 text-sm font-medium">{words.method}</legend>
        {METHODS.map((each) => (
          <label key={each} className="flex min-h-11 cursor-pointer items-center gap-3 rounded-lg border border-slate-400 px-3 has-checked:border-indigo-600 has-checked:bg-indigo-50 dark:border-slate-600 dark:has-checked:border-indigo-400 dark:has-checked:bg-indigo-950">
            <input type="radio" name="method" value={each} checked={method === each} onChange={() => setMethod(each)} className="size-4 accent-indigo-700 dark:accent-indigo-400" />
            {words.methods[each]}
          </label>
        ))}
      </fieldset>
      <Field id="email" label={words.email}>
        <input id="email" type="email" autoComplete="email" className={FIELD} value={email} onChange={(event) => setEmail(event.target.value)} />
      </Field>
      <Button type="submit" disabled={pay.isPending}>
        {words.button(money(checkout.amount, checkout.currency))}
      </Button>
      <p className="text-sm text-slate-700 dark:text-slate-300">{words.test}</p>
      {pay.isPending ? <p className="text-sm">{words.paying}</p> : null}
      {pay.error === null ? null : <Fault>{unanswered(pay.error) ? words.again : words.refused(pay.error.message)}</Fault>}
    </form>
  );
}

function Receipt({ lot, checkout, mailed }: { lot: LotView; checkout: Checkout; mailed: string }): ReactNode {
  const rows = [
    [words.receipt.lot, lot.title],
    [words.receipt.amount, money(checkout.amount, checkout.currency)],
    [words.receipt.payment, checkout.payment || words.receipt.none],
    ...(mailed === "" ? [] : [[words.receipt.mailed, mailed]]),
  ];
  return (
    <div className="rounded-xl border border-dashed border-slate-400 p-4 dark:border-slate-600">
      <h3 className="mb-2 text-sm font-semibold">{words.receipt.title}</h3>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-sm">
        {rows.map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-slate-700 dark:text-slate-300">{name}</dt>
            <dd dir="auto" className="text-end font-medium tabular-nums wrap-anywhere">
              {value}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
