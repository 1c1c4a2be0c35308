import { useEffect, useRef, useState } from "react";
import { newKey, persist, type Sending } from "../../state/sending";

/** Sends a bid until it is answered, once at a time and under one key, so that it counts once. */
export function usePlacing<Answer>(place: (amount: number, key: string) => Promise<Answer>): {
  sending: Sending<Answer>;
  send: (amount: number) => Promise<boolean>;
} {
  const [sending, set] = useState<Sending<Answer>>({ state: "idle" });
  const gone = useRef<AbortController | null>(null);
  useEffect(() => {
    gone.current = new AbortController();
    return () => gone.current?.abort();
  }, []);
  const send = async (amount: number): Promise<boolean> => {
    const signal = gone.current?.signal;
    if (signal === undefined || sending.state === "sending") {
      return false;
    }
    const key = newKey();
    set({ state: "sending", amount, slow: false });
    try {
      const answer = await persist(() => place(amount, key), () => set({ state: "sending", amount, slow: true }), signal);
      set({ state: "stands", amount, answer });
      return true;
    } catch (error) {
      const { code = 0, message = String(error) } = error as { code?: number; message?: string };
      if (!signal.aborted) {
        set({ state: "refused", amount, code, message });
      }
      return false;
    }
  };
  return { sending, send };
}
