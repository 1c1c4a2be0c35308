import { useEffect, useRef, useState, type ReactNode } from "react";
import uPlot from "uplot";
import { texts } from "../../texts/console";
import { time } from "../state/format";
import { lone, summed, type Line } from "../state/series";

const HEIGHT = 132;
const COLOURS = 6;
const LEAST = 120; // seconds that the axis shows, however little is known
const MINUTES = 240; // from so many seconds on whole minutes tell them apart

/** One figure over time, a line for each node. The pointer moves over all charts of the page at once. */
export function Chart({
  title,
  about,
  unit,
  text,
  times,
  lines,
}: {
  title: string;
  about: string;
  unit: string;
  text: (value: number) => string;
  times: readonly number[];
  lines: readonly Line[];
}): ReactNode {
  const [at, setAt] = useState<number | null>(null);
  const { now, highest } = summed(lines, unit);
  const shown = at === null ? null : lines.map((line) => line.values[at] ?? null);
  const value = shown === null ? now : (summed(lines.map((line) => ({ ...line, values: [line.values[at!] ?? null] })), unit).now ?? null);
  return (
    <figure className="flex min-w-0 flex-col rounded-xl border border-line bg-panel px-3 pt-2.5 pb-1">
      <figcaption className="flex items-baseline justify-between gap-3 px-1" title={about}>
        <span className="truncate text-xs font-medium text-dim">{title}</span>
        <span className="text-base font-semibold whitespace-nowrap tabular-nums">{value === null ? "–" : text(value)}</span>
      </figcaption>
      {now === null || highest === null ? (
        <p className="flex h-[132px] items-center justify-center text-xs text-dim">{texts.overview.waiting}</p>
      ) : (
        <Plot label={texts.overview.chart(title, text(now), text(highest))} text={text} times={times} lines={lines} point={setAt} />
      )}
      <ul aria-hidden className="flex min-h-5 flex-wrap gap-x-3 px-1 text-[0.6875rem] leading-5 text-dim">
        {at === null ? null : <li className="tabular-nums">{time((times[at] ?? 0) * 1000)}</li>}
        {lines.length < 2
          ? null
          : lines.map((line, number) => (
              <li key={line.name} className="flex min-w-0 items-center gap-1">
                <Swatch number={number} />
                <span className="max-w-28 truncate">{line.name}</span>
                {shown === null ? null : <span className="text-ink tabular-nums">{shown[number] === null || shown[number] === undefined ? "–" : text(shown[number])}</span>}
              </li>
            ))}
      </ul>
    </figure>
  );
}

const SWATCHES = ["bg-(--series-1)", "bg-(--series-2)", "bg-(--series-3)", "bg-(--series-4)", "bg-(--series-5)", "bg-(--series-6)"];

function Swatch({ number }: { number: number }): ReactNode {
  return <span className={`h-0.5 w-3 shrink-0 rounded ${SWATCHES[number % COLOURS]}`} />;
}

function Plot({
  label,
  text,
  times,
  lines,
  point,
}: {
  label: string;
  text: (value: number) => string;
  times: readonly number[];
  lines: readonly Line[];
  point: (step: number | null) => void;
}): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = useRef<uPlot.AlignedData>([[]]);
  data.current = [times as number[], ...lines.map((line) => line.values as (number | null)[])];
  const names = lines.map((line) => line.name).join("\n");
  const scheme = useScheme();

  useEffect(() => {
    const element = box.current!;
    const made = new uPlot(options(element, names === "" ? [] : names.split("\n"), text, point), data.current, element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
    // Made anew only for other lines or other colours; `text` and `point` stay what they were for a figure.
  }, [names, scheme]);

  useEffect(() => plot.current?.setData(data.current));
  return <div ref={box} role="img" aria-label={label} className="w-full overflow-hidden" />;
}

function clock(plot: uPlot, steps: readonly number[]): string[] {
  const shown = (plot.scales["x"]?.max ?? 0) - (plot.scales["x"]?.min ?? 0);
  return steps.map((step) => time(step * 1000).slice(0, shown < MINUTES ? 8 : 5));
}

function options(element: HTMLElement, names: readonly string[], text: (value: number) => string, point: (step: number | null) => void): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name);
  const font = `11px ${style.fontFamily}`;
  const axis = { stroke: colour("--dim"), font, ticks: { show: false }, grid: { stroke: colour("--line"), width: 1 } };
  return {
    width: Math.max(element.clientWidth, 100),
    height: HEIGHT,
    padding: [8, 20, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "console" }, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { range: (_plot, first, last) => [Math.min(first, last - LEAST), last] }, y: { range: (_plot, low, high) => [Math.min(0, low), high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, size: 22, space: 90, values: clock },
      { ...axis, size: 48, space: 34, values: (_plot, steps) => steps.map(text) },
    ],
    series: [
      {},
      ...names.map((name, number) => ({
        label: name,
        stroke: colour(`--series-${(number % COLOURS) + 1}`),
        width: 1.5,
        points: { show: true, size: 4, filter: (plot: uPlot, at: number) => lone([...(plot.data[at] ?? [])]) },
        ...(names.length === 1 ? { fill: colour("--accent-soft") } : {}),
      })),
    ],
    hooks: { setCursor: [(plot) => point(plot.cursor.idx ?? null)] },
  };
}

/** Changes when light becomes dark, so that what is drawn is drawn anew. */
function useScheme(): boolean {
  const [dark, setDark] = useState(() => window.matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = window.matchMedia("(prefers-color-scheme: dark)");
    const changed = (): void => setDark(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  return dark;
}
