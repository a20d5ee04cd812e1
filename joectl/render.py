"""What a person reads, made of what the daemon answered: pure functions from plain values to lines of text.

Nothing is wider than it must be, nothing depends on colour, and no word of the daemon's can steer a terminal.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from joectl.amounts import made_of
from joectl.amounts import money as money  # noqa: PLC0414 - whoever draws finds them here
from joectl.amounts import price as price  # noqa: PLC0414 - as above
from joectl.amounts import span as span  # noqa: PLC0414 - as above
from joectl.amounts import when as when  # noqa: PLC0414 - as above
from joectl.feeds import broker, came, lacks, prices_of
from joed.protocol import REMEDIES, safe

Body = dict[str, Any]
Paint = Callable[[str, str], str]

SWITCHED_OFF = "switched_off"
VERDICTS_SHOWN = 10
EMPTY: tuple[Any, ...] = ("", None, 0, [], False)
VALUE_CHARACTERS_MAX = 100
"""Longer values of a record are cut, or counted, for people."""
COLOURS = {
    **dict.fromkeys(("HALTED", "critical"), "31;1"),
    **dict.fromkeys(("DISCONNECTED", "DEFENSIVE", "BLOCKED", "RECONCILING", "STARTING", "warning"), "33"),
    **dict.fromkeys(("AWAITING CONFIRMATION", "PAUSED", "STOPPING", "info"), "36"),
    "TRADING": "32",
}


def plain(words: str, _kind: str) -> str:
    """Paint nothing: for pipes, files and narrow terminals."""
    return words


def coloured(words: str, kind: str) -> str:
    """Paint words in the colour of their kind."""
    colour = COLOURS.get(kind)
    return f"\x1b[{colour}m{words}\x1b[0m" if colour else words


def cleaned(value: Any) -> Any:  # noqa: ANN401 - JSON is anything
    """Give the same answer with every text made safe to show; its depth is bounded by what JSON could be read."""
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, dict):
        return {safe(name): cleaned(item) for name, item in value.items()}
    return value


def visible(words: str) -> int:
    """Count the characters that a terminal shows: colours take no room."""
    if "\x1b" not in words:
        return len(words)
    from re import sub

    return len(sub(r"\x1b\[[0-9;]*m", "", words))


def fitted(text: str, width: int) -> str:
    """Break lines that are wider than a terminal between two words, indented under their beginning; nothing is lost.

    A word that alone is wider stays whole: an order's id is there to be copied.
    """
    return "\n".join(part for line in text.split("\n") for part in _broken(line, width))


def _broken(line: str, width: int) -> list[str]:
    if visible(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    lines, current = [], ""
    for word in _words(line):
        if current.strip() and visible(current + word.rstrip()) > width:
            lines.append(current.rstrip())
            current = indent + word.lstrip()
        else:
            current += word
    return [*lines, current.rstrip()]


def _words(line: str) -> list[str]:
    """Give the words of a line, each with the spaces before it."""
    from re import findall

    return findall(r"\s*\S+", line)


def table(rows: Iterable[Sequence[str]], indent: str = "  ") -> list[str]:
    """Set rows in columns, as wide as their widest cell; the last column is free."""
    rows = [list(row) for row in rows]
    widths = [max((visible(cell) for cell in column), default=0) for column in zip(*rows, strict=False)]
    return [
        indent
        + "  ".join(cell + " " * (width - visible(cell)) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]


def status(body: Body, paint: Paint = plain) -> str:
    """Give the whole of `joectl status`: what it does, what is at stake, what needs a person."""
    phase, _, rest = body["line"].partition(":")
    lines = [f"{paint(phase, phase)}:{rest}"]
    lines += needs(body, paint)
    lines += summary(body)
    if body["positions"]:
        lines += ["positions", *table(position(row, paint, body["base_currency"]) for row in body["positions"])]
    if body["orders"]:
        lines += ["orders", *table(order(row) for row in body["orders"])]
    return "\n".join(lines)


def needs(body: Body, paint: Paint) -> list[str]:
    """Give what only a person can settle, each with what to do."""
    lines = []
    for need in body["needs"]:
        lines.append(f"  {paint('!', need['severity'])} {need['words']}")
        if need["code"] == "unconfirmed" and (signed := signed_by(body)):
            lines.append(f"      {signed}")
        if remedy := REMEDIES.get(need["code"], ""):
            lines.append(f"      {remedy}")
    return ["needs you", *lines] if lines else []


def signed_by(body: Body) -> str:
    """Say how many of those who must sign have signed, "" where one person is enough."""
    found = body.get("signatures") or {"signed": 0, "needed": 1}
    return f"signed {found['signed']} of {found['needed']}" if found["needed"] > 1 else ""


def summary(body: Body) -> list[str]:
    """Give the facts of `joectl status` as lines."""
    return table(_facts(body), indent="")


def _facts(body: Body) -> list[tuple[str, str]]:
    clock, limits, currency = body["clock"], body["limits"], body["base_currency"]
    day = f"{money(body['daily_pnl'], sign=True)} {currency}, limit -{money(limits['loss_day_max'])}"
    rows = [
        ("account", f"{body['account'] or '-'} {body['mode']}, equity {money(body['equity'])} {currency}"),
        ("day", f"{day} ({made_of(body)})"),
        ("", f"{body['trades']} trades, {body['wins']} won, {body['losses']} lost"),
        *(("rate", rate(row, currency)) for row in body["rates"]),
        *(("balance", f"{money(amount, sign=True)} {name}") for name, amount in body["balances"].items()),
        ("session", f"{clock['session'] or '-'} {clock['calendar']} {_hours(clock)}"),
        *(("blocked", f"{block['scope']}: {block['words']} ({block['reason']})") for block in _hindering(body)),
        *(("off", text) for text in [_off(body)] if text),
        *(("broker", " ".join(broker(row))) for row in body["brokers"]),
        *(("lacks", text) for row in body["brokers"] for text in lacks(row)),
        *(("prices", text) for text in prices_of(body)),
        ("regime", regime_line(body)),
        ("watching", " ".join(row["instrument"] for row in body["watchlist"]) or "-"),
        *(("trigger", " ".join(trigger(row))) for row in body["triggers"][:3]),
        *(("jobs", text) for text in [_next_jobs(body)] if text),
        ("record", f"seq {body['seq']}, epoch {body['epoch']}, {body['queue_depth']} waiting"),
    ]
    return [(name.ljust(8), value) for name, value in rows]


def _hindering(body: Body) -> list[Body]:
    """Give the Blocks that are more than a strategy that nobody has switched on."""
    return [block for block in body["blocks"] if block["reason"] != SWITCHED_OFF]


def _off(body: Body) -> str:
    """Name the strategies that are switched off."""
    return ", ".join(block["scope"].partition(":")[2] for block in body["blocks"] if block["reason"] == SWITCHED_OFF)


def rate(row: Body, currency: str) -> str:
    """Write what a unit of a currency is worth, how old that word is and whose; one too old is said to be."""
    if row["rate"] is None:
        return f"{row['currency']}: none known, nothing is opened in it"
    late = ", TOO OLD: nothing is opened in it" if row["stale"] else ""
    return f"{row['currency']} {row['rate']} {currency}, {span(row['age_s'])} old ({row['source']}){late}"


def _hours(clock: Body) -> str:
    if clock["to_close_s"] is not None:
        return f"open, closes in {span(clock['to_close_s'])}"
    opens = f", opens in {span(clock['to_open_s'])}" if clock["to_open_s"] is not None else ""
    return f"{(clock['phase'] or 'closed').replace('_', ' ')}{opens}"


def regime_line(body: Body) -> str:
    """Give the regime in one line."""
    found = body["regime"]
    if not found:
        return "not judged yet"
    age = body["regime_age_s"]
    return f"{found['name']} {found['score']:g}" + (f", {span(age)} old" if age is not None else "")


def _next_jobs(body: Body) -> str:
    """Give the next runs, the soonest first."""
    running = [f"{row['name']} runs" for row in body["jobs"] if row["running"]]
    waiting = sorted(
        (row["next_ns"], row["name"]) for row in body["jobs"] if row["next_ns"] > body["now_ns"] and not row["running"]
    )
    return ", ".join(running + [f"{name} {when(at_ns, body['now_ns'])}" for at_ns, name in waiting[:3]])


def position(row: Body, paint: Paint = plain, base: str = "") -> list[str]:
    """Give the cells of a position; a missing stop is said in words, another currency than the base named.

    Where several strategies share it, each one's lot stands beside its name.
    """
    stop = f"stop {price(row['stop'])}"
    if not row["protected"]:
        stop = paint(f"{'STOP AMISS' if row['stop'] else 'NO STOP'} for {span(row['unprotected_s'] or 0)}", "critical")
    notes = [note for note in ("trailing", "closing") if row[note]]
    return [
        row["instrument"],
        f"{row['quantity']} @ {_rounded(row['average'])}",
        f"now {price(row['price'])}{came(row)}",
        money(row["unrealised"], sign=True) + (f" {row['currency']}" if row["currency"] != base else ""),
        stop,
        f"target {price(row['target'])}",
        " ".join([_owners(row), *notes]),
    ]


def _owners(row: Body) -> str:
    lots = row["lots"]
    return ", ".join(f"{lot['strategy']} {lot['quantity']}" for lot in lots) if len(lots) > 1 else str(row["strategy"])


def _rounded(text: str) -> str:
    from decimal import Decimal

    value = Decimal(text).quantize(Decimal("0.0001")).normalize()
    return f"{value:.2f}" if value == value.quantize(Decimal("0.01")) else f"{value:f}"


def order(row: Body) -> list[str]:
    """Give the cells of a living order."""
    level = price(row["level"]) + (f" (asked {price(row['asked'])})" if row["asked"] else "")
    done = f" ({row['filled']} done)" if row["filled"] != "0" else ""
    what = f"{row['side'].lower()} {row['quantity']}{done} {row['kind'].lower()} {level}"
    leg = {"E": "entry", "S": "stop", "T": "target", "C": "close"}.get(row["leg"], row["leg"])
    return [row["instrument"], leg, what, row["status"].lower().replace("_", " "), span(row["age_s"]), row["order"]]


def trigger(row: Body) -> list[str]:
    """Give the cells of a Trigger."""
    away = "no quote" if row["distance"] is None else f"{row['distance']:+.2%} away"
    return [row["instrument"], f"{row['side'].lower()} {row['crossing']} {price(row['level'])}", away, row["strategy"]]


def job(row: Body, now_ns: int) -> list[str]:
    """Give the cells of a job."""
    took = f"took {row['took_ns'] / 1e6:,.0f} ms" if row.get("took_ns") else ""
    ran = [f"last {when(row['last_ns'], now_ns)}", took, _next(row, now_ns), f"{row['runs']} runs"]
    result = (
        f"failed: {row['failed']} ({row['failures']} failures)" if row["failed"] else "ok" if row["last_ns"] else ""
    )
    return [row["name"], result, *ran, row.get("time", "")]


def _next(row: Body, now_ns: int) -> str:
    """Say when a job runs next, or what it waits for."""
    if row["running"]:
        return f"running, {row.get('deadline_s', 0):g} s at most"
    if waits := row.get("waits"):
        return f"waits for {waits}"
    return f"next {when(row['next_ns'], now_ns)}" if row["next_ns"] else "not planned"


def orders(body: Body) -> str:
    """Give all living orders."""
    return "\n".join(table((order(row) for row in body["orders"]), "")) or "no orders"


def positions(body: Body, paint: Paint = plain) -> str:
    """Give all positions, and what they are worth together."""
    currency = body["base_currency"]
    total = f"equity {money(body['equity'])} {currency}, day {money(body['daily_pnl'], sign=True)} {currency}"
    return "\n".join([*table((position(row, paint, body["base_currency"]) for row in body["positions"]), ""), total])


def regime(body: Body) -> str:
    """Give the regime and the parts of its score."""
    parts = body["regime"]["parts"] if body["regime"] else []
    return "\n".join([regime_line(body), *(f"  {part}" for part in parts)])


def brokers(body: Body) -> str:
    """Give the brokers, and what was found there that is not ours."""
    lines = table((broker(row) for row in body["brokers"]), "") or ["no broker yet"]
    foreign = [f"  {name} {quantity}" for name, quantity in body["external"].items()]
    judged = [_verdict(row) for row in body.get("verdicts", ())[-VERDICTS_SHOWN:]]
    more = (["held there, not ours", *foreign] if foreign else [], ["judged", *table(judged)] if judged else [])
    return "\n".join([*lines, *more[0], *more[1]])


def _verdict(row: Body) -> list[str]:
    """Give one verdict on the books: what it is, on which difference, and what was seen."""
    about = (row["instrument"] or row["broker"], row["words"], row["order"])
    return [row["verdict"], row["what"].replace("_", " "), *about]


def deeds(body: Body) -> str:
    """Give what a person's hands did, or in a dry run would do: the words, and each command with what it says."""
    lines = [str(body.get("words", "done"))]
    for row in body.get("orders", ()):
        said = " ".join(f"{name}={value}" for name, value in row.items() if name != "type" and value not in EMPTY)
        lines.append(f"  {row['type']} {said}")
    return "\n".join([*lines, *(["nothing was sent"] if body.get("dry_run") else [])])


def jobs(body: Body) -> str:
    """Give the jobs."""
    return "\n".join(table((job(row, body["now_ns"]) for row in body["jobs"]), "")) or "no session has begun yet"


def card(body: Body) -> str:
    """Give the day's card, with the hash that signs it."""
    found, limits = body["card"], body["card"]["limits"]
    last = body["last"]
    since = f"the card of {last['session']}" if last else ""
    differs = changes(body["changes"]) or ["  nothing"]
    currency = found["base_currency"]
    amounts = {name: f"{money(limits[name])} {currency}" for name in ("loss_day_max", "notional_max", "gross_max")}
    rows = [
        ("session", f"{found['session'] or '-'} {found['calendar']}"),
        ("account", f"{found['account'] or '-'}, mode {found['mode']}"),
        ("equity", f"{money(found['equity'])} {currency} at the start, {money(body['equity_now'])} now"),
        ("limits", f"loss a day {amounts['loss_day_max']}, an order {amounts['notional_max']}"),
        ("", f"in all {amounts['gross_max']}, {limits['position_max']} positions, {limits['trades_day_max']} trades"),
        ("risk", f"{float(limits['per_trade']):.2%} of equity a trade"),
        *(("ramp", text) for text in [_ramp(found)] if text),
        *(
            ("position", f"{row['instrument']} {row['quantity']} @ {_rounded(row['average'])}")
            for row in found["positions"]
        ),
        *(("order", f"{row['instrument']} {row['side']} {row['quantity']} {row['kind']}") for row in found["orders"]),
        *(("not ours", f"{name} {quantity}") for name, quantity in found["external"].items()),
        *(("DIFFERS", f"{name}: {count}") for name, count in found["differences"].items() if count),
        *(("latched", words) for words in found["blocks"]),
        ("regime", found["regime"] or "not judged yet"),
        ("watching", " ".join(found["watchlist"]) or "-"),
        ("settings", found["settings_digest"][:16] or "-"),
        ("code", f"{found['version']} {found['code'][:16]}".strip() or "-"),
        *(("signed", text) for text in [_signatures(body)] if text),
        ("card", body["hash"]),
    ]
    lines = [f"changed since {since}", *differs] if last else ["the first card that is signed here"]
    return "\n".join([*lines, "", *table(((name.ljust(8), value) for name, value in rows), "")])


def _ramp(found: Body) -> str:
    """Say which live session it is, and how large it trades."""
    if not found["live_session"]:
        return ""
    share = float(found["ramp"])
    size = "the whole size" if share >= 1 else f"{share:.0%} of the size"
    return f"live session {found['live_session']}: {size}"


def changes(rows: Sequence[Body]) -> list[str]:
    """Give what has changed, one line a thing; what loosens a limit is marked."""
    cells = []
    for row in rows:
        notes = [row["way"]] if row["way"] not in ("", "neutral") else []
        notes += ["needs a restart"] if row["restart"] else []
        mark = "!" if row["way"] == "loosens" else " "
        cells.append([mark, row["field"], f"{row['before'] or '-'} -> {row['after'] or '-'}", ", ".join(notes)])
    return table(cells)


def _signatures(body: Body) -> str:
    """Say who has signed so far, where it takes two."""
    needed = body["signers_needed"]
    if needed < 2:
        return ""
    by = f" (uid {', '.join(map(str, body['signers']))})" if body["signers"] else ""
    return f"by {len(body['signers'])} of {needed}{by}"


def record(row: Body) -> list[str]:
    """Give a record: its place, its event, and under it the commands it led to."""
    lines = [f"{row['seq']}  {_said(row['event'])}"]
    return lines + [f"    -> {_said(command)}" for command in row["commands"]]


def _said(fact: Body) -> str:
    """Give an event or a command with what is set in it; what is long is counted, --json has it whole."""
    given = {name: value for name, value in fact.items() if name != "type" and value not in (None, "", [], {}, 0, "0")}
    return " ".join([str(fact.get("type", "?")), *(f"{name}={_short(value)}" for name, value in given.items())])


def _short(value: object) -> str:
    text = str(value)
    if len(text) <= VALUE_CHARACTERS_MAX:
        return text
    return f"({len(value)})" if isinstance(value, list | dict) else f"{text[:VALUE_CHARACTERS_MAX]}..."
