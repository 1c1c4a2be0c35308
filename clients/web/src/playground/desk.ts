/** The kill port of `causeway dev`, where the page was told of one: the gateway writes it into the page's head, in dev alone. */
export interface DeskAt {
  url: string;
  token: string;
}

/** A process of the stack, as `causeway dev` tells it. */
export interface Process {
  service: string;
  kind: string;
  name: string;
  pid: number | null;
  since: number | null;
  restarts: number;
  state: "ready" | "starting" | "down";
  outage_ms: number | null;
}

/** What can be killed here, by what `causeway dev` calls it. */
export type Kind = "gateway" | "storage" | "logic" | "nats";
export const KINDS: readonly Kind[] = ["gateway", "logic", "storage", "nats"];

/** A refusal: 401 where `causeway dev` was started anew, 404, 409; 0 where nobody answers. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const ANSWER_MS = 3000;

/** Where processes can be killed; null: nowhere, as everywhere but in dev. */
export function deskHere(page: Document = document): DeskAt | null {
  const told = page.querySelector<HTMLMetaElement>('meta[name="causeway-playground"]')?.content;
  if (told === undefined) {
    return null;
  }
  const { url, token } = JSON.parse(told) as DeskAt;
  return { url, token };
}

/** All processes of the stack. Throws Refused. */
export async function processes(desk: DeskAt): Promise<Process[]> {
  return (await ask<{ processes: Process[] }>(desk, "/processes")).processes;
}

/** SIGKILL to all processes of a kind; those that were running. Throws Refused. */
export async function kill(desk: DeskAt, kind: Kind): Promise<Process[]> {
  return (await ask<{ killed: Process[] }>(desk, "/kill", { method: "POST", body: JSON.stringify({ service: kind }) })).killed;
}

/** Whether each of these has died since and is ready again. */
export function areBack(killed: readonly Process[], now: readonly Process[]): boolean {
  return killed.every(({ name, restarts }) => now.some((each) => each.name === name && each.restarts > restarts && each.state === "ready"));
}

async function ask<Answer>({ url, token }: DeskAt, path: string, init: RequestInit = {}): Promise<Answer> {
  const headers = { Authorization: `Bearer ${token}`, ...(init.body ? { "Content-Type": "application/json" } : {}) };
  let answer: Response;
  try {
    answer = await fetch(url + path, { ...init, headers, signal: AbortSignal.timeout(ANSWER_MS), cache: "no-store" });
  } catch {
    throw new Refused(0, "causeway dev does not answer");
  }
  if (!answer.ok) {
    const { error } = (await answer.json().catch(() => ({ error: answer.statusText }))) as { error: string };
    throw new Refused(answer.status, error);
  }
  return (await answer.json()) as Answer;
}
