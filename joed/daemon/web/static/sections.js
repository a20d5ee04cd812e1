// What lies under the five answers: positions, the day, orders, watchlist, regime, feeds, jobs, the record.

import { bar, day as dayChart, mark, position as positionChart } from "./chart.js";
import { h } from "./dom.js";
import { age, city, count, elsewhere, here, late, money, ms, MY_CITY, percent, price, span, there } from "./words.js";

const LEGS = { E: "entry", S: "stop", T: "target", C: "close" };
const DOUBTFUL = new Set(["UNCERTAIN", "QUARANTINED"]);
const NEAR = 0.01;

function panel(name, title, note, ...kids) {
  return h("section", { class: `panel ${name}`, key: name, "aria-labelledby": `t-${name}` },
    h("h2", { id: `t-${name}` }, title, note && h("span", { class: "note" }, note)), ...kids);
}

/** Write an instant where the market is, and where the viewer is if that is elsewhere. */
function time(ns, zone, short = false) {
  if (!ns) return h("span", { class: "quiet" }, "never");
  const at = ms(ns);
  return h("time", { datetime: new Date(at).toISOString(), title: `${here(at)} ${MY_CITY}` }, there(at, zone, short));
}

function both(ns, zone) {
  const at = ms(ns);
  return [time(ns, zone), elsewhere(at, zone) && h("span", { class: "here" }, here(at))];
}

export function positions(told, curves) {
  const rows = told.positions;
  return panel("positions", "Positions", rows.length ? `${money(told.gross)} ${told.base_currency}` : "",
    rows.length ? h("ul", { class: "plain" }, rows.map((row) => held(row, told, curves.prices.get(row.instrument) ?? [])))
      : h("p", { class: "quiet" }, "Nothing is held."));
}

function held(row, told, points) {
  const kind = row.protected ? "good" : "critical";
  const gain = Number(row.unrealised);
  const share = Number(row.average) ? ((row.price ?? Number(row.average)) / Number(row.average) - 1) * Math.sign(Number(row.quantity)) : 0;
  const away = row.price ? ` · ${(Math.abs(Number(row.stop) / row.price - 1) * 100).toFixed(1)}% away` : "";
  const stop = row.protected ? `stop ${price(row.stop)}${away}` : `${row.stop ? "stop amiss" : "NO STOP"} for ${span(row.unprotected_s ?? 0)}`;
  const lots = row.lots.length > 1 ? row.lots.map((lot) => `${lot.strategy} ${lot.quantity}`).join(", ") : row.strategy;
  const notes = [lots, row.trailing && "trailing", row.closing && "closing"].filter(Boolean).join(" · ");
  return h("li", { class: "position", key: row.instrument, "data-instrument": row.instrument },
    h("div", { class: "what" }, h("h3", {}, row.instrument),
      h("p", {}, `${row.quantity} @ ${price(Number(row.average))}`), h("p", { class: "quiet" }, notes),
      h("p", { class: `cover ${kind}` }, mark(kind), stop)),
    positionChart(row, points),
    h("div", { class: "worth" },
      h("p", { class: `gain ${gain < 0 ? "bad" : gain > 0 ? "well" : ""}` }, `${money(row.unrealised, true)}${row.currency === told.base_currency ? "" : ` ${row.currency}`}`),
      h("p", { class: "quiet" }, percent(share)), h("p", { class: "quiet" }, "since ", time(row.opened_ns + offset(told), told.clock.timezone, true))));
}

/** Give what turns engine time into UTC. */
function offset(told) {
  return told.utc_ns - told.now_ns;
}

export function day(told, curves) {
  const facts = [["equity", `${money(told.equity)} ${told.base_currency}`], ["cash", money(told.cash)],
    ["fees", money(told.fees)], ["trades", `${told.trades}, ${told.wins} won, ${told.losses} lost`]];
  const since = curves.day[0] && `since ${there(curves.day[0][0], told.clock.timezone, true)}`;
  return panel("day", "The day", since || "", dayChart(curves.day, told.base_currency), pairs(facts));
}

function pairs(rows) {
  return h("dl", { class: "pairs" }, rows.map(([name, value]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, value))));
}

function table(name, heads, rows) {
  return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": name },
    h("table", {}, h("thead", {}, h("tr", {}, heads.map(([head, kind]) => h("th", { scope: "col", class: kind }, head)))),
      h("tbody", {}, rows)));
}

export function orders(told) {
  const rows = told.orders.map((row) => h("tr", { key: row.order, class: DOUBTFUL.has(row.status) ? "warning" : null },
    h("th", { scope: "row" }, row.instrument),
    h("td", {}, LEGS[row.leg] ?? row.leg),
    h("td", {}, row.side.toLowerCase()),
    h("td", { class: "number" }, row.filled === "0" ? row.quantity : `${row.filled} of ${row.quantity}`),
    h("td", { class: "number" }, `${row.kind.toLowerCase()} ${price(row.level)}`),
    h("td", {}, DOUBTFUL.has(row.status) && mark("warning"), row.status.toLowerCase().replaceAll("_", " ")),
    h("td", { class: "number quiet" }, span(row.age_s))));
  const heads = [["instrument"], ["leg"], ["side"], ["quantity", "number"], ["level", "number"], ["status"], ["age", "number"]];
  return panel("orders", "Orders", rows.length ? count(rows.length, "order") : "",
    rows.length ? table("Orders", heads, rows) : h("p", { class: "quiet" }, "No order is alive."));
}

export function watchlist(told) {
  const nearest = new Map();
  for (const row of told.triggers) if (!nearest.has(row.instrument)) nearest.set(row.instrument, row);
  const watched = told.watchlist.map((row) => row.instrument);
  const names = [...new Set([...told.triggers.map((row) => row.instrument), ...watched])].slice(0, 14);
  const scores = new Map(told.watchlist.map((row) => [row.instrument, row]));
  return panel("watch", "Watchlist", told.trigger_count ? `${count(told.trigger_count, "trigger")}, a bar fills within 1%` : "",
    names.length ? h("ul", { class: "plain" }, names.map((name) => watched1(name, scores.get(name), nearest.get(name))))
      : h("p", { class: "quiet" }, "Nothing is watched yet."));
}

function watched1(name, candidate, trigger) {
  const reasons = [...(trigger?.reasons ?? []), ...(candidate?.reasons ?? [])];
  const away = trigger && trigger.distance !== null ? trigger.distance : null;
  return h("li", { key: name }, h("details", {},
    h("summary", {}, h("span", { class: "name" }, name),
      h("span", { class: "quiet" }, trigger ? `${trigger.side.toLowerCase()} ${trigger.crossing} ${price(trigger.level)}`
        : `score ${candidate.score.toFixed(0)}`),
      away === null ? h("span", {}) : bar(1 - Math.min(1, Math.abs(away) / NEAR), "calm"),
      h("span", { class: "number" }, away === null ? "" : percent(away))),
    h("ul", { class: "reasons" },
      trigger && h("li", {}, `${trigger.strategy}: stop ${price(trigger.stop)}, target ${price(trigger.target)}`),
      reasons.map((reason, at) => h("li", { key: `r${at}` }, reason)))));
}

export function regime(told) {
  const found = told.regime;
  return panel("regime", "Regime", told.regime_age_s === null ? "" : `${span(told.regime_age_s)} old`,
    found ? [h("p", { class: "name" }, `${found.name} ${Number(found.score.toFixed(2))}`),
      h("ul", { class: "reasons" }, found.parts.map((part, at) => h("li", { key: `p${at}` }, part)))]
      : h("p", { class: "quiet" }, "Not judged yet."));
}

export function feeds(told) {
  const brokers = told.brokers.map((row) => {
    const kind = !row.up ? "critical" : row.differences || !row.reconciled ? "warning" : "good";
    const books = row.differences ? count(row.differences, "difference") : row.reconciled ? "books agree" : "books not read";
    return h("li", { key: row.name, "data-feed": row.name }, mark(kind), h("span", { class: "name" }, row.name),
      h("span", {}, row.up ? row.source || "up" : "down"), h("span", {}, `quote ${age(row.quote_age_s)}`),
      h("span", { class: "quiet" }, `${books}, read ${age(row.read_age_s)}${row.foreign ? `, ${row.foreign} of others` : ""}${lacking(row)}`));
  });
  const rates = told.rates.map((row) => h("li", { key: `rate-${row.currency}` }, mark(row.stale ? "warning" : "good"),
    h("span", { class: "name" }, row.currency), h("span", {}, row.rate === null ? "no rate" : row.rate),
    h("span", {}, row.age_s === null ? "" : age(row.age_s)), h("span", { class: "quiet" }, row.source)));
  return panel("feeds", "Feeds", "", brokers.length || rates.length ? h("ul", { class: "plain" }, brokers, prices(told), rates)
    : h("p", { class: "quiet" }, "No broker yet."));
}

/** Say for each source how many prices come by it, and which of them are the oldest. */
function prices(told) {
  return told.prices.map((row) => h("li", { key: `prices-${row.broker}-${row.source}` },
    mark(row.silent || late(row.oldest[0]?.age_s) ? "info" : "good"), h("span", { class: "name" }, count(row.count, "price")),
    h("span", { class: "quiet wide" }, [`${row.broker}${row.source ? ` by ${row.source}` : ""}`,
      row.oldest.length > 0 && `oldest ${row.oldest.map((one) => `${one.instrument} ${age(one.age_s)}`).join(", ")}`,
      row.silent > 0 && `${row.silent} not heard yet`].filter(Boolean).join(" · "))));
}

function lacking(row) {
  const aside = Object.keys(row.aside).length, amiss = row.findings.filter((found) => !found.ok);
  return `${aside ? `, ${aside} set aside` : ""}${amiss.length ? `, ${amiss.map((found) => found.name).join(", ")} amiss` : ""}`;
}

export function jobs(told) {
  const zone = told.clock.timezone, shift = offset(told);
  const rows = told.jobs.map((row) => h("tr", { key: row.name, class: row.failed ? "warning" : null },
    h("th", { scope: "row" }, row.failed && mark("warning"), row.name),
    h("td", {}, row.last_ns ? time(row.last_ns + shift, zone, true) : "never"),
    h("td", {}, row.failed ? `failed: ${row.failed}` : row.running ? "running"
      : row.waits ? `waits for ${row.waits}` : row.next_ns ? `in ${span((row.next_ns - told.now_ns) / 1e9)}` : "not planned")));
  return panel("jobs", "Jobs", "", rows.length ? table("Jobs", [["job"], ["last"], ["next"]], rows)
    : h("p", { class: "quiet" }, "No session has begun yet."));
}

export function record(told) {
  const zone = told.clock.timezone;
  return panel("record", "The record", `seq ${told.seq}`, h("ol", { class: "plain" },
    told.records.map((row) => h("li", { key: `s${row.seq}` },
      h("span", { class: "at" }, both(row.at_ns, zone)),
      h("div", {}, h("p", {}, row.words, row.times > 1 && h("span", { class: "quiet" }, ` ×${row.times}`)),
        row.commands.map((words, at) => h("p", { class: "led", key: `c${at}` }, "→ ", words)))))));
}

export function blocks(told) {
  const rows = told.blocks.filter((block) => block.reason !== "switched_off"); // a person's choice hinders nobody
  return rows.length > 0 && panel("blocks", "Nothing is opened", count(rows.length, "block"),
    h("ul", { class: "reasons" }, rows.map((block) => h("li", { key: `${block.scope}/${block.reason}` },
      `${block.scope}: ${block.words || block.reason}${block.latched ? " (latched)" : ""}`))));
}

/** Give the line on top: whose money, what time it is there and here, and whether this is live. */
export function head(told, stale, theme, onTheme) {
  const zone = told.clock.timezone, at = ms(told.utc_ns);
  return [
    h("h1", {}, "joed"), h("span", { class: `mode ${told.mode}` }, told.mode),
    h("span", { class: "account" }, told.account),
    h("span", { class: "clock" }, h("time", { datetime: new Date(at).toISOString(), class: "there" }, there(at, zone)),
      h("span", { class: "quiet" }, ` ${city(zone)}`),
      elsewhere(at, zone) && h("span", { class: "quiet mine" }, ` · ${here(at)} ${MY_CITY}`)),
    h("span", { class: `live ${stale ? "off" : "on"}`, role: "status" }, mark(stale ? "critical" : "good"), stale ? "stale" : "live"),
    h("button", { type: "button", onclick: onTheme, "aria-label": `Colours: ${theme}. Change` }, theme),
  ];
}
