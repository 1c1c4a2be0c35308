import { useEffect, useRef, useState, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { useSession } from "../session";
import { linesOf, NOWHERE, onward } from "../state/following";
import { time } from "../state/format";
import { came, clear, EMPTY, pause, resume, type Tail, type TailLine } from "../state/tail";
import { Button } from "../ui/controls";
import { Panel } from "../ui/panel";
import { Badge, Empty, Problem } from "../ui/states";
import { Refusal, type Ops } from "../api";

const AGAIN_MS = 2000;
const PAST = 10;
const PAST_AGAIN = 200; // after an interruption; what was shown already is left out
const words = texts.channels;

interface Following {
  tail: Tail;
  state: "connecting" | "live" | "broken";
  error: Error | null;
  change: (how: (tail: Tail) => Tail) => void;
}

/** What is being published into a channel, as it is published. */
export function TailPanel({ channel }: { channel: string }): ReactNode {
  const [source] = useState(() => channelSource(channel));
  return <LivePanel title={words.tail} source={source} />;
}

/** Lines as they come, with a pause. */
export function LivePanel({ title, source }: { title: string; source: Source }): ReactNode {
  const { tail, state, error, change } = useFollowed(source);
  const { paused, shown, held, dropped } = tail;
  const status = paused ? words.paused(held.length) : state === "live" ? words.following : state === "broken" ? words.broken : words.connecting;
  return (
    <Panel
      title={title}
      note={words.live.lines(tail.total)}
      actions={
        <>
          <p role="status" aria-label={title}>
            <Badge tone={paused ? "warn" : state === "live" ? "good" : "calm"}>{status}</Badge>
          </p>
          <Button onClick={() => change(paused ? resume : pause)}>{paused ? words.resume : words.pause}</Button>
          <Button onClick={() => change(clear)}>{words.clear}</Button>
        </>
      }
    >
      {error === null ? null : (
        <div className="p-3">
          <Problem error={error} />
        </div>
      )}
      {dropped === 0 ? null : <p className="bg-warn-soft px-4 py-1 text-xs text-warn">{words.lost(dropped)}</p>}
      {shown.length === 0 ? <Empty title={words.live.waiting} /> : <Lines lines={shown} still={paused} />}
    </Panel>
  );
}

function Lines({ lines, still }: { lines: readonly TailLine[]; still: boolean }): ReactNode {
  const box = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (!still && atEnd.current && box.current !== null) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [lines, still]);
  const scrolled = (): void => {
    const { scrollTop, clientHeight, scrollHeight } = box.current!;
    atEnd.current = scrollTop + clientHeight >= scrollHeight - 8;
  };
  return (
    <ol ref={box} onScroll={scrolled} tabIndex={0} aria-label={words.lines} className="h-[28rem] max-h-[70dvh] overflow-y-auto py-1 font-mono text-xs focus-visible:-outline-offset-2">
      {lines.map((line) => (
        <li key={line.key} className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 px-4 py-0.5 hover:bg-raised/60 sm:grid-cols-[auto_4rem_8rem_minmax(0,1fr)]">
          <span className="text-dim">{time(line.at)}</span>
          <span className="text-end text-dim max-sm:hidden">{line.offset || ""}</span>
          <LineText line={line} />
        </li>
      ))}
    </ol>
  );
}

function LineText({ line: { kind, user, text } }: { line: TailLine }): ReactNode {
  const who = <bdi className="truncate font-medium max-sm:hidden">{user || (kind === "publication" ? words.server : "")}</bdi>;
  switch (kind) {
    case "publication":
      return (
        <>
          {who}
          <bdi className="wrap-anywhere whitespace-pre-wrap">{text}</bdi>
        </>
      );
    case "join":
    case "leave":
      return (
        <>
          {who}
          <span className={kind === "join" ? "text-good" : "text-dim"}>
            {kind === "join" ? words.joined : words.left} <span className="text-dim">{text}</span>
          </span>
        </>
      );
    case "skipped":
      return <span className="text-warn sm:col-span-2">{words.skipped(Number(text))}</span>;
    case "begin":
      return <span className="text-dim sm:col-span-2">{words.began}</span>;
    case "again":
      return <span className="text-warn sm:col-span-2">{text === "" ? words.againUnlogged : words.again}</span>;
  }
}

/** Hands over lines of a stream until it ends; called again after an interruption. Their keys are given here. */
export type Source = (ops: Ops, signal: AbortSignal, add: (lines: readonly TailLine[]) => void) => Promise<void>;

/** A channel's stream: after an interruption it goes on behind what was shown, which a line of its own says. */
function channelSource(channel: string): Source {
  let first = true;
  let position = NOWHERE;
  return (ops, signal, add) =>
    ops.follow("channels.tail", { channel, history: first ? PAST : PAST_AGAIN }, signal, (messages) => {
      const told = onward(position, messages);
      ({ position } = told);
      if (!first && messages.some((message) => message.type === "begin")) {
        add([{ key: 0, kind: "again", at: Date.now(), offset: 0, user: "", text: position.epoch }]);
      }
      add(linesOf(told.messages, 0, Date.now(), first));
      first = false;
    });
}

/** Follows while the page is there. */
function useFollowed(source: Source): Following {
  const { ops } = useSession();
  const [tail, change] = useState<Tail>(EMPTY);
  const [state, setState] = useState<Following["state"]>("connecting");
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    const leaving = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let key = 0;
    const add = (lines: readonly TailLine[]): void => {
      const start = key;
      key += lines.length;
      setState("live");
      setError(null);
      change((now) => came(now, lines.map((line, number) => ({ ...line, key: start + number }))));
    };
    const again = (reason?: unknown): void => {
      if (leaving.signal.aborted) {
        return;
      }
      setState("broken");
      setError(reason instanceof Refusal ? reason : null);
      if (!(reason instanceof Refusal) || reason.temporary) {
        timer = setTimeout(start, AGAIN_MS);
      }
    };
    const start = (): void => void source(ops, leaving.signal, add).then(() => again(), again);
    start();
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [ops, source]);
  return { tail, state, error, change };
}
