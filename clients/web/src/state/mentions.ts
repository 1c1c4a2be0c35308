/** A piece of a text; `user` is who it names. */
export interface Piece {
  text: string;
  user: string | null;
}

// As the app chat reads them.
const MENTION = /(?<![\p{L}\p{N}_@])@([\p{L}\p{N}_.-]{1,100})/gu;
const BEGUN = /(?<![\p{L}\p{N}_@])@([\p{L}\p{N}_.-]{0,100})$/u;

/** A text cut where it names somebody. */
export function pieces(text: string): readonly Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(MENTION)) {
    if (match.index > at) {
      found.push({ text: text.slice(at, match.index), user: null });
    }
    found.push({ text: match[0], user: match[1]! });
    at = match.index + match[0].length;
  }
  return at < text.length || found.length === 0 ? [...found, { text: text.slice(at), user: null }] : found;
}

/** Whether a text names this user. */
export function mentions(text: string, user: string): boolean {
  return pieces(text).some((each) => each.user === user);
}

/** The beginning of a name that is being typed before the caret; null where none is. */
export function begun(text: string, caret: number): string | null {
  return BEGUN.exec(text.slice(0, caret))?.[1] ?? null;
}

/** Up to five users whose name begins like this and can be written in a text. */
export function suggestions(users: readonly string[], start: string): readonly string[] {
  const folded = start.toLocaleLowerCase();
  return users.filter((user) => user.toLocaleLowerCase().startsWith(folded) && mentions(`@${user}`, user)).slice(0, 5);
}

/** The text with the name instead of its beginning, and where the caret is then. */
export function completed(text: string, caret: number, user: string): { text: string; caret: number } {
  const start = caret - (begun(text, caret) ?? "").length;
  const before = `${text.slice(0, start)}${user} `;
  return { text: before + text.slice(caret).replace(/^ /, ""), caret: before.length };
}
