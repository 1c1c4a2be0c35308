import { useConnection } from "@causeway/react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import type { LotView } from "../../api/auctions";
import { useSession } from "../../session";
import { money } from "../../state/money";
import { texts } from "../../texts";
import { FIELD } from "../../ui/controls";

const CURRENCIES = ["CHF", "EUR", "GBP", "JPY", "SEK", "USD"];
const KEPT = "causeway.currency";
const AGAIN_MS = 30_000;

/** The price in a currency of the reader's choice, which this browser remembers. */
export function OtherCurrency({ lot }: { lot: LotView }): ReactNode {
  const [chosen, choose] = useState(() => localStorage.getItem(KEPT) ?? "");
  const other = chosen === lot.currency ? "" : chosen;
  return (
    <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1">
      <label className="flex items-center gap-2 whitespace-nowrap text-sm text-slate-700 dark:text-slate-300">
        {texts.lot.currency.label}
        <select
          className={`${FIELD} w-auto text-sm`}
          value={other}
          onChange={(event) => {
            localStorage.setItem(KEPT, event.target.value);
            choose(event.target.value);
          }}
        >
          <option value="">{texts.lot.currency.none}</option>
          {CURRENCIES.filter((each) => each !== lot.currency).map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </label>
      {other === "" ? null : <Converted lot={lot} to={other} />}
    </div>
  );
}

function Converted({ lot, to }: { lot: LotView; to: string }): ReactNode {
  const { auctions } = useSession();
  const { state } = useConnection();
  const { data, error } = useQuery({
    queryKey: ["prices", lot.lot_id, to, lot.price],
    queryFn: () => auctions.prices({ lot_id: lot.lot_id, currencies: [to] }),
    enabled: state === "connected",
    placeholderData: keepPreviousData,
    refetchInterval: AGAIN_MS,
  });
  const price = data?.prices[to];
  const about = error ? texts.lot.currency.failed : data && texts.lot.currency.about[price === undefined ? "away" : data.rates];
  return (
    <p className="flex flex-col text-end text-sm text-slate-700 dark:text-slate-300">
      {price === undefined ? null : <strong className="text-lg tabular-nums">≈ {money(price, to)}</strong>}
      {about}
    </p>
  );
}
