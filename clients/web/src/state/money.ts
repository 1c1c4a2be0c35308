/** How many decimals amounts of the currency have. */
export function decimals(currency: string): number {
  return format(currency).resolvedOptions().maximumFractionDigits ?? 2;
}

/** An amount in minor units, as people read it. */
export function money(amount: number, currency: string): string {
  return format(currency).format(amount / 10 ** decimals(currency));
}

/** What somebody typed, in minor units; null where it is no amount. */
export function minor(typed: string, currency: string): number | null {
  const text = typed.trim().replace(",", ".");
  if (!/^\d{1,12}(\.\d*)?$/.test(text)) {
    return null;
  }
  const [whole = "", rest = ""] = text.split(".");
  const places = decimals(currency);
  return rest.length > places ? null : Number(whole + rest.padEnd(places, "0"));
}

function format(currency: string): Intl.NumberFormat {
  return new Intl.NumberFormat("en", { style: "currency", currency });
}
