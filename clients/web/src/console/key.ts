/** The operator's key: of this tab alone, from a field or from the link that opened the page. */

const KEPT = "causeway.console.key";

/** Take a `#key=…` out of the address, and out of the history, and keep it; whether there was one. */
export function takeKey(): boolean {
  const given = new URLSearchParams(window.location.hash.slice(1)).get("key");
  if (given === null || given === "") {
    return false;
  }
  window.history.replaceState(window.history.state, "", window.location.pathname + window.location.search);
  keep(given);
  return true;
}

/** The key of this tab. */
export function knownKey(): string | null {
  return sessionStorage.getItem(KEPT);
}

/** Keep it for this tab. */
export function keep(key: string): void {
  sessionStorage.setItem(KEPT, key);
}

/** Forget it. */
export function forget(): void {
  sessionStorage.removeItem(KEPT);
}

takeKey(); // before anything else of the page reads the address
