import { useConnection } from "@causeway/react";
import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/react-query";
import type { Auctions, ListLots, LotView } from "../../api/auctions";
import { useSession } from "../../session";
import { texts } from "../../texts";

const AGAIN_MS = 3000;
export const PAGE = 24;
const MOST = 96;

export const TABS = ["open", "sold", "won", "selling", "watched"] as const;
export type Tab = (typeof TABS)[number];
export type Category = LotView["category"];

interface Found {
  lots: LotView[];
  more: boolean;
}

/** The lots of a tab, asked for again every few seconds: what is new comes by that, prices come at once by each lot's channel. */
export function useLots(tab: Tab, category: Category | null, limit: number): UseQueryResult<Found> {
  const { auctions, user } = useSession();
  const { state } = useConnection();
  return useQuery({
    queryKey: ["lots", tab, category, limit],
    queryFn: () => ask(auctions, user, tab, category, limit),
    enabled: state === "connected",
    refetchInterval: AGAIN_MS,
    placeholderData: (before, query) => (query?.queryKey[1] === tab ? keepPreviousData(before) : undefined),
  });
}

async function ask(auctions: Auctions, user: string, tab: Tab, category: Category | null, limit: number): Promise<Found> {
  const lists = async (...asked: ListLots[]): Promise<Found> => {
    const pages = await Promise.all(asked.map((each) => auctions.lots({ limit, category, ...each })));
    if (!pages.every((page) => Array.isArray(page?.lots))) {
      throw new Error(texts.lots.odd);
    }
    return { lots: pages.flatMap((page) => page.lots), more: limit < MOST && pages.some((page) => page.cursor !== "") };
  };
  switch (tab) {
    case "open":
      return lists({ status: "open" });
    case "sold":
      return lists({ status: "sold", newest: true });
    case "won":
      return lists({ status: "awaiting_payment", buyer: user }, { status: "sold", buyer: user, newest: true });
    case "selling":
      return lists(
        { status: "open", seller: user },
        { status: "awaiting_payment", seller: user, newest: true },
        { status: "sold", seller: user, newest: true },
        { status: "unsold", seller: user, newest: true },
      );
    case "watched": {
      const { lots } = await auctions.watched();
      return { lots: lots.filter((lot) => category === null || lot.category === category), more: false };
    }
  }
}
