/** What was done, said once in the page: the newest alone. */

/** A line, and a number that tells it from the same line said again. */
export interface Notice {
  key: number;
  text: string;
}

/** Holds the newest line until it is dismissed. */
export class Notices {
  private notice: Notice | null = null;
  private readonly listeners = new Set<() => void>();

  /** The newest line; none: null. */
  readonly current = (): Notice | null => this.notice;

  /** Listen; the result ends it. */
  readonly listen = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Say it. */
  say(text: string): void {
    this.set({ key: (this.notice?.key ?? 0) + 1, text });
  }

  /** Take it away. */
  dismiss(): void {
    this.set(null);
  }

  private set(notice: Notice | null): void {
    this.notice = notice;
    for (const listener of this.listeners) {
      listener();
    }
  }
}
