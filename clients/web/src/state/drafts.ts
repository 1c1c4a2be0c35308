import { useState } from "react";

const KEPT_CHARS_MAX = 100_000;

/** What is typed and not sent: survives a reload of the tab and another room. `name` says whose it is and where; it stays the same. */
export function useDraft(name: string): [string, (text: string) => void] {
  const place = `causeway.draft.${name}`;
  const [text, set] = useState(() => stored(place));
  return [
    text,
    (typed) => {
      set(typed);
      store(place, typed);
    },
  ];
}

function stored(place: string): string {
  try {
    return sessionStorage.getItem(place) ?? "";
  } catch {
    return ""; // a browser that keeps nothing: it is then as long as the page
  }
}

function store(place: string, text: string): void {
  try {
    if (text === "") {
      sessionStorage.removeItem(place);
    } else if (text.length <= KEPT_CHARS_MAX) {
      sessionStorage.setItem(place, text);
    }
  } catch {
    // Full, or a browser that keeps nothing: the text stays in the page.
  }
}
