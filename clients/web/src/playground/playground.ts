import { areBack, kill, processes, Refused, type DeskAt, type Kind, type Process } from "./desk";
import { Flow, now, type SignIn } from "./flow";
import { EMPTY, lost, next, type Event, type Tally } from "./tally";

/** What the dialog shows. `fault`: why it cannot count any more, or what a kill was refused with. */
export interface View {
  tally: Tally;
  lost: number;
  processes: readonly Process[];
  killed: Readonly<Partial<Record<Kind, "killing" | "down">>>;
  fault: string | null;
}

const LOOK_MS = 800;
const LOOK_CLOSELY_MS = 120;

/** One opening of the playground: the flow, the count of it, the processes. Starts with `start`, ends with `stop`. */
export class Playground {
  view: View = { tally: EMPTY, lost: 0, processes: [], killed: {}, fault: null };
  private readonly listeners = new Set<() => void>();
  private readonly struck = new Map<Kind, readonly Process[]>();
  private readonly flow: Flow;
  private looking: ReturnType<typeof setTimeout> | undefined;
  private running = false;

  constructor(
    private readonly desk: DeskAt,
    address: string,
    signIn: SignIn,
  ) {
    this.flow = new Flow(
      address,
      signIn,
      (event) => this.take(event),
      (fault) => this.set({ fault }),
    );
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): View => this.view;

  start(): void {
    this.running = true;
    this.flow.start();
    void this.look();
  }

  stop(): void {
    this.running = false;
    clearTimeout(this.looking);
    this.flow.stop();
  }

  /** SIGKILL to all processes of a kind. */
  async kill(kind: Kind): Promise<void> {
    const at = now();
    this.set({ killed: { ...this.view.killed, [kind]: "killing" }, fault: null });
    try {
      this.struck.set(kind, await kill(this.desk, kind));
      this.take({ kind: "killed", what: kind, at });
      this.set({ killed: { ...this.view.killed, [kind]: "down" } });
      await this.look();
    } catch (error) {
      const { [kind]: _, ...killed } = this.view.killed;
      this.set({ killed, fault: (error as Refused).message });
    }
  }

  private async look(): Promise<void> {
    clearTimeout(this.looking);
    try {
      const found = await processes(this.desk);
      this.set({ processes: found });
      for (const [kind, struck] of this.struck) {
        if (areBack(struck, found)) {
          this.struck.delete(kind);
          const { [kind]: _, ...killed } = this.view.killed;
          this.set({ killed });
          this.take({ kind: "back", what: kind, at: now() });
        }
      }
    } catch (error) {
      this.set({ fault: (error as Refused).message });
    }
    if (this.running) {
      clearTimeout(this.looking);
      this.looking = setTimeout(() => void this.look(), this.struck.size > 0 ? LOOK_CLOSELY_MS : LOOK_MS);
    }
  }

  private take(event: Event): void {
    this.set({ tally: next(this.view.tally, event) });
  }

  private set(part: Partial<View>): void {
    const view = { ...this.view, ...part };
    this.view = { ...view, lost: lost(view.tally, now()) };
    this.listeners.forEach((listener) => listener());
  }
}
