import { useState, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { branch, type Branch } from "../state/tree";

const COLOURS = { string: "text-good", number: "text-accent", boolean: "text-warn", null: "text-dim", object: "text-dim", array: "text-dim" };

/** A JSON value as a tree that opens and closes; at first it is open `open` levels deep. */
export function Tree({ value, label, open = 2 }: { value: unknown; label: string; open?: number }): ReactNode {
  const root = branch(value);
  return (
    <div role="group" aria-label={label} tabIndex={0} className="max-h-[36rem] overflow-auto px-4 py-3 font-mono text-xs leading-6 focus-visible:-outline-offset-2">
      {root.children.length === 0 ? <Leaf branch={root} /> : <Children branch={root} label={label} open={open} />}
    </div>
  );
}

function Children({ branch: { children, hidden }, label, open, inner = false }: { branch: Branch; label: string; open: number; inner?: boolean }): ReactNode {
  return (
    <ul className={inner ? "ms-[0.3rem] border-s border-line ps-4" : ""}>
      {children.map((child) => (
        <li key={child.path}>
          {child.children.length === 0 ? (
            <Leaf branch={child} />
          ) : (
            <Folded branch={child} label={label} open={open} />
          )}
        </li>
      ))}
      {hidden === 0 ? null : <li className="text-dim">{texts.entities.hidden(hidden)}</li>}
    </ul>
  );
}

/** What is folded away is not in the page. */
function Folded({ branch: child, label, open }: { branch: Branch; label: string; open: number }): ReactNode {
  const [unfolded, setUnfolded] = useState(open > 0);
  return (
    <details open={unfolded} onToggle={(event) => setUnfolded(event.currentTarget.open)}>
      <summary aria-label={`${label} ${child.path}`} className="w-fit cursor-pointer rounded pe-1 hover:bg-raised">
        <span className="font-medium">{child.name}</span> <span className="text-dim">{child.text}</span>
      </summary>
      {unfolded ? <Children branch={child} label={label} open={open - 1} inner /> : null}
    </details>
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
