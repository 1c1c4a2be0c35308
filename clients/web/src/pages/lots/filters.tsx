import { Search } from "lucide-react";
import type { ReactNode } from "react";
import { texts } from "../../texts";
import { FIELD } from "../../ui/controls";
import { TABS, type Category, type Tab } from "./asking";

const CATEGORIES = Object.keys(texts.lots.category) as Category[];
const PRESSED = "aria-pressed:bg-indigo-700 aria-pressed:text-white dark:aria-pressed:bg-indigo-400 dark:aria-pressed:text-slate-950";

interface FiltersProps {
  tab: Tab;
  setTab: (tab: Tab) => void;
  category: Category | null;
  setCategory: (category: Category | null) => void;
  wanted: string;
  setWanted: (wanted: string) => void;
}

/** Which lots are shown. */
export function Filters({ tab, setTab, category, setCategory, wanted, setWanted }: FiltersProps): ReactNode {
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <div role="group" aria-label={texts.lots.tabs} className="flex flex-wrap rounded-xl bg-slate-200 p-1 sm:gap-1 dark:bg-slate-800">
          {TABS.map((each) => (
            <button key={each} type="button" aria-pressed={tab === each} onClick={() => setTab(each)} className={`min-h-9 rounded-lg px-2 text-sm font-medium sm:px-3 ${PRESSED}`}>
              {texts.lots.tab[each]}
            </button>
          ))}
        </div>
        <label className="relative min-w-0 flex-1 sm:max-w-64">
          <span className="sr-only">{texts.lots.find}</span>
          <Search aria-hidden className="absolute start-3 top-1/2 size-4 -translate-y-1/2 text-slate-600 dark:text-slate-400" />
          <input type="search" placeholder={texts.lots.find} className={`${FIELD} ps-9 placeholder:text-slate-600 dark:placeholder:text-slate-400`} value={wanted} onChange={(event) => setWanted(event.target.value)} />
        </label>
      </div>
      <div role="group" aria-label={texts.lots.categories} className="-mx-4 flex gap-2 overflow-x-auto px-4 py-1 sm:mx-0 sm:flex-wrap sm:px-0">
        {[null, ...CATEGORIES].map((each) => (
          <button
            key={each}
            type="button"
            aria-pressed={category === each}
            onClick={() => setCategory(each)}
            className={`min-h-9 shrink-0 rounded-full border border-slate-400 px-3 text-sm hover:bg-slate-200 aria-pressed:border-transparent dark:border-slate-600 dark:hover:bg-slate-800 ${PRESSED}`}
          >
            {each === null ? texts.lots.all : texts.lots.category[each]}
          </button>
        ))}
      </div>
    </div>
  );
}
