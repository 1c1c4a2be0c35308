import { useState, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { eventLines } from "../state/events";
import { PageHead } from "../ui/panel";
import { LivePanel, type Source } from "./tail";

const words = texts.events;
const PAST_MS = 3_600_000;

/** What happens: who came and went, what died, what was switched off. */
export function EventsPage(): ReactNode {
  const [source] = useState(eventSource);
  return (
    <>
      <PageHead title={words.title} about={words.about} />
      <LivePanel title={words.live} source={source} />
    </>
  );
}

/** The last hour and on; after an interruption from the newest that was shown. */
function eventSource(): Source {
  let last = 0;
  let since = Date.now() - PAST_MS;
  return (ops, signal, add) =>
    ops.follow("events.tail", { since_ms: since, types: [] }, signal, (messages) => {
      const told = eventLines(messages, last, Date.now());
      ({ last } = told);
      since = told.lines.at(-1)?.at ?? since;
      add(told.lines);
    });
}
