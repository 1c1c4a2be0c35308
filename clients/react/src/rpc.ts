import { useCallback, useEffect, useRef, useState } from "react";

/** A call and how the latest one went. `call` rejects as the function does; `error` is the same for who only renders. */
export interface Rpc<Request, Answer> {
  call: (request: Request) => Promise<Answer>;
  pending: boolean;
  error: Error | null;
  answer: Answer | null;
}

/** A method of a typed client (`causeway client ts`), or any asynchronous function, with the state of its latest call. */
export function useRpc<Request, Answer>(method: (request: Request) => Promise<Answer>): Rpc<Request, Answer> {
  const [state, set] = useState<{ pending: boolean; error: Error | null; answer: Answer | null }>({
    pending: false,
    error: null,
    answer: null,
  });
  const latest = useRef(method);
  const number = useRef(0);
  useEffect(() => {
    latest.current = method;
  });
  const call = useCallback(async (request: Request): Promise<Answer> => {
    const mine = ++number.current;
    set((before) => ({ ...before, pending: true, error: null }));
    try {
      const answer = await latest.current(request);
      if (mine === number.current) {
        set({ pending: false, error: null, answer });
      }
      return answer;
    } catch (error) {
      if (mine === number.current) {
        set((before) => ({ ...before, pending: false, error: error instanceof Error ? error : new Error(String(error)) }));
      }
      throw error;
    }
  }, []);
  return { call, ...state };
}
