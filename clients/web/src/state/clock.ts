/** How far the server's clock is ahead of a clock of ours, in milliseconds: not less than `least`, not more than `most`. */
export interface Ahead {
  readonly least: number;
  readonly most: number;
}

/** What an answer tells: the server said `server` somewhen between our `sent` and our `received`. */
export function answered(before: Ahead | null, sent: number, server: number, received: number): Ahead {
  const now = { least: server - received, most: server - sent };
  if (before === null) {
    return now;
  }
  const both = { least: Math.max(before.least, now.least), most: Math.min(before.most, now.most) };
  return both.least <= both.most ? both : now; // one of the clocks was set, or slept: what is newest holds
}

/** What a message tells that the server wrote at `server` and that came at our `received`: it was not written later than it came. */
export function told(before: Ahead | null, server: number, received: number): Ahead | null {
  const least = server - received;
  if (before === null || least <= before.least) {
    return before;
  }
  return { least, most: Math.max(before.most, least) };
}

/** The best guess: the middle. */
export function middle({ least, most }: Ahead): number {
  return (least + most) / 2;
}

/** Milliseconds as people read them: `2 d 3 h`, `1:02:03`, `0:07`; a second that has begun still counts. */
export function clockFace(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  const two = (value: number): string => String(value).padStart(2, "0");
  if (days > 0) {
    return `${days} d ${hours} h`;
  }
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
