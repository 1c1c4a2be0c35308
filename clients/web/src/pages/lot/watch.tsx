import { useConnection } from "@causeway/react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Star } from "lucide-react";
import type { ReactNode } from "react";
import { useSession } from "../../session";
import { texts } from "../../texts";
import { Button } from "../../ui/controls";

/** Puts the lot on one's watch list, or takes it off. */
export function WatchButton({ lot }: { lot: string }): ReactNode {
  const { auctions, user } = useSession();
  const { state } = useConnection();
  const queries = useQueryClient();
  const key = ["watched", user];
  const { data } = useQuery({ queryKey: key, queryFn: async () => (await auctions.watched()).lots.map((each) => each.lot_id), enabled: state === "connected" });
  const change = useMutation({
    mutationFn: (on: boolean) => auctions.watch({ lot_id: lot, on }),
    onSuccess: ({ lot_ids: lots }) => queries.setQueryData(key, lots),
  });
  const on = change.isPending ? change.variables : (data?.includes(lot) ?? false);
  return (
    <Button kind="quiet" aria-pressed={on} disabled={data === undefined} onClick={() => change.mutate(!on)} className="gap-2">
      <Star aria-hidden className={`size-4 ${on ? "fill-amber-400 text-amber-600 dark:text-amber-300" : ""}`} />
      {texts.lot.watch}
    </Button>
  );
}
