"""Whole pages: `joectl why`, an entry from the quote that fired it to what it made, and `joectl alerts`."""

from datetime import datetime, timedelta, timezone
from typing import Any

from joectl.render import Body, Paint, money, order, plain, price, record, table, trigger, when

SECOND = 1_000_000_000
COLOURS = {"closed": "info", "open": "TRADING", "refused": "warning"}


def why(body: Body, paint: Paint = plain) -> str:
    """Give every story, then what waits and what lives now; bare records where no entry explains them."""
    clock = Clock(body)
    pages = [story(row, clock, paint) for row in body["stories"]]
    if body["waiting"]:
        pages.append(["waits", *table(trigger(row) for row in body["waiting"])])
    if body["now"]:
        pages.append(["at the broker now", *table(order(row) for row in body["now"])])
    pages += [record(row) for row in body["records"]]
    return "\n".join("\n".join(lines) for lines in pages)


class Clock:
    """Turns engine time into the time of day where the market is."""

    def __init__(self, body: Body) -> None:
        self._offset_ns, self._zone = int(body["utc_offset_ns"]), zone_of(str(body["timezone"]))

    def at(self, at_ns: int) -> str:
        """Write the time of day, to the millisecond."""
        seconds, rest = divmod(at_ns + self._offset_ns, SECOND)
        local = datetime.fromtimestamp(seconds, self._zone) + timedelta(microseconds=rest // 1000)
        return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"

    def day(self, at_ns: int) -> str:
        """Write the date."""
        return f"{datetime.fromtimestamp((at_ns + self._offset_ns) // SECOND, self._zone):%Y-%m-%d %Z}"


def zone_of(name: str) -> Any:  # noqa: ANN401 - a time zone of the standard library
    """Give a zone by its name, UTC where it is unknown here."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return timezone.utc  # noqa: UP017 - joectl starts faster without the alias


def story(row: Body, clock: Clock, paint: Paint) -> list[str]:
    """Give the page of one entry."""
    at_ns = row["decided"]["at_ns"]
    kind = COLOURS.get(row["outcome"].partition(":")[0], "")
    side = f" {row['side'].lower()}" if row["side"] else ""
    head = f"{row['instrument']}{side}, {row['strategy']}: {paint(row['outcome'], kind)}"
    lines = [head, *table([(name.ljust(8), text) for name, text in _facts(row, clock, at_ns)], "  ")]
    lines += _section("messages", [_message(said, clock) for said in row["messages"]])
    lines += _section("fills", [_fill(fill, clock) for fill in row["fills"]])
    lines += _section("stop", [_move(move, clock) for move in row["protection"]])
    return lines


def _section(name: str, rows: list[list[str]]) -> list[str]:
    return [f"  {name}", *table(rows, "    ")] if rows else []


def _facts(row: Body, clock: Clock, at_ns: int) -> list[tuple[str, str]]:
    """Give what is told in a line each: cause, verdict, intent, end."""
    facts = [("when", f"{clock.day(at_ns)} {clock.at(at_ns)}, seq {row['decided']['seq']}")]
    if row["order"]:
        facts.append(("order", row["order"]))
    if quote := row["quote"]:
        last = "" if quote["last"] is None else f", last {price(quote['last'])}"
        facts.append(
            ("quote", f"bid {price(quote['bid'])}, ask {price(quote['ask'])}{last}, {quote['age_s'] * 1000:.1f} ms old")
        )
    facts += _signal(row, clock)
    facts += _verdict(row["verdict"])
    if intent := row["intent"]:
        bracket = f"stop {price(intent['stop'])}, target {price(intent['target'])}"
        facts.append(("intent", f"{intent['quantity']} {intent['kind'].lower()} {price(intent['limit'])}, {bracket}"))
        if intent["sized"]:
            facts.append(("size", intent["sized"]))
        if intent["risked"]:
            facts.append(("risked", f"{money(intent['risked'])} between limit and stop"))
    if ended := row["exit"]:
        facts.append(("exit", f"{ended['reason']} at {price(ended['price'])}, {clock.at(ended['at_ns'])}"))
    if result := row["result"]:
        facts.append(("result", _result(result)))
    return facts


def _signal(row: Body, clock: Clock) -> list[tuple[str, str]]:
    facts = [("signal", row["signal"])]
    if fired := row["trigger"]:
        level = f"{fired['side'].lower()} {fired['crossing']} {price(fired['level'])}"
        facts.append(("trigger", f"{level}, made {clock.at(fired['at_ns'])}"))
        facts += [("", reason) for reason in fired["reasons"]]
    if scored := row["score"]:
        facts.append(("score", f"{scored['score']:g} at {clock.at(scored['at_ns'])}: {', '.join(scored['reasons'])}"))
    return facts


def _verdict(verdict: Body) -> list[tuple[str, str]]:
    said = verdict["words"] if verdict["passed"] else f"{verdict['code']}: {verdict['words']}"
    figures = [f"{row['name']} {_number(row['value'])} of {_number(row['limit'])}" for row in verdict["figures"]]
    lines = [", ".join(figures[start : start + 4]) for start in range(0, len(figures), 4)]
    return [("risk", said), *(("", line) for line in lines)]


def _number(value: Any) -> str:  # noqa: ANN401 - a count, or money as text
    return str(value) if isinstance(value, int) else money(value)


def _result(result: Body) -> str:
    made = f"{money(result['net'], sign=True)} after fees of {money(result['fees'])}"
    slipped = f"slippage {money(result['slippage'], sign=True)}"
    left = f", {result['left']} held" if result["left"] != "0" else ""
    open_now = f", open {money(result['unrealised'], sign=True)}" if result.get("unrealised") else ""
    return f"{made}, {slipped}{left}{open_now}"


def _message(said: Body, clock: Clock) -> list[str]:
    answer = "" if said["answer_s"] is None else f"answered in {said['answer_s'] * 1000:.1f} ms"
    after = f"+{said['after_s']:.3f} s"
    return [clock.at(said["at_ns"]), after, said["who"], said["leg"], _spaced(said["what"]), said["words"], answer]


def _spaced(name: str) -> str:
    """Write OrderAccepted as "order accepted"."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _fill(fill: Body, clock: Clock) -> list[str]:
    slipped = (
        ""
        if fill["slippage"] is None
        else f"slippage {money(fill['slippage'], sign=True)} ({fill['slippage_bp']:+.1f} bp)"
    )
    what = f"{fill['side'].lower()} {fill['quantity']} at {price(fill['price'])}"
    return [clock.at(fill["at_ns"]), fill["leg"], what, f"fee {money(fill['fee'])}", slipped]


def _move(move: Body, clock: Clock) -> list[str]:
    confirmed = "not confirmed" if move["confirmed_s"] is None else f"confirmed in {move['confirmed_s'] * 1000:.1f} ms"
    return [clock.at(move["at_ns"]), f"{price(move['from'])} -> {price(move['to'])}", move["why"], confirmed]


def alerts(body: Body, paint: Paint = plain) -> str:
    """Give the alerts, the newest last, with how often each was told and who has seen it; then the channels."""
    lines = table((_alert(row, body["now_ns"], paint) for row in body["alert_rows"]), "") or ["no alerts"]
    for row in body["channels"]:
        state = "delivers" if row["delivered_ns"] else "never tried"
        state = f"FAILS: {row['failed']} ({row['failures']} in a row)" if row["failed"] else state
        words = [f"channel {row['name']}: {state}", f"last delivery {when(row['delivered_ns'], body['now_ns'])}"]
        words += [f"{row['waiting']} waiting"] if row.get("waiting") else []
        words += [HELD[row["held"]]] if row.get("held") else []
        words += [f"{row['dropped']} left out"] if row.get("dropped") else []
        lines.append(", ".join(words))
    return "\n".join(lines)


HELD = {
    "": "",
    "quiet": "milder ones wait for the end of its quiet hours",
    "limit": "milder ones wait, its limit of this hour is reached",
}
"""Why a channel keeps something back."""


def _alert(row: Body, now_ns: int, paint: Paint) -> list[str]:
    again = f", again {when(row['next_ns'], now_ns)}" if row["next_ns"] else ""
    seen = f"acknowledged by uid {row['acked_uid']} {when(row['acked_ns'], now_ns)}" if row["acked_ns"] else ""
    failed = f" (did not leave: {row['failed']})" if row["failed"] else ""
    told = f"told {row['told']}x{again}"
    return [
        paint(row["severity"], row["severity"]),
        row["key"],
        when(row["raised_ns"], now_ns),
        seen or told,
        row["words"] + failed,
    ]
