import { useChannel } from "@causeway/react";
import { Link } from "@tanstack/react-router";
import { BellRing } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { Notice } from "../../api/auctions";
import { useSession } from "../../session";
import { money } from "../../state/money";
import { texts } from "../../texts";

/** What just happened on one's other lots: outbid, won, sold. The latest alone. `except`: the lot that is looked at. */
export function Notices({ except = "", told }: { except?: string; told?: (notice: Notice) => void }): ReactNode {
  const { user } = useSession();
  const [latest, set] = useState<Notice | null>(null);
  useChannel<Notice>(/[#*\s]/.test(user) ? null : `bidder:${user}`, {
    onMessage: (notice) => {
      told?.(notice);
      if (notice.lot_id !== except && notice.type in texts.lots.notice) {
        set(notice);
      }
    },
  });
  return (
    <div aria-live="polite" className="empty:absolute">
      {latest === null ? null : (
        <p className="appears flex flex-wrap items-center gap-x-4 gap-y-1 rounded-xl bg-indigo-100 px-4 py-3 font-medium text-indigo-950 dark:bg-indigo-950 dark:text-indigo-100">
          <BellRing aria-hidden className="size-5 shrink-0" />
          <span className="min-w-0 flex-1 wrap-anywhere">{texts.lots.notice[latest.type](latest.title, money(latest.amount, latest.currency))}</span>
          <Link to="/lots/$lot" params={{ lot: latest.lot_id }} className="inline-flex min-h-11 items-center underline underline-offset-4">
            {texts.lots.notice.open}
          </Link>
        </p>
      )}
    </div>
  );
}
