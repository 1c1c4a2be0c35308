/** Shares as people write them, in percent, and as the system keeps them, in thousandths. */

const PERCENT = /^(\d{1,3})(?:[.,](\d))?\s*%?$/;

/** `5`, `5%` or `0.5` in thousandths; null where it is not 0 to 100 in steps of 0.1. */
export function permille(text: string): number | null {
  const found = PERCENT.exec(text.trim());
  const value = found === null ? 1001 : Number(found[1]) * 10 + Number(found[2] ?? 0);
  return value <= 1000 ? value : null;
}
