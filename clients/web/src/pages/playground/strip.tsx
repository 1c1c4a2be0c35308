import { useEffect, useRef, type ReactNode } from "react";
import { GRACE_MS, SHOWN_MS, waiting, type Kill, type Mark, type Tally } from "../../playground/tally";
import { now } from "../../playground/flow";
import type { Playground } from "../../playground/playground";
import { texts } from "../../texts";

const MS_PER_PIXEL = 24;
const [TOP, BOTTOM] = [46, 26];
const FRAME_MS = 33;
const CALM_MS = 1000;
const LATE_MS = 300;
const LIGHT = { rail: "#94a3b8", text: "#475569", prompt: "#4f46e5", late: "#059669", lost: "#dc2626", gap: "#fee2e2", kill: "#b91c1c" };
const DARK = { rail: "#64748b", text: "#cbd5e1", prompt: "#a5b4fc", late: "#34d399", lost: "#f87171", gap: "#3f1d24", kill: "#fca5a5" };

interface Pen {
  draw: CanvasRenderingContext2D;
  width: number;
  height: number;
  at: number;
  colours: typeof LIGHT;
}

/**
 * Every number as a line, from when it was written above to when it came back below, and time passing to the left. Where nothing came the
 * lines fan out from the moment when it did; lines that cross would be numbers out of order.
 */
export function Strip({ playground }: { playground: Playground }): ReactNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    let [frame, drawn] = [0, -CALM_MS];
    const paint = (): void => {
      frame = requestAnimationFrame(paint);
      const at = now();
      if (at - drawn >= (calm.matches ? CALM_MS : FRAME_MS)) {
        drawn = at;
        picture(canvas.current!, playground.view.tally, at, dark.matches ? DARK : LIGHT);
      }
    };
    paint();
    return () => cancelAnimationFrame(frame);
  }, [playground]);
  return <canvas ref={canvas} role="img" aria-label={texts.playground.picture} className="block h-48 w-full sm:h-56" />;
}

function picture(canvas: HTMLCanvasElement, tally: Tally, at: number, colours: typeof LIGHT): void {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio;
  const draw = canvas.getContext("2d")!;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  }
  draw.setTransform(scale, 0, 0, scale, 0, 0);
  draw.clearRect(0, 0, width, height);
  draw.font = "600 12px system-ui, sans-serif";
  const pen: Pen = { draw, width, height, at, colours };
  tally.kills.forEach((kill) => gap(pen, tally, kill));
  rails(pen);
  tally.marks.forEach((mark) => line(pen, mark, tally));
  queue(pen, waiting(tally));
  let taken = Number.NEGATIVE_INFINITY;
  tally.kills.forEach((kill) => (taken = flag(pen, kill, taken)));
}

function x({ width, at }: Pen, time: number): number {
  return width - 14 - (at - time) / MS_PER_PIXEL;
}

function rails({ draw, width, height, colours }: Pen): void {
  draw.strokeStyle = colours.rail;
  draw.lineWidth = 1;
  for (const y of [TOP, height - BOTTOM]) {
    draw.beginPath();
    draw.moveTo(0, y);
    draw.lineTo(width, y);
    draw.stroke();
  }
  draw.fillStyle = colours.text;
  draw.fillText(texts.playground.written, 2, TOP - 8);
  draw.fillText(texts.playground.came, 2, height - BOTTOM + 18);
}

/** How many wait, while more than one does. */
function queue({ draw, width, colours }: Pen, count: number): void {
  if (count > 1) {
    draw.fillStyle = colours.kill;
    draw.textAlign = "end";
    draw.fillText(texts.playground.waiting(count), width - 14, TOP - 8);
    draw.textAlign = "start";
  }
}

/** The time in which nothing came. */
function gap(pen: Pen, tally: Tally, kill: Kill): void {
  const quiet = kill.over ? kill.silence : pen.at - Math.max(kill.at, tally.lastCame ?? 0);
  const running = !kill.over && quiet > kill.silence;
  const until = running ? pen.at : kill.until;
  const long = running ? quiet : kill.silence;
  if (long < LATE_MS) {
    return;
  }
  const [left, right] = [x(pen, until - long), x(pen, until)];
  pen.draw.fillStyle = pen.colours.gap;
  pen.draw.fillRect(left, TOP, right - left, pen.height - TOP - BOTTOM);
  if (!running) {
    pen.draw.fillStyle = pen.colours.kill;
    pen.draw.textAlign = "center";
    pen.draw.fillText(texts.playground.ms(Math.round(long)), Math.max(64, (left + right) / 2), pen.height - BOTTOM + 18);
    pen.draw.textAlign = "start";
  }
}

function line(pen: Pen, { written, acknowledged, came }: Mark, { liveSince }: Tally): void {
  const { draw, height, at, colours } = pen;
  const from = x(pen, written);
  if (from < -SHOWN_MS / MS_PER_PIXEL) {
    return;
  }
  const bottom = height - BOTTOM;
  const isLost = came === null && acknowledged !== null && liveSince !== null && at - Math.max(acknowledged, liveSince) > GRACE_MS;
  const colour = isLost ? colours.lost : came !== null && came - written > LATE_MS ? colours.late : colours.prompt;
  draw.strokeStyle = draw.fillStyle = colour;
  if (came !== null || isLost) {
    draw.globalAlpha = isLost ? 1 : 0.65;
    draw.lineWidth = 1.5;
    draw.beginPath();
    draw.moveTo(from, TOP);
    draw.lineTo(came === null ? from : x(pen, came), came === null ? (TOP + bottom) / 2 : bottom);
    draw.stroke();
    draw.globalAlpha = 1;
  }
  dot(draw, from, TOP, came !== null);
  if (came !== null) {
    dot(draw, x(pen, came), bottom, true);
  }
}

function dot(draw: CanvasRenderingContext2D, x: number, y: number, full: boolean): void {
  draw.beginPath();
  draw.arc(x, y, 2.2, 0, 7);
  if (full) {
    draw.fill();
  } else {
    draw.lineWidth = 1.2;
    draw.stroke();
  }
}

/** When it was killed, and its name where there is room; returns how far the names reach. */
function flag(pen: Pen, { at, what }: Kill, taken: number): number {
  const { draw, width, height, colours } = pen;
  const left = x(pen, at);
  const name = texts.playground.kinds[what as keyof typeof texts.playground.kinds];
  draw.strokeStyle = draw.fillStyle = colours.kill;
  draw.lineWidth = 1.5;
  draw.setLineDash([4, 3]);
  draw.beginPath();
  draw.moveTo(left, 6);
  draw.lineTo(left, height - BOTTOM);
  draw.stroke();
  draw.setLineDash([]);
  const text = `✕ ${name}`;
  const long = draw.measureText(text).width;
  const start = left + 5 + long > width ? left - 5 - long : left + 5;
  draw.fillText(text, start, start > taken ? 14 : 29);
  return Math.max(taken, start + 7 + long);
}
