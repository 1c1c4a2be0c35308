/** How a call stands that is sent until it is answered: under way, under way for longer than people wait, answered, refused. */
export type Sending<Answer> =
  | { state: "idle" }
  | { state: "sending"; amount: number; slow: boolean }
  | { state: "stands"; amount: number; answer: Answer }
  | { state: "refused"; amount: number; code: number; message: string };

const FIRST_PAUSE_MS = 250;
const LAST_PAUSE_MS = 4000;
const SYSTEM_CODES = 100; // below are the SDK's own: no answer came

/** Whether nobody can say what became of a call: then it is sent again, under the same key. */
export function unanswered(error: unknown): boolean {
  const { code, temporary } = error as { code?: number; temporary?: boolean };
  return temporary === true || (typeof code === "number" && code < SYSTEM_CODES);
}

/**
 * Calls until there is an answer or a refusal. The call carries an idempotency key, so that it has its effect once.
 *
 * `slow` is called where the first try was not answered. Rejects with the refusal, or with `signal`'s reason.
 */
export async function persist<Answer>(call: () => Promise<Answer>, slow: () => void, signal: AbortSignal): Promise<Answer> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LAST_PAUSE_MS)) {
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (!unanswered(error)) {
        throw error;
      }
      slow();
      await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random() / 2)));
      signal.throwIfAborted();
    }
  }
}

/** A key under which something is asked once. */
export function newKey(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}
