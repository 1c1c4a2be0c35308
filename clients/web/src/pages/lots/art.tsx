import { Bike, Coffee, Guitar, MountainSnow, Package, ScrollText, Telescope, Watch, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import type { LotView } from "../../api/auctions";

const ICONS: Record<string, LucideIcon> = {
  clocks: Watch,
  home: Coffee,
  instruments: Telescope,
  music: Guitar,
  outdoors: MountainSnow,
  paper: ScrollText,
  travel: Bike,
  other: Package,
};

/** Behind the sign of its category each lot has colours of its own. */
const COLOURS = [
  "from-indigo-200 via-sky-100 to-emerald-100 text-indigo-900 dark:from-indigo-950 dark:via-sky-950 dark:to-emerald-950 dark:text-indigo-200",
  "from-amber-200 via-orange-100 to-rose-100 text-amber-900 dark:from-amber-950 dark:via-orange-950 dark:to-rose-950 dark:text-amber-200",
  "from-emerald-200 via-teal-100 to-sky-100 text-emerald-900 dark:from-emerald-950 dark:via-teal-950 dark:to-sky-950 dark:text-emerald-200",
  "from-rose-200 via-fuchsia-100 to-indigo-100 text-rose-900 dark:from-rose-950 dark:via-fuchsia-950 dark:to-indigo-950 dark:text-rose-200",
  "from-sky-200 via-indigo-100 to-violet-100 text-sky-900 dark:from-sky-950 dark:via-indigo-950 dark:to-violet-950 dark:text-sky-200",
  "from-violet-200 via-rose-100 to-amber-100 text-violet-900 dark:from-violet-950 dark:via-rose-950 dark:to-amber-950 dark:text-violet-200",
];

/** A picture of the lot, as far as there is one. */
export function Art({ lot, className = "" }: { lot: LotView; className?: string }): ReactNode {
  const Icon = ICONS[lot.category] ?? Package;
  const sum = [...lot.lot_id].reduce((total, letter) => (total * 31 + letter.charCodeAt(0)) % 9973, 7);
  return (
    <div aria-hidden className={`relative flex items-center justify-center overflow-hidden bg-linear-to-br ${COLOURS[sum % COLOURS.length]} ${className}`}>
      <Icon strokeWidth={1} className="absolute -right-6 -bottom-8 size-48 opacity-10" />
      <Icon strokeWidth={1.25} className="size-16 drop-shadow-sm" />
    </div>
  );
}
