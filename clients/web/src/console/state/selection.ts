/** Which rows of a list are ticked. Pure; what is no longer in the list is no longer ticked. */
export type Selection = ReadonlySet<string>;

/** Tick it, or take the tick away. */
export function toggled(selection: Selection, id: string): Selection {
  const next = new Set(selection);
  if (!next.delete(id)) {
    next.add(id);
  }
  return next;
}

/** Tick all, or none where all are ticked already. */
export function toggledAll(selection: Selection, ids: readonly string[]): Selection {
  return ids.length > 0 && ids.every((id) => selection.has(id)) ? new Set() : new Set(ids);
}

/** Those that are still there, in the list's order. */
export function within(selection: Selection, ids: readonly string[]): string[] {
  return ids.filter((id) => selection.has(id));
}
