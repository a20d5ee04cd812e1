// Small charts in SVG: a price with its stop, entry and target; the day's result. Each says in words what it shows.

import { h } from "./dom.js";
import { late, money, price } from "./words.js";

const narrow = matchMedia("(max-width: 640px)");
const POSITION = { width: 500, height: 92, right: 104, top: 9, bottom: 9 };
const POSITION_NARROW = { ...POSITION, width: 350 };
const DAY = { width: 410, height: 116, right: 48, top: 10, bottom: 10 };
const DAY_NARROW = { ...DAY, width: 350 };
const GAP = 13;

/** Draw a mark whose shape, not only its colour, tells the state. */
export function mark(kind) {
  const shape = {
    good: h("circle", { cx: 6, cy: 6, r: 4.5 }),
    info: h("circle", { cx: 6, cy: 6, r: 3.6, class: "hollow" }),
    warning: h("path", { d: "M6 1 L11.5 10.5 L0.5 10.5 Z" }),
    critical: h("rect", { x: 1, y: 1, width: 10, height: 10 }),
  }[kind];
  return h("svg", { class: `mark ${kind}`, viewBox: "0 0 12 12", "aria-hidden": "true" }, shape);
}

/** Draw a share from 0 to 1 as a thin bar. */
export function bar(share, kind) {
  const width = Math.max(0, Math.min(1, share)) * 100;
  return h("svg", { class: `bar ${kind}`, viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("rect", { class: "rail", width: 100, height: 4 }), h("rect", { class: "part", width, height: 4 }));
}

/** Draw the price of a position between its stop and its target. */
export function position(row, points) {
  const levels = [["target", row.target], ["entry", row.average], ["stop", row.stop]]
    .filter(([, level]) => level !== null).map(([name, level]) => ({ name, at: Number(level), words: price(level) }));
  const line = points.length ? [...points] : [];
  const all = [...levels.map((level) => level.at), ...line.map((point) => point[1])];
  if (row.price !== null) all.push(row.price);
  const size = narrow.matches ? POSITION_NARROW : POSITION;
  const frame = framed(size, line, Math.min(...all), Math.max(...all));
  const old = late(row.price_age_s);
  const now = row.price === null ? [] : [{ name: "now", at: row.price, words: price(row.price), said: old || "now" }];
  const labels = spread([...levels.filter((level) => level.name !== "entry"), ...now], frame);
  const said = [...levels, ...now].map((level) => `${level.said ?? level.name} ${level.words}`).join(", ");
  return h("svg", { class: "chart", viewBox: `0 0 ${size.width} ${size.height}`, role: "img",
    "aria-label": `${row.instrument}: ${said}` },
  levels.map((level) => h("line", { class: `level ${level.name}`, x1: 0, x2: frame.end, y1: frame.y(level.at),
    y2: frame.y(level.at) })),
  h("path", { class: "price", d: path(line, frame) }),
  now.map((level) => h("circle", { class: old ? "dot old" : "dot", cx: frame.x(frame.last), cy: frame.y(level.at), r: 3 })),
  labels.map((label) => h("text", { class: `label ${label.name}${label.name === "now" && old ? " old" : ""}`, x: frame.end + 8, y: label.y,
    "data-price": label.name === "now" ? row.instrument : null }, `${label.words} ${label.said ?? label.name}`)));
}

/** Draw the day's result so far, over its zero. */
export function day(points, currency) {
  const values = points.map((point) => point[1]);
  const low = Math.min(0, ...values), high = Math.max(0, ...values);
  const size = narrow.matches ? DAY_NARROW : DAY;
  const frame = framed(size, points, low, high === low ? low + 1 : high);
  const ends = spread([{ name: "high", at: high, words: whole(high) }, { name: "low", at: low, words: whole(low) }]
    .filter((end) => end.at !== 0).concat([{ name: "zero", at: 0, words: "0" }]), frame);
  const line = path(points, frame);
  const zero = frame.y(0);
  const area = line && `${line} L${frame.x(points.at(-1)[0]).toFixed(1)} ${zero} L${frame.x(points[0][0]).toFixed(1)} ${zero} Z`;
  const last = points.at(-1);
  const said = last ? `${money(last[1].toFixed(2), true)} ${currency} now, high ${whole(high)}, low ${whole(low)}` : "nothing yet";
  return h("svg", { class: "chart day", viewBox: `0 0 ${size.width} ${size.height}`, role: "img",
    "aria-label": `The day's result: ${said}` },
  h("path", { class: last?.[1] < 0 ? "area bad" : "area good", d: area }),
  h("line", { class: "level entry", x1: 0, x2: frame.end, y1: zero, y2: zero }),
  h("path", { class: "price", d: line }),
  last && h("circle", { class: "dot", cx: frame.x(last[0]), cy: frame.y(last[1]), r: 3 }),
  ends.map((end) => h("text", { class: "label", x: frame.end + 8, y: end.y }, end.words)));
}

function whole(value) {
  return money(Math.round(value) + ".00", true).slice(0, -3);
}

function framed(size, points, low, high) {
  const end = size.width - size.right;
  const first = points[0]?.[0] ?? 0, last = points.at(-1)?.[0] ?? 0;
  const tall = size.height - size.top - size.bottom;
  return {
    end, last, height: size.height,
    x: (at) => (last > first ? ((at - first) / (last - first)) * (end - 4) : end - 4),
    y: (value) => Number((size.top + (high > low ? (high - value) / (high - low) : 0.5) * tall).toFixed(1)),
  };
}

function path(points, frame) {
  return points.map(([at, value], index) => `${index ? "L" : "M"}${frame.x(at).toFixed(1)} ${frame.y(value)}`).join(" ");
}

/** Keep labels from lying on each other: from the top down, then back up from the bottom. */
function spread(levels, frame) {
  const labels = levels.map((level) => ({ ...level, y: frame.y(level.at) + 4 })).sort((one, other) => one.y - other.y);
  for (let at = 1; at < labels.length; at += 1) labels[at].y = Math.max(labels[at].y, labels[at - 1].y + GAP);
  let floor = frame.height - 1;
  for (const label of labels.toReversed()) {
    label.y = Math.min(label.y, floor);
    floor = label.y - GAP;
  }
  return labels;
}
