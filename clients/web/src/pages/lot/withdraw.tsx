import { useRpc } from "@causeway/react";
import type { ReactNode } from "react";
import { useSession } from "../../session";
import { texts } from "../../texts";
import { Button, Fault } from "../../ui/controls";

/** Takes one's own lot back while nobody has bid; the lot's channel tells everybody. */
export function Withdraw({ lot }: { lot: string }): ReactNode {
  const { auctions } = useSession();
  const { call, pending, error } = useRpc(() => auctions.withdraw({ lot_id: lot }));
  return (
    <>
      <Button kind="quiet" disabled={pending} onClick={() => void call(undefined).catch(() => undefined)}>
        {texts.lot.withdraw}
      </Button>
      {error === null ? null : <Fault>{texts.lot.withdrawFailed(error.message)}</Fault>}
    </>
  );
}
