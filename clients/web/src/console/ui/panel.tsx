import { useId, type ReactNode } from "react";

/** The name of a place, and what may be done there. */
export function PageHead({ title, about, children }: { title: ReactNode; about?: ReactNode; children?: ReactNode }): ReactNode {
  return (
    <div className="flex flex-wrap items-end justify-between gap-x-6 gap-y-2">
      <div className="min-w-0">
        <h1 className="text-xl font-semibold tracking-tight wrap-anywhere">{title}</h1>
        {about === undefined ? null : <p className="max-w-3xl text-dim">{about}</p>}
      </div>
      {children === undefined ? null : <div className="flex flex-wrap items-end gap-2">{children}</div>}
    </div>
  );
}

/** A titled part of a page. */
export function Panel({ title, note, actions, className = "", children }: { title: ReactNode; note?: ReactNode; actions?: ReactNode; className?: string; children: ReactNode }): ReactNode {
  const id = useId();
  return (
    <section aria-labelledby={id} className={`flex min-w-0 flex-col overflow-hidden rounded-xl border border-line bg-panel ${className}`}>
      <div className="flex min-h-11 flex-wrap items-center justify-between gap-x-4 gap-y-1 border-b border-line px-4 py-1.5">
        <div className="flex min-w-0 flex-wrap items-baseline gap-x-3">
          <h2 id={id} className="font-semibold wrap-anywhere">
            {title}
          </h2>
          {note === undefined ? null : <p className="text-xs text-dim">{note}</p>}
        </div>
        {actions === undefined ? null : <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
      {children}
    </section>
  );
}

/** Names and values beside each other. */
export function Facts({ children }: { children: ReactNode }): ReactNode {
  return <dl className="grid grid-cols-[repeat(auto-fill,minmax(8.5rem,1fr))] gap-x-6 gap-y-3 px-4 py-3">{children}</dl>;
}

/** One of them. */
export function Fact({ name, wide = false, children }: { name: string; wide?: boolean; children: ReactNode }): ReactNode {
  return (
    <div className={`min-w-0 ${wide ? "col-span-full" : ""}`}>
      <dt className="text-xs text-dim">{name}</dt>
      <dd className="wrap-anywhere">{children}</dd>
    </div>
  );
}

/** A list, and beside it (on a phone in its place) what was chosen of it. */
export function Split({ list, detail }: { list: ReactNode; detail: ReactNode | null }): ReactNode {
  if (detail === null) {
    return list;
  }
  return (
    <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_minmax(0,30rem)] 2xl:grid-cols-[minmax(0,1fr)_minmax(0,40rem)]">
      <div className="min-w-0 max-xl:hidden">{list}</div>
      <div className="flex min-w-0 flex-col gap-4">{detail}</div>
    </div>
  );
}
