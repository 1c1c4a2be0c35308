import { useConnection } from "@causeway/react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent, type ReactNode } from "react";
import { useSession } from "../session";
import { minor, money } from "../state/money";
import { texts } from "../texts";
import { Button, Fault, Field, FIELD } from "../ui/controls";

const CURRENCY = "EUR";
const AGAIN_MS = 5000;

/** What is on offer. */
export function LotsPage(): ReactNode {
  const { auctions } = useSession();
  const { state } = useConnection();
  const { data, error, isPending } = useQuery({
    queryKey: ["lots"],
    queryFn: () => auctions.lots({ limit: 50 }),
    enabled: state === "connected",
    refetchInterval: AGAIN_MS,
  });
  const note = isPending ? texts.lots.loading : data?.lots.length === 0 ? texts.lots.empty : null;
  return (
    <div className="mx-auto flex w-full max-w-3xl flex-col gap-6 p-4">
      <h1 className="text-2xl font-bold">{texts.lots.title}</h1>
      {error === null ? null : <Fault>{texts.lots.failed(error.message)}</Fault>}
      {note === null ? null : <p>{note}</p>}
      <ul aria-label={texts.lots.list} className="grid gap-3 sm:grid-cols-2">
        {(data?.lots ?? []).map((lot) => (
          <li key={lot.lot_id} className="flex flex-col gap-1 rounded-xl bg-white p-4 shadow-sm dark:bg-slate-900">
            <Link
              to="/lots/$lot"
              params={{ lot: lot.lot_id }}
              className="font-semibold wrap-anywhere text-indigo-800 underline underline-offset-4 dark:text-indigo-300"
            >
              {lot.title}
            </Link>
            <p className="text-xl font-bold tabular-nums">{money(lot.price, lot.currency)}</p>
            <p className="text-sm text-slate-700 dark:text-slate-300">
              {texts.lots.bids(lot.bids)}, {texts.lots.closes(new Date(lot.closes_at).toLocaleTimeString("en", { hour12: false }))}
            </p>
          </li>
        ))}
      </ul>
      <Offer />
    </div>
  );
}

function Offer(): ReactNode {
  const { auctions } = useSession();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [title, setTitle] = useState("");
  const [price, setPrice] = useState("10");
  const [minutes, setMinutes] = useState("10");
  const [key, setKey] = useState(newKey);
  const offer = useMutation({
    mutationFn: () => {
      const start = minor(price, CURRENCY) ?? 0;
      const lot = { title: title.trim(), currency: CURRENCY, start_price: start, increment: Math.max(1, Math.round(start / 20)) };
      return auctions.createLot({ ...lot, closes_in: Math.round(Number(minutes) * 60), key });
    },
    onSuccess: async ({ lot_id: lot }) => {
      setKey(newKey());
      await queries.invalidateQueries({ queryKey: ["lots"] });
      await navigate({ to: "/lots/$lot", params: { lot } });
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    offer.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4 rounded-xl border border-slate-400 p-4 dark:border-slate-600">
      <h2 className="text-lg font-semibold">{texts.lots.offer.title}</h2>
      <Field id="what" label={texts.lots.offer.what}>
        <input id="what" required dir="auto" className={FIELD} value={title} onChange={(event) => setTitle(event.target.value)} />
      </Field>
      <div className="flex flex-wrap gap-4">
        <Field id="start" label={texts.lots.offer.price}>
          <input id="start" required inputMode="decimal" className={FIELD} value={price} onChange={(event) => setPrice(event.target.value)} />
        </Field>
        <Field id="minutes" label={texts.lots.offer.minutes}>
          <input id="minutes" required inputMode="decimal" className={FIELD} value={minutes} onChange={(event) => setMinutes(event.target.value)} />
        </Field>
      </div>
      {offer.error === null ? null : <Fault>{texts.lots.offer.failed(offer.error.message)}</Fault>}
      <Button type="submit" disabled={offer.isPending}>
        {texts.lots.offer.button}
      </Button>
    </form>
  );
}

/** Sent again until an answer comes, so that a lot is never offered twice. */
function newKey(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}
