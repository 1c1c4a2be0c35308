/** A JSON value as the lines of a tree that one can read: pure, bounded, whatever the value. */

export type Kind = "object" | "array" | "string" | "number" | "boolean" | "null";

/** A value under its name. `children` of objects and arrays, `hidden`: so many more are not shown. */
export interface Branch {
  path: string;
  name: string;
  kind: Kind;
  text: string;
  children: readonly Branch[];
  hidden: number;
}

/** So many children of one value are shown, and strings of so many characters. */
export const CHILDREN = 200;
export const CHARACTERS = 2000;
const DEPTH = 40;

/** The tree of a value. */
export function branch(value: unknown, name = "", path = "$", depth = 0): Branch {
  const kind = kindOf(value);
  const leaf = { path, name, kind, children: [], hidden: 0 };
  if (kind === "string") {
    const text = value as string;
    return { ...leaf, text: text.length > CHARACTERS ? `${text.slice(0, CHARACTERS)}…` : text };
  }
  if (kind !== "object" && kind !== "array") {
    return { ...leaf, text: String(value) };
  }
  const entries: [string, unknown][] = Object.entries(value as object);
  const text = kind === "array" ? `[${entries.length}]` : `{${entries.length}}`;
  if (depth >= DEPTH) {
    return { ...leaf, text, hidden: entries.length };
  }
  const children = entries.slice(0, CHILDREN).map(([key, each]) => branch(each, key, `${path}.${key}`, depth + 1));
  return { ...leaf, text, children, hidden: entries.length - children.length };
}

/** The value with texts that are JSON objects (the schemas of a manifest) as what they say. */
export function unfolded(value: unknown): unknown {
  if (typeof value === "string" && value.startsWith("{")) {
    try {
      return JSON.parse(value) as unknown;
    } catch {
      return value; // a text that only begins like one
    }
  }
  if (Array.isArray(value)) {
    return value.map(unfolded);
  }
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, unfolded(each)])) : value;
}

function kindOf(value: unknown): Kind {
  if (value === null || value === undefined) {
    return "null";
  }
  if (Array.isArray(value)) {
    return "array";
  }
  const kind = typeof value;
  return kind === "string" || kind === "number" || kind === "boolean" ? kind : "object";
}
