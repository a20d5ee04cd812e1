"""A broker's line in words: its link and books, how its prices come and how old they are, what it lacks."""

from typing import Any

from joectl.amounts import span

Body = dict[str, Any]

OLDEST_SHOWN = 3
NAMES_SHOWN = 8
LATE_S = 5.0
"""From this age on a price says how old it is."""


def broker(row: Body) -> list[str]:
    """Give the cells of a broker."""
    quote = "no quote yet" if row["quote_age_s"] is None else f"quote {row['quote_age_s']:.1f} s old"
    books = (
        f"{row['differences']} differences"
        if row["differences"]
        else ("reconciled" if row["reconciled"] else "not read")
    )
    by = f", prices by {row['source']}" if row.get("source") else ""
    others = f", {row['foreign']} orders of others" if row.get("foreign") else ""
    aside = f", {len(row['aside'])} set aside" if row.get("aside") else ""
    return [row["name"], "up," if row["up"] else "DOWN,", f"{books},", f"{quote}{by}{others}{aside}"]


def lacks(row: Body) -> list[str]:
    """Name what a broker does not serve, what its adapter found amiss, and whose history is missing."""
    found = [f"{row['name']}: {name}: {why}" for name, why in row.get("aside", {}).items()]
    found += [f"{row['name']} {one['name']}: {one['words']}" for one in row.get("findings", ()) if not one["ok"]]
    for kind, bars in row.get("bars", {}).items():
        if names := list(bars["missing"]):
            more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            found.append(f"{row['name']}: no {kind} bars of {', '.join(names[:NAMES_SHOWN])}{more}")
    return found


def prices_of(body: Body) -> list[str]:
    """Say how many prices came how, how old they are, and which are oldest; by broker and source."""
    groups: dict[tuple[str, str], list[Body]] = {}
    for row in body.get("prices", ()):
        if row["age_s"] is None:
            continue
        groups.setdefault((row["broker"], row["source"]), []).append(row)
    lines = []
    for (name, source), rows in groups.items():
        rows.sort(key=lambda row: -row["age_s"])
        oldest = ", ".join(f"{row['instrument']} {span(row['age_s'])}" for row in rows[:OLDEST_SHOWN])
        lines.append(f"{len(rows)} from {name or '-'}{f' by {source}' if source else ''}, oldest {oldest}")
    return lines


def came(row: Body) -> str:
    """Say how a price came and how old it is, where it is not the stream's and fresh."""
    age_s, source = row.get("price_age_s"), row.get("source", "")
    notes = [source] if source not in ("", "stream") else []
    notes += [f"{span(age_s)} old"] if age_s is not None and age_s >= LATE_S else []
    return f" ({', '.join(notes)})" if notes else ""
