import { describe, expect, test } from "vitest";
import type { AppRow, Endpoint, Job, NodeRow, SeriesPage, TailMessage } from "../contract";
import { matters, OVERDUE_MS, weight } from "./attention";
import { ContactWatch } from "./contact";
import { linesOf as tailLines, NOWHERE, onward } from "./following";
import { eventLines } from "./events";
import { ago, bytes, count, duration, part, share, short, time } from "./format";
import { Lines } from "./lines";
import { Notices } from "./notices";
import { toggled, toggledAll, within } from "./selection";
import { askFrom, joined, linesOf, lone, NO_SERIES, seconds, STEPS, summed, together } from "./series";
import { permille } from "./shares";
import { came, clear, EMPTY, KEPT, pause, resume, type TailLine } from "./tail";
import { traceId, traceLink } from "./traces";
import { branch, CHARACTERS, CHILDREN, unfolded } from "./tree";

const NOW = 1_764_000_000_000;

describe("numbers and times", () => {
  test("are short and never NaN", () => {
    expect([0, 0.421, 7.34, 42.42, 950, 1234, 12_400, 3_100_000, 5e9, NaN].map(short)).toEqual(["0", "0.42", "7.34", "42.4", "950", "1,234", "12.4k", "3.1M", "5G", "–"]);
    expect([0, 1023, 1536, 187_000_000, 5 * 2 ** 30, NaN].map(bytes)).toEqual(["0 B", "1023 B", "1.5 KiB", "178 MiB", "5 GiB", "–"]);
    expect([0.4, 250, 3200, 45_000, 240_000, 7_500_000, 273_600_000, NaN].map(duration)).toEqual(["0.4 ms", "250 ms", "3.2 s", "45 s", "4 min", "2 h 5 min", "3 d 4 h", "–"]);
    expect(count(1234567)).toBe("1,234,567");
  });

  test("tell how long ago, or in how long", () => {
    expect([NOW, NOW - 12_300, NOW + 180_000].map((at) => ago(at, NOW))).toEqual(["now", "12 s ago", "in 3 min"]);
  });

  test("an absent time is none, and one of another day has its date", () => {
    expect(time(0)).toBe("–");
    expect(time(NOW, NOW)).toMatch(/^\d\d:\d\d:\d\d$/);
    expect(time(NOW - 3 * 86_400_000, NOW)).toContain("Nov");
  });

  test("shares and parts", () => {
    expect([0, 1, 50, 1000].map(share)).toEqual(["0%", "0.1%", "5%", "100%"]);
    expect([part(0, 0), part(1, 4), part(1, 100_000)]).toEqual(["0%", "25%", "<0.1%"]);
    expect(["5", "5%", "0.5", "0,5 %", "100", "100.1", "-1", "1.25", "five", ""].map(permille)).toEqual([50, 50, 5, 5, 1000, null, null, null, null, null]);
  });
});

describe("a live tail", () => {
  const line = (key: number): TailLine => ({ key, kind: "publication", at: NOW, offset: key, user: "ann", text: String(key) });
  const lines = (from: number, to: number): TailLine[] => Array.from({ length: to - from }, (_, at) => line(from + at));

  test("keeps the newest lines alone", () => {
    const tail = came(came(EMPTY, lines(0, KEPT)), lines(KEPT, KEPT + 10));
    expect([tail.shown.length, tail.shown[0]?.key, tail.total]).toEqual([KEPT, 10, KEPT + 10]);
  });

  test("stands still while paused, and goes on with what came meanwhile", () => {
    const held = came(pause(came(EMPTY, lines(0, 3))), lines(3, 5));
    expect(held.shown.map(({ key }) => key)).toEqual([0, 1, 2]);
    expect(resume(held).shown.map(({ key }) => key)).toEqual([0, 1, 2, 3, 4]);
    expect(clear(held)).toMatchObject({ paused: true, shown: [], held: [] });
  });

  test("tells how many did not fit while it was paused", () => {
    expect(came(came(pause(EMPTY), lines(0, KEPT)), lines(KEPT, KEPT + 7)).dropped).toBe(7);
  });

  test("has a line for what happens around publications, and none for signs of life or what a newer gateway says", () => {
    const said: unknown[] = [
      { type: "begin", epoch: "e", offset: 4 },
      { type: "publication", offset: 5, data: { a: 1 }, user: "ann", client: "c", b64data: "", tags: null, time_ms: NOW, bytes: 7 },
      { type: "join", user: "bob", client: "c2" },
      { type: "skipped", count: 9 },
      { type: "alive" },
      { type: "something newer" },
    ];
    const found = tailLines(said as TailMessage[], 10, NOW);
    expect(found.map(({ key, kind, text }) => [key, kind, text])).toEqual([
      [10, "begin", "e"],
      [11, "publication", '{"a":1}'],
      [12, "join", "c2"],
      [13, "skipped", "9"],
    ]);
  });

  test("goes on after an interruption without a repeat, and tells what is missing", () => {
    const at = (offset: number): TailMessage => ({ type: "publication", offset, data: offset, b64data: "", user: "", client: "", tags: null, time_ms: NOW, bytes: 1 });
    const begin = (epoch: string, offset: number): TailMessage => ({ type: "begin", epoch, offset });
    const first = onward(NOWHERE, [begin("e", 2), at(1), at(2), at(3)]);
    expect([first.messages.length, first.position]).toEqual([4, { epoch: "e", offset: 3 }]);
    const again = onward(first.position, [begin("e", 5), at(2), at(3), at(4), at(5)]);
    expect(again.messages).toEqual([begin("e", 5), at(4), at(5)]);
    expect(onward(again.position, [begin("e", 9), at(9)]).messages).toEqual([begin("e", 9), { type: "skipped", count: 3 }, at(9)]);
    expect(onward(again.position, [begin("another", 1), at(1)]).messages).toEqual([begin("another", 1), at(1)]);
    expect(tailLines([begin("e", 5)], 0, NOW, false)).toEqual([]);
    const unlogged = onward(NOWHERE, [begin("", 0), at(0), at(0)]);
    expect(unlogged.messages).toHaveLength(3);
  });

  test("events are told once each, in their order, with all that they name", () => {
    const died = { type: "event", event: "job_dead", sequence: 7, id: "x", time_ms: NOW, app: "chat", operation: "email.send", record: "a:1", note: "550 never" } as const;
    const first = eventLines([{ type: "begin" }, died, { type: "alive" }], 0, NOW);
    expect(first.lines.map(({ user, text }) => [user, text])).toEqual([["job_dead", "app chat, operation email.send, record a:1, note 550 never"]]);
    expect(first.last).toBe(7);
    expect(eventLines([died, { type: "skipped", count: 3 }, { ...died, sequence: 8 }], first.last, NOW).lines.map(({ kind }) => kind)).toEqual(["skipped", "publication"]);
  });

  test("lines are whole wherever the pieces end, within a letter too", () => {
    const bytes = new TextEncoder().encode('{"a":"é"}\n\n{"b":2}\n{"c"');
    const reader = new Lines();
    expect([...bytes].flatMap((byte) => reader.push(Uint8Array.of(byte)))).toEqual(['{"a":"é"}', '{"b":2}']);
    expect(reader.push(new TextEncoder().encode(":3}\n"))).toEqual(['{"c":3}']);
  });
});

describe("figures over time", () => {
  const page = (from_ms: number, series: Record<string, (number | null)[]>): SeriesPage => ({
    step_ms: 2000,
    from_ms,
    series: Object.entries(series).map(([node, values]) => ({ node, service: "gateway", figure: "connections", values })),
  });

  test("are joined piece by piece on one grid, new nodes and silences included", () => {
    const both = joined(page(10_000, { a: [1, 2], b: [5, 5] }), page(16_000, { a: [4], c: [9] }));
    expect(both).toEqual(page(10_000, { a: [1, 2, null, 4], b: [5, 5, null, null], c: [null, null, null, 9] }));
    expect(askFrom(both)).toBe(12_000);
    expect(seconds(both)).toEqual([10, 12, 14, 16]);
  });

  test("what was not known yet is filled in when it is told again, and what was is kept", () => {
    const both = joined(page(10_000, { a: [1, 2, 3], b: [7, 7, null] }), page(12_000, { a: [2, null, 4], b: [7, 8, null] }));
    expect(both).toEqual(page(10_000, { a: [1, 2, 3, 4], b: [7, 7, 8, null] }));
  });

  test("an empty answer changes nothing", () => {
    const known = page(10_000, { a: [1] });
    expect(joined(known, page(0, {}))).toBe(known);
    expect(joined(NO_SERIES, known)).toBe(known);
    expect(askFrom(NO_SERIES)).toBe(0);
  });

  test("what does not meet on the grid begins anew", () => {
    const later = page(13_000, { a: [3] });
    expect(joined(page(10_000, { a: [1, 2] }), later)).toBe(later);
    const muchLater = page(10_000_000, { a: [3] });
    expect(joined(page(10_000, { a: [1, 2] }), muchLater)).toBe(muchLater);
  });

  test("stay ten minutes long, and who has said nothing in them is gone", () => {
    const long = joined(page(0, { a: Array.from({ length: STEPS }, () => 1), b: [1, ...Array.from({ length: STEPS - 1 }, () => null)] }), page(STEPS * 2000, { a: [2] }));
    expect(long.from_ms).toBe(2000);
    expect(long.series.map(({ node, values }) => [node, values.length, values.at(-1)])).toEqual([["a", STEPS, 2]]);
  });

  test("counts of nodes add up, and of delays the longest stands", () => {
    expect(together([[1, null, 3], [2, null, null]], "1/s")).toEqual([3, null, 3]);
    expect(together([[1, 4], [2, 3]], "ms")).toEqual([2, 4]);
    expect(summed([{ name: "a", values: [5, 2, null] }], "1")).toEqual({ now: 2, highest: 5 });
    expect(summed([], "1")).toEqual({ now: null, highest: null });
  });

  test("many nodes are one line", () => {
    const many = page(0, Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`n${at}`, [at]])));
    expect(linesOf(many, "connections", "1", "all together")).toEqual([{ name: "all together", values: [36] }]);
    expect(linesOf(many, "connections", "1", "all together", 9)).toHaveLength(9);
  });

  test("lines are named by their service where it has one node, and a point without neighbours is a point", () => {
    const two = page(0, { "0f656159bb": [1], "1a656159bb": [2] });
    expect(linesOf({ ...two, series: two.series.slice(1) }, "connections", "1", "").map(({ name }) => name)).toEqual(["gateway"]);
    expect(linesOf(two, "connections", "1", "").map(({ name }) => name)).toEqual(["gateway 0f6561", "gateway 1a6561"]);
    expect(lone([1, null, 2, 3, null, undefined, 4])).toEqual([0, 6]);
    expect(lone([])).toEqual([]);
  });
});

describe("what needs attention", () => {
  const node = (name: string, state: NodeRow["state"], figures: Record<string, number> = {}, service = "gateway", version = "1"): NodeRow => ({
    node: name,
    service,
    version,
    app_version: "",
    started_ms: 0,
    heard_ms: NOW,
    state,
    figures,
  });
  const app = (name: string, ruling: string, breaks: string[] = []): AppRow => ({ app: name, ruling, versions: [], methods: [], namespaces: [], breaks });

  test("is nothing where all is well, and a node that left in order is well", () => {
    const nodes = [node("a", "up", { records_overdue_ms: OVERDUE_MS }), node("b", "left")];
    expect(matters({ nodes, dead: { jobs: [], more: false }, endpoints: [], apps: [app("chat", "1.0.0")] })).toEqual([]);
    expect(matters({})).toEqual([]);
  });

  test("a node that another one replaced wants no look", () => {
    const gone = node("b", "silent");
    const successor = { ...node("c", "up"), started_ms: NOW + 1000 };
    expect(matters({ nodes: [node("a", "up"), gone, successor] })).toEqual([]);
    expect(matters({ nodes: [node("a", "up"), gone, { ...gone, node: "d" }, successor] }).map(({ about }) => about)).toEqual(["silent"]);
  });

  test("names what is gone, dead, disabled, late or mixed, the gravest first", () => {
    const nodes = [node("a", "up"), node("b", "silent"), node("c", "up", {}, "gateway", "2"), node("s", "silent", {}, "storage"), node("i", "up", { records_overdue_ms: 60_000 }, "integrations")];
    const found = matters({
      nodes,
      dead: { jobs: [{} as Job], more: false },
      endpoints: [{ id: "x", disabled: "failed" } as Endpoint, { id: "y", disabled: "" } as Endpoint],
      apps: [app("chat", ""), app("auctions", "1", ["lost a method"])],
    });
    expect(found.map(({ about }) => about)).toEqual(["nobody", "overdue", "noApp", "dead", "silent", "versions", "breaks", "disabled"]);
    expect(found.map(weight)).toEqual(["bad", "bad", "bad", "bad", "warn", "warn", "warn", "warn"]);
  });
});

describe("what the page knows of the gateway", () => {
  test("an answer ends a silence, and only changes are told", () => {
    let now = 100;
    const watch = new ContactWatch(() => now);
    let told = 0;
    watch.listen(() => (told += 1));
    watch.answered();
    watch.silent();
    now = 200;
    watch.silent();
    expect([watch.current(), told]).toEqual([{ answered: 100, silentSince: 100 }, 1]);
    watch.answered();
    expect([watch.current(), told]).toEqual([{ answered: 200, silentSince: 0 }, 2]);
  });

  test("the same notice twice is told twice", () => {
    const notices = new Notices();
    notices.say("done");
    const first = notices.current();
    notices.say("done");
    expect(notices.current()?.key).not.toBe(first?.key);
    notices.dismiss();
    expect(notices.current()).toBeNull();
  });
});

describe("rows, trees and traces", () => {
  test("what is no longer listed is no longer ticked", () => {
    const ticked = toggled(toggled(new Set(), "a"), "b");
    expect(within(ticked, ["b", "c"])).toEqual(["b"]);
    expect([...toggledAll(ticked, ["a", "b"])]).toEqual([]);
    expect([...toggledAll(ticked, ["a", "b", "c"])]).toEqual(["a", "b", "c"]);
    expect([...toggled(ticked, "a")]).toEqual(["b"]);
  });

  test("any value is a tree of bounded size", () => {
    let deep: unknown = 1;
    for (let at = 0; at < 10_000; at += 1) {
      deep = { deep };
    }
    expect(branch(deep).children).toHaveLength(1);
    const wide = branch(Array.from({ length: CHILDREN + 5 }, (_, at) => at));
    expect([wide.children.length, wide.hidden, wide.text]).toEqual([CHILDREN, 5, "[205]"]);
    expect(branch("x".repeat(CHARACTERS + 1)).text).toHaveLength(CHARACTERS + 1);
    expect([null, undefined, true, 0, "", {}, []].map((value) => branch(value).kind)).toEqual(["null", "null", "boolean", "number", "string", "object", "array"]);
  });

  test("schemas that are texts in a manifest are shown as what they say", () => {
    expect(unfolded({ a: ['{"type":"object"}', "{no json", "{1}"], b: 1, c: null })).toEqual({ a: [{ type: "object" }, "{no json", "{1}"], b: 1, c: null });
  });

  test("a trace leads only where the deployment says, over http", () => {
    const id = "4bf92f3577b34da6a3ce929d0e0e4736";
    expect([traceId(`00-${id}-00f067aa0ba902b7-01`), traceId(id), traceId(""), traceId("javascript:1"), traceId("0".repeat(32))]).toEqual([id, id, "", "", ""]);
    expect(traceLink("https://traces.example/t/{trace_id}", id)).toBe(`https://traces.example/t/${id}`);
    expect([traceLink("", id), traceLink("javascript:alert('{trace_id}')", id), traceLink("https://traces.example/", id), traceLink("https://t/{trace_id}", "")]).toEqual(["", "", "", ""]);
  });
});
