/** How a scrolled box stands. */
export interface Scroll {
  scrollTop: number;
  scrollHeight: number;
  clientHeight: number;
}

/** Who reads there: follows the end, or has gone up; and how the box stood the last time. */
export interface Reader {
  follows: boolean;
  was: Scroll;
}

const NEAR = 60;

export const AT_THE_END: Reader = { follows: true, was: { scrollTop: 0, scrollHeight: 0, clientHeight: 0 } };

/**
 * The reader after an event of scrolling.
 *
 * The event of our own scrolling to the end may come when the list has grown again, on a slow machine much later: only who goes up leaves
 * the end. Where the content shrinks or the box grows, the browser moves up by itself.
 */
export function scrolled({ follows, was }: Reader, now: Scroll): Reader {
  const atTheEnd = now.scrollHeight - now.scrollTop - now.clientHeight < NEAR;
  const moved = now.scrollHeight < was.scrollHeight || now.clientHeight > was.clientHeight;
  const wentUp = now.scrollTop < was.scrollTop && !moved;
  return { follows: atTheEnd || (follows && !wentUp), was: now };
}
