/** How many decimals amounts of the currency have. */
export function decimals(currency: string): number {
  return format(currency).resolvedOptions().maximumFractionDigits ?? 2;
}

/** An amount in minor units, as people read it. */
export function money(amount: number, currency: string): string {
  return format(currency).format(decimal(amount, currency) as Intl.StringNumericLiteral);
}

/** An amount in minor units, as it is typed: `1250` of EUR is `12.50`. No number with a fraction is ever made of it. */
export function decimal(amount: number, currency: string): string {
  const places = decimals(currency);
  const digits = String(amount).padStart(places + 1, "0");
  return places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
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

const formats = new Map<string, Intl.NumberFormat>();

function format(currency: string): Intl.NumberFormat {
  const found = formats.get(currency) ?? new Intl.NumberFormat("en", { style: "currency", currency });
  formats.set(currency, found);
  return found;
}
