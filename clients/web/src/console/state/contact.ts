/** Whether the gateway answers, as the page knows it from its own questions. */

/** When it last answered, and since when it does not (0: it does). */
export interface Contact {
  answered: number;
  silentSince: number;
}

type Listener = () => void;

/** Told of each answer and each silence; tells who listens when that changes what is known. */
export class ContactWatch {
  private state: Contact = { answered: 0, silentSince: 0 };
  private readonly listeners = new Set<Listener>();

  constructor(private readonly now: () => number = Date.now) {}

  /** What is known. The same object until something changes. */
  readonly current = (): Contact => this.state;

  /** Listen; the result ends it. */
  readonly listen = (listener: Listener): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** An answer came, be it a refusal. */
  answered(): void {
    const spoke = this.state.silentSince === 0;
    this.state = { answered: this.now(), silentSince: 0 };
    if (!spoke) {
      this.tell();
    }
  }

  /** None came. */
  silent(): void {
    if (this.state.silentSince === 0) {
      this.state = { ...this.state, silentSince: this.now() };
      this.tell();
    }
  }

  private tell(): void {
    for (const listener of this.listeners) {
      listener();
    }
  }
}
