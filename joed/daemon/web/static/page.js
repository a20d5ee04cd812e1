// The page's life: hear what joed says, show it, and say so as soon as it says no more.

import { answers, needs, title } from "./answers.js";
import { h, patch } from "./dom.js";
import * as part from "./sections.js";
import { city, here, MY_CITY, ms, span, there } from "./words.js";

const STALE_MS = 2500; // joed's second hand ticks each second: two that stay away and a half mean that it is not well
const LOOK_MS = 250;
const RETRY_MS = 1000;
const POINTS_MAX = 600;
const THEMES = ["auto", "light", "dark"];

function noCurves(session) { // a Map, whose keys may be anything: an instrument could be called __proto__
  return { session, day: [], prices: new Map() };
}

const page = { told: null, heard: 0, heardAt: 0, build: "", source: null, retry: 0, curves: noCurves(), theme: "auto" };

function listen() {
  page.source?.close();
  const source = new EventSource("/events");
  page.source = source;
  source.onmessage = (event) => hear(JSON.parse(event.data));
  source.onopen = () => { fetchCurves(); };
  source.onerror = () => { // a refusal ends an EventSource, a broken line does not: both are tried again
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS);
  };
}

async function fetchCurves() {
  try {
    const answer = await fetch("/curves.json", { cache: "no-store" });
    const found = await answer.json();
    page.curves = { ...found, prices: new Map(Object.entries(found.prices)) };
  } catch { /* the stream tells soon enough that nobody answers */ }
}

function hear(told) {
  if (page.build && told.build !== page.build) location.reload(); // another joed brought another page
  page.build = told.build;
  const moved = !page.told || told.now_ns !== page.told.now_ns || told.epoch !== page.told.epoch;
  page.told = told;
  if (!moved) return; // a View that stands still is no sign of life
  page.heard = performance.now();
  page.heardAt = Date.now();
  grow(told);
  show();
}

function grow(told) {
  if (told.clock.session !== page.curves.session && page.curves.session !== undefined) page.curves = noCurves(told.clock.session);
  const at = ms(told.utc_ns);
  add(page.curves.day, at, Number(told.daily_pnl));
  for (const row of told.positions) {
    if (!page.curves.prices.has(row.instrument)) page.curves.prices.set(row.instrument, []);
    if (row.price !== null) add(page.curves.prices.get(row.instrument), at, row.price);
  }
}

function add(points, at, value) {
  const last = points.at(-1);
  if (last && at <= last[0]) return;
  points.push([at, value]);
  if (points.length > POINTS_MAX) points.splice(0, points.length, ...points.filter((_, index) => index % 2 === 0));
}

function staleness() {
  const silent = performance.now() - page.heard;
  return silent > STALE_MS ? { seconds: silent / 1000 } : null;
}

function show() {
  const { told, curves } = page;
  if (!told) return;
  const stale = staleness();
  document.documentElement.dataset.state = stale ? "stale" : "live";
  document.documentElement.dataset.seq = told.seq;
  document.title = title(told, stale);
  patch(document.getElementById("head"), part.head(told, stale, page.theme, turnTheme));
  patch(document.getElementById("banner"), stale ? [banner(told, stale)] : []);
  patch(document.getElementById("main"), [
    answers(told, stale),
    needs(told),
    h("div", { class: "columns", key: "columns" },
      h("div", { key: "left" }, part.positions(told, curves), part.orders(told), part.record(told)),
      h("div", { key: "right" }, part.blocks(told), part.day(told, curves), part.watchlist(told), part.regime(told),
        part.feeds(told), part.jobs(told))),
    h("footer", { key: "foot" }, `joed ${told.version} ${told.code} · epoch ${told.epoch} · this page only shows; joectl changes things`),
  ]);
}

function banner(told, stale) {
  const zone = told.clock.timezone, at = ms(told.utc_ns);
  return h("p", {}, h("strong", {}, `Stale since ${here(page.heardAt)}`), ` (${span(stale.seconds)}). joed does not answer. `,
    `What stands below is as of ${there(at, zone)} ${city(zone)}. This page goes on by itself.`);
}

function turnTheme() {
  page.theme = THEMES[(THEMES.indexOf(page.theme) + 1) % THEMES.length];
  try { localStorage.setItem("theme", page.theme); } catch { /* a browser that keeps nothing */ }
  wear();
  show();
}

function wear() {
  document.documentElement.dataset.theme = page.theme;
}

try { page.theme = THEMES.find((name) => name === localStorage.getItem("theme")) ?? "auto"; } catch { /* as above */ }
wear();
listen();
setInterval(() => {
  if (page.told && (staleness() || document.documentElement.dataset.state === "stale")) show();
  else if (!page.told && performance.now() > 3 * STALE_MS) patch(document.getElementById("main"), [h("p", { class: "quiet" }, "joed does not answer yet.")]);
}, LOOK_MS);
