/** Numbers and times as operators read them: short, the same width where it can be, never `NaN`. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NONE = "–";

const whole = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dated = new Intl.DateTimeFormat("en", { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** 1234 as `1,234`. */
export function count(value: number): string {
  return Number.isFinite(value) ? whole.format(Math.round(value)) : NONE;
}

/** A number of any size in at most five characters or so: `0.42`, `7.3`, `950`, `12.4k`, `3.1M`. */
export function short(value: number): string {
  if (!Number.isFinite(value)) {
    return NONE;
  }
  const size = Math.abs(value);
  for (const [unit, sign] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]] as const) {
    if (size >= unit) {
      const divisor = sign === "k" ? 1e3 : unit;
      return `${trimmed(value / divisor, 1)}${sign}`;
    }
  }
  return size >= 100 || Number.isInteger(value) ? count(value) : trimmed(value, size >= 10 ? 1 : 2);
}

/** Bytes in binary units. */
export function bytes(value: number): string {
  if (!Number.isFinite(value)) {
    return NONE;
  }
  let size = value;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (Math.abs(size) < 1024 || unit === "GiB") {
      return `${trimmed(size, size >= 100 || unit === "B" ? 0 : 1)} ${unit}`;
    }
    size /= 1024;
  }
  return NONE;
}

/** A length of time: `0.4 ms`, `250 ms`, `3.2 s`, `4 min`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) {
    return NONE;
  }
  if (ms < SECOND) {
    return `${trimmed(ms, ms < 10 ? 1 : 0)} ms`;
  }
  if (ms < MINUTE) {
    return `${trimmed(ms / SECOND, ms < 10 * SECOND ? 1 : 0)} s`;
  }
  if (ms < HOUR) {
    return `${Math.floor(ms / MINUTE)} min`;
  }
  return ms < DAY ? pair(ms, HOUR, "h", MINUTE, "min") : pair(ms, DAY, "d", HOUR, "h");
}

/** How long ago, or in how long: `12 s ago`, `in 3 min`, `now`. */
export function ago(at: number, now: number): string {
  const distance = now - at;
  if (Math.abs(distance) < SECOND) {
    return "now";
  }
  const length = duration(Math.floor(Math.abs(distance) / SECOND) * SECOND);
  return distance > 0 ? `${length} ago` : `in ${length}`;
}

/** The time of day here; with the date where it is not today's. 0 is none. */
export function time(ms: number, now: number = Date.now()): string {
  if (!ms) {
    return NONE;
  }
  return (Math.abs(now - ms) < 12 * HOUR ? clock : dated).format(ms);
}

/** A time for machines and tooltips: RFC 3339 in UTC. */
export function iso(ms: number): string {
  return ms ? new Date(ms).toISOString() : "";
}

/** Thousandths as a share: 50 is `5%`. */
export function share(permille: number): string {
  return `${trimmed(permille / 10, 1)}%`;
}

/** A part of a whole: `0%`, `<0.1%`, `2.5%`. */
export function part(some: number, all: number): string {
  if (all <= 0 || some <= 0) {
    return "0%";
  }
  const percent = (some / all) * 100;
  return percent < 0.1 ? "<0.1%" : `${trimmed(percent, 1)}%`;
}

function pair(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ""}`;
}

function trimmed(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
