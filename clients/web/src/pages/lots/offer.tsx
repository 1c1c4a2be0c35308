import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent, type ReactNode } from "react";
import { useSession } from "../../session";
import { minor } from "../../state/money";
import { newKey } from "../../state/sending";
import { texts } from "../../texts";
import { Button, Fault, Field, FIELD } from "../../ui/controls";
import type { Category } from "./asking";

const CURRENCIES = ["EUR", "CHF", "GBP", "JPY", "SEK", "USD"];
const STEPS = 20; // so many increments double the start price
const TITLE_MAX = 200;
const MINUTES = { least: 0.1, most: 43_200 };
const words = texts.lots.offer;

/** Offers something; sent again under the same key until an answer comes, so that it is never offered twice. */
export function Offer(): ReactNode {
  const { auctions } = useSession();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [title, setTitle] = useState("");
  const [price, setPrice] = useState("10");
  const [currency, setCurrency] = useState("EUR");
  const [category, setCategory] = useState<Category>("other");
  const [minutes, setMinutes] = useState("10");
  const [key, setKey] = useState(newKey);
  const [wrong, setWrong] = useState<string | null>(null);
  const offer = useMutation({
    mutationFn: (start: number) => {
      const increment = Math.max(1, Math.round(start / STEPS));
      return auctions.createLot({ title: title.trim(), category, currency, start_price: start, increment, closes_in: Math.round(Number(minutes) * 60), key });
    },
    onSuccess: async ({ lot_id: lot }) => {
      setKey(newKey());
      await queries.invalidateQueries({ queryKey: ["lots"] });
      await navigate({ to: "/lots/$lot", params: { lot } });
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const [start, time] = [minor(price, currency), Number(minutes)];
    const lasts = time >= MINUTES.least && time <= MINUTES.most;
    const length = [...title.trim()].length;
    const named = length === 0 ? words.noTitle : length > TITLE_MAX ? words.tooLong(length, TITLE_MAX) : null;
    const fault = named !== null ? named : start === null ? words.noPrice : lasts ? null : words.noMinutes;
    setWrong(fault);
    if (fault === null && start !== null) {
      offer.mutate(start);
    }
  };
  /** What is asked changed, so it is another offer. */
  const changed =
    <Value,>(set: (value: Value) => void) =>
    (value: Value): void => {
      set(value);
      setKey(newKey());
    };
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4 rounded-2xl bg-white p-5 shadow-sm ring-1 ring-slate-900/5 dark:bg-slate-900 dark:ring-white/10">
      <h2 className="text-lg font-semibold">{words.title}</h2>
      <div className="grid gap-4 sm:grid-cols-2 lg:grid-cols-[2fr_1fr_1fr_1fr_1fr_auto] lg:items-end">
        <Field id="what" label={words.what}>
          <input id="what" dir="auto" className={FIELD} value={title} onChange={(event) => changed(setTitle)(event.target.value)} />
        </Field>
        <Field id="kind" label={words.kind}>
          <select id="kind" className={FIELD} value={category} onChange={(event) => changed(setCategory)(event.target.value as Category)}>
            {Object.entries(texts.lots.category).map(([each, name]) => (
              <option key={each} value={each}>
                {name}
              </option>
            ))}
          </select>
        </Field>
        <Field id="start" label={words.price}>
          <input id="start" inputMode="decimal" className={FIELD} value={price} onChange={(event) => changed(setPrice)(event.target.value)} />
        </Field>
        <Field id="currency" label={words.currency}>
          <select id="currency" className={FIELD} value={currency} onChange={(event) => changed(setCurrency)(event.target.value)}>
            {CURRENCIES.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </Field>
        <Field id="minutes" label={words.minutes}>
          <input id="minutes" inputMode="decimal" className={FIELD} value={minutes} onChange={(event) => changed(setMinutes)(event.target.value)} />
        </Field>
        <Button type="submit" disabled={offer.isPending}>
          {words.button}
        </Button>
      </div>
      {wrong === null ? null : <Fault>{wrong}</Fault>}
      {wrong !== null || offer.error === null ? null : <Fault>{words.failed(offer.error.message)}</Fault>}
    </form>
  );
}
