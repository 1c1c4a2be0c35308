import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { texts } from "../../texts/console";
import type { FigureKind, SeriesPage } from "../contract";
import { useSession } from "../session";
import { bytes, duration, short } from "../state/format";
import { askFrom, joined, linesOf, NO_SERIES, seconds } from "../state/series";
import { Chart } from "./chart";
import { Old } from "./states";

/** Figures as small charts side by side, of all nodes or of one; what is new is asked for step by step. */
export function Charts({ label, figures, kinds, node = "" }: { label: string; figures: readonly string[]; kinds: Record<string, FigureKind>; node?: string }): ReactNode {
  const { ops, info } = useSession();
  const queries = useQueryClient();
  const key = ["nodes.series", node, figures];
  const { data = NO_SERIES, error, dataUpdatedAt } = useQuery({
    queryKey: key,
    queryFn: async ({ signal }) => {
      const known = queries.getQueryData<SeriesPage>(key) ?? NO_SERIES;
      return joined(known, await ops.run("nodes.series", { figures: [...figures], node, service: "", after_ms: askFrom(known) }, signal));
    },
    refetchInterval: info.step_ms,
    structuralSharing: false,
  });
  const times = seconds(data);
  return (
    <section aria-label={label} className="grid grid-cols-1 gap-3 sm:grid-cols-2 xl:grid-cols-3">
      {error === null || dataUpdatedAt === 0 ? null : (
        <div className="col-span-full overflow-hidden rounded-md">
          <Old error={error} from={dataUpdatedAt} />
        </div>
      )}
      {figures.map((figure) => {
        const unit = kinds[figure]?.unit ?? "1";
        const title = texts.figures[figure] ?? figure.replaceAll("_", " ");
        const lines = linesOf(data, figure, unit, texts.overview.all);
        return <Chart key={figure} title={title} about={kinds[figure]?.text ?? title} unit={unit} text={textOf(unit)} times={times} lines={lines} />;
      })}
    </section>
  );
}

/** How values of a unit read. */
export function textOf(unit: string): (value: number) => string {
  switch (unit) {
    case "ms":
      return duration;
    case "s":
      return (value) => duration(value * 1000);
    case "By":
      return bytes;
    case "By/s":
      return (value) => `${bytes(value)}/s`;
    case "%":
      return (value) => `${short(value)}%`;
    case "1/s":
      return (value) => `${short(value)}/s`;
    default:
      return short;
  }
}
