"""Write joed's market calendars: the exchange's from exchange_calendars, the around-the-clock ones from their rules.

Run it with the development environment at each release: `python packaging/calendar/generate.py`. The same arguments and
the same library give the same bytes. A day that is missing here is what `etc/joed/calendar.d/` is for.
"""

import argparse
import datetime as dt
import json
from importlib.metadata import version
from pathlib import Path

import exchange_calendars

FIRST = dt.date(1999, 1, 1)
YEARS_AHEAD = 2
"""The exchange publishes its holidays two to three years ahead; what lies further is a library's guess."""
TABLES = Path(__file__).resolve().parents[2] / "joed" / "calendars"

EXCHANGES = {
    "xlon.json": {
        "name": "XLON",
        "timezone": "Europe/London",
        "kind": "session",
        "open": "08:00",
        "close": "16:30",
    },
    "xetr.json": {
        "name": "XETR",
        "timezone": "Europe/Berlin",
        "kind": "session",
        "open": "09:00",
        "close": "17:30",
    },
}
"""Exchanges without hours before and after: file name -> what no library says."""
XNYS = {
    "name": "XNYS",
    "timezone": "America/New_York",
    "kind": "session",
    "open": "09:30",
    "close": "16:00",
    "pre_open": "04:00",
    "after_close": "20:00",
    "after_close_early": "17:00",
}
FX_24X5 = {
    "name": "FX_24X5",
    "timezone": "America/New_York",
    "kind": "24x5",
    "open": "17:00",
    "close": "17:00",
    # The two days on which no currency is dealt anywhere; a broker's shorter days are overrides.
    "yearly_holidays": ["01-01", "12-25"],
    "source": "the market's convention: Sunday 17:00 to Friday 17:00 in New York",
}
CRYPTO_24X7 = {
    "name": "CRYPTO_24X7",
    "timezone": "UTC",
    "kind": "24x7",
    "open": "00:00",
    "close": "00:00",
    "source": "never closed; the day turns at midnight UTC unless day_rollover says otherwise",
}


def exchange_table(until: dt.date, generated_on: dt.date, hours: dict[str, str] = XNYS) -> dict[str, object]:
    """Give the exchange's table: the weekdays without a session, and the days with other hours than the regular."""
    calendar = exchange_calendars.get_calendar(hours["name"], start=FIRST.isoformat(), end=until.isoformat())
    zone = hours["timezone"]
    opens = {day.date(): f"{at.tz_convert(zone):%H:%M}" for day, at in calendar.opens.items()}
    closes = {day.date(): f"{at.tz_convert(zone):%H:%M}" for day, at in calendar.closes.items()}
    days = [FIRST + dt.timedelta(days=n) for n in range((until - FIRST).days + 1)]
    if weekend := [day for day in opens if day.weekday() > 4]:
        raise SystemExit(f"sessions on a weekend, which the table cannot say: {weekend}")
    return hours | {
        "holidays": [day.isoformat() for day in days if day.weekday() < 5 and day not in opens],
        "early_closes": [[day.isoformat(), at] for day, at in sorted(closes.items()) if at != hours["close"]],
        "late_opens": [[day.isoformat(), at] for day, at in sorted(opens.items()) if at != hours["open"]],
        "valid_from": FIRST.isoformat(),
        "valid_until": until.isoformat(),
        "source": f"exchange_calendars {version('exchange_calendars')}",
        "generated_on": generated_on.isoformat(),
    }


def render(table: dict[str, object]) -> str:
    """Give the table as JSON with a line for each day, so that a diff shows a day."""
    lines = [f" {json.dumps(key)}: {_rows(value)}" for key, value in table.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _rows(value: object) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n  " + ",\n  ".join(json.dumps(row) for row in value) + "\n ]"


def tables(until: dt.date, generated_on: dt.date) -> dict[str, str]:
    """Give every shipped calendar: file name -> text."""
    return {
        "xnys.json": render(exchange_table(until, generated_on)),
        **{name: render(exchange_table(until, generated_on, hours)) for name, hours in EXCHANGES.items()},
        "fx_24x5.json": render(FX_24X5),
        "crypto_24x7.json": render(CRYPTO_24X7),
    }


def main() -> None:
    """Write the tables into the package, or elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generated-on", type=dt.date.fromisoformat, default=dt.datetime.now(dt.UTC).date())
    parser.add_argument("--until", type=dt.date.fromisoformat, help="the last date; the end of the year after next")
    parser.add_argument("--into", type=Path, default=TABLES)
    asked = parser.parse_args()
    until = asked.until or dt.date(asked.generated_on.year + YEARS_AHEAD, 12, 31)
    asked.into.mkdir(parents=True, exist_ok=True)
    for name, text in tables(until, asked.generated_on).items():
        (asked.into / name).write_text(text)
        print(f"{asked.into / name}: {len(text)} bytes")


if __name__ == "__main__":
    main()
