/** What wants an operator's look, out of what the page knows. Pure; the gravest first. */

import type { AppRow, Endpoint, Job, NodeRow } from "../contract";

export type Matter =
  | { about: "nobody"; service: string; heard: number }
  | { about: "silent"; service: string; node: string; heard: number; others: number }
  | { about: "dead"; count: number; more: boolean }
  | { about: "disabled"; endpoint: Endpoint }
  | { about: "noApp"; app: string }
  | { about: "breaks"; app: string; text: string }
  | { about: "overdue"; ms: number }
  | { about: "versions"; service: string; versions: string[] };

/** How grave it is. */
export type Weight = "bad" | "warn";

/** Work that is due may wait so long without a word. */
export const OVERDUE_MS = 30_000;
const PACE_MS = 5000;

/** What is known; what could not be asked is left out. */
export interface Known {
  nodes?: readonly NodeRow[] | undefined;
  dead?: { jobs: readonly Job[]; more: boolean } | undefined;
  endpoints?: readonly Endpoint[] | undefined;
  apps?: readonly AppRow[] | undefined;
}

/** What wants a look. */
export function matters({ nodes = [], dead, endpoints = [], apps = [] }: Known): Matter[] {
  const found: Matter[] = [...ofNodes(nodes)];
  for (const { app, ruling, breaks } of apps) {
    if (ruling === "") {
      found.push({ about: "noApp", app });
    }
    found.push(...breaks.map((text): Matter => ({ about: "breaks", app, text })));
  }
  if (dead !== undefined && dead.jobs.length > 0) {
    found.push({ about: "dead", count: dead.jobs.length, more: dead.more });
  }
  found.push(...endpoints.filter((each) => each.disabled !== "").map((endpoint): Matter => ({ about: "disabled", endpoint })));
  return found.toSorted((one, other) => rank(one) - rank(other));
}

/** How grave a matter is. */
export function weight(matter: Matter): Weight {
  return matter.about === "nobody" || matter.about === "noApp" || matter.about === "dead" || matter.about === "overdue" ? "bad" : "warn";
}

function ofNodes(nodes: readonly NodeRow[]): Matter[] {
  const found: Matter[] = [];
  for (const service of new Set(nodes.map((node) => node.service))) {
    const own = nodes.filter((node) => node.service === service);
    const up = own.filter((node) => node.state === "up");
    const silent = own.filter((node) => node.state === "silent");
    const lost = silent.slice(replaced(silent, up));
    if (up.length === 0) {
      found.push({ about: "nobody", service, heard: Math.max(...own.map((node) => node.heard_ms)) });
    } else {
      found.push(...lost.map((node): Matter => ({ about: "silent", service, node: node.node, heard: node.heard_ms, others: up.length })));
    }
    const versions = [...new Set(up.map((node) => node.version))].toSorted();
    if (versions.length > 1) {
      found.push({ about: "versions", service, versions });
    }
  }
  const overdue = Math.max(0, ...nodes.filter((node) => node.state === "up").map((node) => node.figures["records_overdue_ms"] ?? 0));
  if (overdue > OVERDUE_MS) {
    found.push({ about: "overdue", ms: overdue });
  }
  return found;
}

/** How many of those that fell silent have another in their place, which began about then or later. */
function replaced(silent: readonly NodeRow[], up: readonly NodeRow[]): number {
  return up.filter((node) => silent.some((gone) => node.started_ms >= gone.heard_ms - PACE_MS)).length;
}

function rank(matter: Matter): number {
  return weight(matter) === "bad" ? 0 : 1;
}
