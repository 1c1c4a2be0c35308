import type { ReactNode } from "react";
import { texts } from "../../texts/console";
import { branch, type Branch } from "../state/tree";

const OPEN_DEPTH = 2;
const COLOURS = { string: "text-good", number: "text-accent", boolean: "text-warn", null: "text-dim", object: "text-dim", array: "text-dim" };

/** A JSON value as a tree that opens and closes. */
export function Tree({ value, label }: { value: unknown; label: string }): ReactNode {
  const root = branch(value);
  return (
    <div role="group" aria-label={label} tabIndex={0} className="max-h-[36rem] overflow-auto px-4 py-3 font-mono text-xs leading-6 focus-visible:-outline-offset-2">
      {root.children.length === 0 ? <Leaf branch={root} /> : <Children branch={root} label={label} depth={1} />}
    </div>
  );
}

function Children({ branch: { children, hidden }, label, depth }: { branch: Branch; label: string; depth: number }): ReactNode {
  return (
    <ul className={depth === 1 ? "" : "ms-[0.3rem] border-s border-line ps-4"}>
      {children.map((child) => (
        <li key={child.path}>
          {child.children.length === 0 ? (
            <Leaf branch={child} />
          ) : (
            <details open={depth <= OPEN_DEPTH}>
              <summary aria-label={`${label} ${child.path}`} className="w-fit cursor-pointer rounded pe-1 hover:bg-raised">
                <span className="font-medium">{child.name}</span> <span className="text-dim">{child.text}</span>
              </summary>
              <Children branch={child} label={label} depth={depth + 1} />
            </details>
          )}
        </li>
      ))}
      {hidden === 0 ? null : <li className="text-dim">{texts.entities.hidden(hidden)}</li>}
    </ul>
  );
}

function Leaf({ branch: { name, kind, text } }: { branch: Branch }): ReactNode {
  return (
    <p className="wrap-anywhere whitespace-pre-wrap">
      {name === "" ? null : <span className="font-medium">{name} </span>}
      <bdi className={COLOURS[kind]}>{kind === "string" && text === "" ? '""' : text}</bdi>
    </p>
  );
}
