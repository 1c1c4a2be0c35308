import { useEffect, useState, useSyncExternalStore, type ReactNode } from "react";
import type { LotView } from "../../api/auctions";
import { Onlooker, type Line, type Scene } from "../../playground/onlooker";
import { address, LOOK_IN } from "../../session";
import { money } from "../../state/money";
import { texts } from "../../texts";
import { Avatar } from "../../ui/controls";
import { Art } from "../lots/art";
import "./window.css";

const CARD = "flex flex-col gap-3 rounded-2xl bg-white p-4 shadow-lg ring-1 ring-slate-900/5 dark:bg-slate-900 dark:ring-white/10";

/** What goes on inside, seen from the door; nothing where nothing does. */
export function Window(): ReactNode {
  const [onlooker] = useState(() => new Onlooker(address(), LOOK_IN));
  const scene = useSyncExternalStore(onlooker.subscribe, onlooker.snapshot);
  useEffect(() => {
    onlooker.start();
    return () => onlooker.stop();
  }, [onlooker]);
  return scene.lots.length + scene.lines.length === 0 ? null : <Inside scene={scene} />;
}

function Inside({ scene: { lots, lines, seen } }: { scene: Scene }): ReactNode {
  const kept = seen.holes.size + seen.doubled + seen.outOfOrder === 0;
  return (
    <section aria-label={texts.enter.inside} className="comes-in flex min-w-0 flex-1 flex-col gap-4 lg:max-w-xl">
      {lots.length === 0 ? null : (
        <div className={CARD}>
          <h2 className="flex items-center gap-2 font-semibold">
            <Pulse />
            {texts.enter.lots}
          </h2>
          <ul aria-label={texts.enter.lots} className="grid gap-3 sm:grid-cols-2">
            {lots.map((lot) => (
              <Lot key={lot.lot_id} lot={lot} />
            ))}
          </ul>
        </div>
      )}
      {lines.length === 0 ? null : (
        <div className={CARD}>
          <h2 className="flex items-center gap-2 font-semibold">
            <Pulse />
            {texts.enter.lines}
          </h2>
          <ul aria-label={texts.enter.lines} className="flex flex-col gap-2.5">
            {lines.map((line) => (
              <Said key={`${line.room} ${line.id}`} line={line} />
            ))}
          </ul>
        </div>
      )}
      {seen.count === 0 ? null : (
        <p
          className={`self-center rounded-full px-4 py-1 text-sm font-medium tabular-nums ${kept ? "bg-emerald-100 text-emerald-900 dark:bg-emerald-950 dark:text-emerald-200" : "bg-red-100 text-red-900 dark:bg-red-950 dark:text-red-100"}`}
        >
          {texts.enter.seen(seen.count, seen.holes.size, seen.doubled, seen.outOfOrder)}
        </p>
      )}
    </section>
  );
}

function Lot({ lot }: { lot: LotView }): ReactNode {
  return (
    <li className="flex min-w-0 items-center gap-3">
      <Art lot={lot} className="size-14 shrink-0 rounded-xl [&>svg:first-child]:hidden [&>svg:last-child]:size-7" />
      <div className="min-w-0">
        <p dir="auto" className="truncate text-sm">
          {lot.title}
        </p>
        <p className="flex flex-wrap items-baseline gap-x-2">
          <strong key={lot.price} className={`text-lg tabular-nums ${lot.bids === 0 ? "" : "comes-in inline-block"}`}>
            {money(lot.price, lot.currency)}
          </strong>
          <bdi className="truncate text-xs text-slate-700 dark:text-slate-300">{lot.leader === null ? texts.lot.nobody : texts.lot.leader(lot.leader)}</bdi>
        </p>
      </div>
    </li>
  );
}

function Said({ line: { user, text } }: { line: Line }): ReactNode {
  return (
    <li className="comes-in flex items-center gap-3">
      <Avatar name={user} />
      <p className="min-w-0 text-sm">
        <bdi className="me-2 font-semibold">{user}</bdi>
        <span dir="auto" className="wrap-anywhere text-slate-700 dark:text-slate-300">
          {text}
        </span>
      </p>
    </li>
  );
}

function Pulse(): ReactNode {
  return (
    <span aria-hidden className="relative flex size-2.5 rounded-full bg-emerald-600 dark:bg-emerald-400">
      <span className="absolute inset-0 rounded-full bg-inherit motion-safe:animate-ping" />
    </span>
  );
}
