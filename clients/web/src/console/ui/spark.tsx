import type { ReactNode } from "react";

const WIDTH = 120;
const HEIGHT = 24;

/** Counts over time as bars, with the failed ones in red at their foot; `label` says it in words. */
export function Spark({ label, counts, failed }: { label: string; counts: readonly number[]; failed: readonly number[] }): ReactNode {
  const highest = Math.max(1, ...counts);
  const step = WIDTH / Math.max(1, counts.length);
  const bar = (value: number, number: number, colour: string): ReactNode =>
    value === 0 ? null : <rect key={number} x={number * step} width={Math.max(step - 0.5, 0.75)} y={HEIGHT - height(value)} height={height(value)} className={colour} />;
  const height = (value: number): number => Math.max(1.5, (value / highest) * HEIGHT);
  return (
    <svg role="img" aria-label={label} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" className="-my-2 inline-block h-6 w-30 align-middle">
      <line x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} className="stroke-line" />
      {counts.map((value, number) => bar(value, number, "fill-accent/70"))}
      {failed.map((value, number) => bar(value, number, "fill-bad"))}
    </svg>
  );
}
