// The five answers: is it alive, what do I own, is it protected, what did I make, does anything need me.

import { bar, mark } from "./chart.js";
import { h } from "./dom.js";
import { age, count, money, percent, sentence, span } from "./words.js";

const ALARMED = new Set(["HALTED"]);
const TROUBLED = new Set(["DISCONNECTED", "BLOCKED", "DEFENSIVE", "RECONCILING", "STARTING"]);
const QUIET = new Set(["AWAITING CONFIRMATION", "PAUSED", "STOPPING", "CLOSED", "CLOSING"]);
const GRAVITY = ["critical", "warning", "info"];

/** Give the five answers, in the order in which they are asked. */
export function answers(told, stale) {
  return h("ul", { class: "answers", "aria-label": "The five answers" },
    card("alive", "Alive", stale ? silent(stale) : alive(told)),
    card("owned", stale ? "Owned then" : "Owned", owned(told)),
    card("protected", stale ? "Protected then" : "Protected", covered(told)),
    card("made", stale ? "Made by then" : "Made today", made(told)),
    card("needs", stale ? "Needed then" : "Needs you", needed(told)));
}

function card(name, title, { kind, big, small, more, tone }) {
  return h("li", { class: `answer ${kind} ${tone ?? ""}`, id: `answer-${name}`, key: name },
    h("h2", {}, title),
    h("p", { class: "big" }, mark(kind), h("span", {}, big)),
    more,
    h("p", { class: "small" }, small));
}

function silent(stale) {
  return { kind: "critical", big: "No answer", small: `for ${span(stale.seconds)}; stops at the broker live on` };
}

function alive(told) {
  const feeds = told.brokers.map((broker) => broker.quote_age_s).filter((found) => found !== null);
  const quotes = feeds.length ? `quotes ${age(Math.min(...feeds))} old` : "no quote yet";
  const down = told.brokers.filter((broker) => !broker.up);
  const parts = down.length ? [`${down.map((broker) => broker.name).join(", ")} down`] : [quotes];
  return { kind: phaseKind(told), big: sentence(told.phase), small: [told.words, ...parts, hours(told)].filter(Boolean).join(" · ") };
}

function phaseKind(told) {
  if (ALARMED.has(told.phase)) return "critical";
  if (TROUBLED.has(told.phase) || told.health !== "ok") return "warning";
  return QUIET.has(told.phase) ? "info" : "good";
}

/** Say where the market's day stands. */
export function hours(told) {
  const { to_close_s: close, to_open_s: open } = told.clock;
  if (close !== null) return `closes in ${span(close)}`;
  return open === null ? "" : `opens in ${span(open)}`;
}

function owned(told) {
  if (!told.positions.length) {
    return { kind: "info", big: "Nothing", small: told.orders.length ? count(told.orders.length, "order") : "no orders" };
  }
  const gross = Number(told.gross), equity = Number(told.equity);
  const share = equity > 0 ? ` · ${((gross / equity) * 100).toFixed(0)}% of equity` : "";
  return {
    kind: "good",
    big: count(told.positions.length, "position"),
    small: `${names(told.positions)} · ${money(told.gross)} ${told.base_currency}${share}`,
  };
}

function names(rows) {
  const shown = rows.slice(0, 5).map((row) => row.instrument).join(", ");
  return rows.length > 5 ? `${shown} and ${rows.length - 5} more` : shown;
}

function covered(told) {
  const held = told.positions, naked = held.filter((row) => !row.protected);
  if (!held.length) return { kind: "info", big: "Nothing to protect", small: "no position is open" };
  if (naked.length) {
    const longest = Math.max(...naked.map((row) => row.unprotected_s ?? 0));
    return { kind: "critical", big: `${naked.length} without stop`,
      small: `of ${count(held.length, "position")}: ${naked.map((row) => row.instrument).join(", ")} for ${span(longest)}` };
  }
  return { kind: "good", big: held.length === 1 ? "Yes, it is" : `All ${held.length}`, small: atStops(told) };
}

/** Say what the day would be if every stop filled at its level; where currencies differ, that is not added up here. */
function atStops(told) {
  if (told.positions.some((row) => row.currency !== told.base_currency || row.stop === null || row.price === null)) {
    return "each has its stop at the broker";
  }
  const away = told.positions.reduce((sum, row) => sum + (Number(row.stop) - row.price) * Number(row.quantity), 0);
  return `if all stops fill: day ${money((Number(told.daily_pnl) + away).toFixed(2), true)}`;
}

function made(told) {
  const made = Number(told.daily_pnl), limit = Number(told.limits.loss_day_max);
  const share = Number(told.equity_start) > 0 ? `${percent(made / Number(told.equity_start))} · ` : "";
  const used = Math.max(0, -made) / limit;
  return {
    kind: used >= 0.8 ? "warning" : made > 0 ? "good" : "info",
    tone: made < 0 ? "loss" : "",
    big: `${money(told.daily_pnl, true)} ${told.base_currency}`,
    more: h("div", { class: "limit" }, bar(used, used >= 0.8 ? "warning" : "calm"),
      h("span", {}, `${(used * 100).toFixed(0)}% of the loss limit ${money(told.limits.loss_day_max).slice(0, -3)}`)),
    small: `${share}open ${money(told.unrealised, true)}, realised ${money(told.realised, true)}`,
  };
}

function needed(told) {
  if (!told.needs.length) return { kind: "good", big: "Nothing", small: "no alert, no doubt, no block" };
  const [first] = told.needs;
  const kind = GRAVITY.find((gravity) => told.needs.some((need) => need.severity === gravity)) ?? "info";
  return { kind, big: count(told.needs.length, "thing"), small: [first.words, unsigned(told)].filter(Boolean).join(" · ") };
}

function unsigned(told) {
  const { signed, needed: wanted } = told.signatures;
  return wanted > 1 && !told.confirmed ? `signed ${signed} of ${wanted}` : "";
}

/** Give all that needs a person, each with the command that settles it. */
export function needs(told) {
  return told.needs.length > 0 && h("section", { class: "panel needs", "aria-labelledby": "t-needs", key: "needs" },
    h("h2", { id: "t-needs" }, "Needs you"),
    h("ul", { class: "plain" }, told.needs.map((need, at) => h("li", { class: need.severity, key: `n${at}` },
      mark(need.severity), h("div", {},
        h("p", {}, h("span", { class: "unseen" }, `${need.severity}: `), need.words),
        need.remedy && h("p", { class: "remedy" }, need.remedy))))));
}

/** Give what the tab's title says. */
export function title(told, stale) {
  if (stale) return "■ joed: no answer";
  const sign = { critical: "■ ", warning: "▲ " }[told.needs.length ? needed(told).kind : phaseKind(told)] ?? "";
  return `${sign}${money(told.daily_pnl, true)} ${told.phase.toLowerCase()} · joed`;
}

