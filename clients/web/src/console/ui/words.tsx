import type { ReactNode } from "react";
import { texts } from "../../texts/console";
import { useSession } from "../session";
import { ago, iso, time } from "../state/format";
import { traceId, traceLink } from "../state/traces";
import { LINK } from "./controls";

/** A time of day here, with the exact one in UTC where one points at it. */
export function When({ ms, relative = false }: { ms: number; relative?: boolean }): ReactNode {
  if (!ms) {
    return <span className="text-dim">{texts.common.none}</span>;
  }
  return (
    <time dateTime={iso(ms)} title={iso(ms)} className="whitespace-nowrap tabular-nums">
      {relative ? ago(ms, Date.now()) : time(ms)}
    </time>
  );
}

/** An id or another word for machines. */
export function Code({ children, className = "" }: { children: ReactNode; className?: string }): ReactNode {
  return <code className={`font-mono text-xs wrap-break-word ${className}`}>{children}</code>;
}

/** A link to a trace where the deployment says where traces are, else its id. `of` tells several of a page apart. */
export function Trace({ of, parent }: { of: string; parent: string }): ReactNode {
  const { info } = useSession();
  const id = traceId(parent);
  const link = traceLink(info.trace_url, id);
  if (id === "") {
    return null;
  }
  if (link === "") {
    return (
      <Code className="text-dim" >
        <span title={id}>{id.slice(0, 8)}…</span>
      </Code>
    );
  }
  return (
    <a href={link} target="_blank" rel="noreferrer" aria-label={texts.common.traceOf(of)} className={`${LINK} text-xs whitespace-nowrap`}>
      {texts.common.trace}
    </a>
  );
}

/** A user's name, or that there is none. */
export function Who({ user }: { user: string }): ReactNode {
  return user === "" ? <span className="text-dim">{texts.common.nobody}</span> : <bdi className="inline-block max-w-80 wrap-break-word">{user}</bdi>;
}
