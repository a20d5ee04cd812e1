// Numbers, spans and times in words: the same digits as joectl shows.

const THIN = "\u00a0"; // a number and its unit stay on one line
const MINUTE = 60, HOUR = 3600, DAY = 86400;

/** Write a decimal, given as text, with two places and thousands; halves go to the even neighbour, as joectl's do. */
export function money(text, sign = false) {
  const found = /^(-?)(\d+)(?:\.(\d*))?$/.exec(String(text));
  if (!found) return Number(text).toFixed(2);
  const places = (found[3] ?? "").padEnd(2, "0");
  let cents = BigInt(found[2] + places.slice(0, 2));
  const rest = places.slice(2);
  const half = "5".padEnd(rest.length, "0");
  if (rest && (rest > half || (rest === half && cents % 2n === 1n))) cents += 1n;
  const digits = cents.toString().padStart(3, "0");
  const whole = digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ",");
  const minus = found[1] === "-";
  return (minus ? "−" : sign ? "+" : "") + whole + "." + digits.slice(-2);
}

/** Write a price as it came; floats to at most six decimals; two at least; a dash for none. */
export function price(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return value;
  const text = String(Number(value.toFixed(value < 10 ? 6 : 4)));
  return /\.\d{2}/.test(text) || text.includes("e") ? text : value.toFixed(2);
}

/** Write a share in percent with its sign. */
export function percent(share, places = 2) {
  const text = (Math.abs(share) * 100).toFixed(places) + "%";
  return (share < 0 && Number(text.slice(0, -1)) ? "−" : "+") + text;
}

/** Write a length of time in its two largest units. */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE) return `${whole}${THIN}s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)}${THIN}min`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)}${THIN}h${THIN}${Math.floor((whole % HOUR) / MINUTE)}${THIN}min`;
  return `${Math.floor(whole / DAY)}${THIN}d${THIN}${Math.floor((whole % DAY) / HOUR)}${THIN}h`;
}

/** Write a short age, to the tenth below ten seconds. */
export function age(seconds) {
  if (seconds === null || seconds === undefined) return "never";
  return seconds < 10 ? `${seconds.toFixed(1)}${THIN}s` : span(seconds);
}

const LATE_S = 5;

/** Say how old a price is, from the age on from which joectl says so; "" while it is fresh. */
export function late(seconds) {
  return seconds !== null && seconds !== undefined && seconds >= LATE_S ? `${span(seconds)} old` : "";
}

/** Write a count with its noun. */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Write words as a sentence begins: "AWAITING CONFIRMATION" becomes "Awaiting confirmation". */
export function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1).toLowerCase().replaceAll("_", " ");
}

const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const formats = new Map();

function format(zone, short) {
  const key = `${zone}/${short}`;
  if (!formats.has(key)) {
    const parts = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(short ? {} : { second: "2-digit" }) };
    let made;
    try {
      made = new Intl.DateTimeFormat("en-GB", { ...parts, timeZone: zone });
    } catch {
      made = new Intl.DateTimeFormat("en-GB", { ...parts, timeZone: "UTC" });
    }
    formats.set(key, made);
  }
  return formats.get(key);
}

/** Write an instant (ns or ms since 1970) where the market is. */
export function there(ms, zone, short = false) {
  return ms ? format(zone || "UTC", short).format(ms) : "–";
}

/** Write an instant where the viewer is. */
export function here(ms, short = false) {
  return format(HERE, short).format(ms);
}

/** Say whether the viewer's clock shows another time than the market's. */
export function elsewhere(ms, zone) {
  return there(ms, zone) !== here(ms);
}

/** Name a zone by its city: "America/New_York" becomes "New York". */
export function city(zone) {
  return (zone || "UTC").split("/").pop().replaceAll("_", " ");
}

export const MY_CITY = city(HERE);

/** Turn nanoseconds into milliseconds. */
export function ms(ns) {
  return ns / 1e6;
}
