import { useMutation, useQuery, useQueryClient, type UseMutationResult, type UseQueryResult } from "@tanstack/react-query";
import type { Operation, Request, Result } from "./contract";
import { useSession } from "./session";

const EVERY_MS = 3000;

/** What an operation answers, asked again every three seconds, whatever became of the last time. */
export function useAsked<O extends Operation>(operation: O, request: Request<O>, { every = EVERY_MS, enabled = true } = {}): UseQueryResult<Result<O>> {
  const { ops } = useSession();
  return useQuery({
    queryKey: [operation, request],
    queryFn: ({ signal }) => ops.run(operation, request, signal),
    refetchInterval: every,
    enabled,
  });
}

/** Do something, say that it is done, and look at everything anew. */
export function useDeed<O extends Operation>(
  operation: O,
  done: (result: Result<O>, request: Request<O>) => string,
): UseMutationResult<Result<O>, Error, Request<O>> {
  const { ops, notices } = useSession();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (request: Request<O>) => ops.run(operation, request),
    onSuccess: (result, request) => {
      notices.say(done(result, request));
      return queries.invalidateQueries();
    },
  });
}
