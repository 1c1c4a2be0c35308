/** The operators' calls, `POST /ops/<noun>.<verb>`, and what may become of one. */

import type { Operation, Request, Result, Streams } from "./contract";
import type { ContactWatch } from "./state/contact";
import { Lines } from "./state/lines";

/** The key is not, or no longer, good. */
export class WrongKey extends Error {}

/** No answer: the gateway is away, or does not come back with one in time. What is shown grows old. */
export class NoAnswer extends Error {}

/** The gateway said no, by the error table. */
export class Refusal extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly temporary: boolean,
  ) {
    super(message);
  }
}

interface Reply {
  result?: unknown;
  error?: { code: number; message: string; temporary: boolean };
}

const PATIENCE_MS = 12_000;
const STREAM_PATIENCE_MS = 15_000; // a line comes every 5 s at least
const TOO_MANY = new Refusal(429, "too many wrong keys came from this address", true);

/** Calls the gateway that serves this page, under one key; `contact` learns whether it answers. */
export class Ops {
  constructor(
    private readonly key: string,
    private readonly contact: ContactWatch,
  ) {}

  /** The result of an operation. Throws WrongKey, NoAnswer, Refusal. */
  async run<O extends Operation>(operation: O, request: Request<O>, signal?: AbortSignal): Promise<Result<O>> {
    const response = await this.post(operation, request, AbortSignal.timeout(PATIENCE_MS), signal);
    return (await this.read(operation, response)) as Result<O>;
  }

  /** Hand over each line of an answer that goes on, until the gateway ends it, falls silent (NoAnswer) or `signal` says so. */
  async follow<O extends keyof Streams>(operation: O, request: Streams[O][0], signal: AbortSignal, each: (messages: Streams[O][1][]) => void): Promise<void> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), STREAM_PATIENCE_MS);
    try {
      const response = await this.post(operation, request, silence.signal, signal);
      if (response.headers.get("Content-Type")?.includes("ndjson") !== true || response.body === null) {
        await this.read(operation, response);
        throw new NoAnswer(`${operation}: no stream came`);
      }
      this.contact.answered();
      const reader = response.body.getReader();
      const lines = new Lines();
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), STREAM_PATIENCE_MS);
        each(lines.push(piece.value).map((line) => JSON.parse(line) as Streams[O][1]));
      }
    } catch (error) {
      const known = error instanceof NoAnswer || error instanceof Refusal || error instanceof WrongKey || signal.aborted;
      throw known ? error : new NoAnswer(`${operation}: the stream broke`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  private async read(operation: string, response: Response): Promise<unknown> {
    const text = await response.text().catch(() => "");
    let reply: Reply;
    try {
      reply = JSON.parse(text) as Reply;
    } catch (error) {
      if (response.status >= 400 && response.status < 500) {
        throw new Refusal(response.status, text.trim().slice(0, 200) || `${operation} (${response.status})`, false);
      }
      this.contact.silent();
      throw new NoAnswer(`${operation}: the answer (${response.status}) cannot be read`, { cause: error });
    }
    this.contact.answered();
    if (reply.error !== undefined) {
      throw new Refusal(reply.error.code, reply.error.message, reply.error.temporary);
    }
    if (reply.result === undefined) {
      throw new NoAnswer(`${operation}: the answer (${response.status}) says nothing`);
    }
    return reply.result;
  }

  private async post(operation: string, request: object, patience: AbortSignal, leaving: AbortSignal | undefined): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(`/ops/${operation}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-API-Key": this.key },
        body: JSON.stringify(request),
        signal: leaving === undefined ? patience : AbortSignal.any([patience, leaving]),
        credentials: "omit",
        cache: "no-store",
      });
    } catch (error) {
      if (leaving?.aborted === true) {
        throw error; // who asked is gone
      }
      this.contact.silent();
      throw new NoAnswer(`${operation}: no answer`, { cause: error });
    }
    if (response.status === 401) {
      this.contact.answered();
      throw new WrongKey("this key is not known");
    }
    if (response.status === 429) {
      throw TOO_MANY;
    }
    return response;
  }
}
