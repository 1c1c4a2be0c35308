/** Trace ids, and where a trace can be looked at. */

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;
const ID = /^[0-9a-f]{32}$/;
const NONE = "0".repeat(32);

/** The trace id of a traceparent, or of a trace id; "" where there is none. */
export function traceId(text: string): string {
  const found = ID.test(text) ? text : (TRACEPARENT.exec(text)?.[1] ?? "");
  return found === NONE ? "" : found;
}

/** The address of a trace by the deployment's template; "" where none is configured, or it leads nowhere a link may. */
export function traceLink(template: string, id: string): string {
  if (id === "" || !/^https?:\/\//.test(template) || !template.includes("{trace_id}")) {
    return "";
  }
  return template.replaceAll("{trace_id}", id);
}
