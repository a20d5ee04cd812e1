"""What joed thinks, drawn for a person: the regime vote by vote, the watchlist reason by reason."""

from joectl.render import Body, price, regime_line, span, table, trigger


def regime(body: Body) -> str:
    """Give the regime with every vote, the rule that named it, and what follows from it."""
    found = body["regime"]
    if not found:
        return regime_line(body)
    given = [row for row in found["votes"] if row["possible"]]
    stress, possible = (sum(row[name] for row in given) for name in ("stress", "possible"))
    votes = [
        [row["name"], f"{row['stress']} of {row['possible']}" if row["possible"] else "withheld", row["words"]]
        for row in found["votes"]
    ]
    stance = body.get("stance") or {"share": "1", "active": [], "resting": []}
    rows = [
        ("score", f"{found['score']:+g}: {stress} of {possible} points of stress, {len(given)} votes given"),
        ("because", found["rule"] or "no rule is recorded"),
        ("since", f"{span(max(0, body['now_ns'] - found['since_ns']) / 1e9)} ago" if found["since_ns"] else "unknown"),
        ("entries", f"{float(stance['share']):.0%} of their size"),
        ("active", ", ".join(stance["active"]) or "no strategy"),
        ("resting", ", ".join(stance["resting"]) or "no strategy"),
    ]
    rows += [("crypto", f"{name} {_reading(row)}") for name, row in body.get("crypto", {}).items()]
    return "\n".join([regime_line(body), *table(votes), *table([list(row) for row in rows])])


def _reading(row: Body) -> str:
    """Write a reading with its age; what is not known is said to be unknown."""
    return "unknown" if row["value"] is None else f"{row['value']:g}, {span(row['age_s'])} old"


def watchlist(body: Body) -> str:
    """Give each name with its score and reasons, the Triggers with stop, target and size, and what was left out."""
    lines = []
    for row in body["watchlist"]:
        lines += [f"{row['instrument']:<8}{row['score']:>6.1f}", *(f"    {reason}" for reason in row["reasons"])]
    lines = lines or ["nothing is watched yet"]
    if body["triggers"]:
        lines += [f"{body['trigger_count']} triggers", *table(armed(row) for row in body["triggers"])]
    if left_out := body.get("left_out"):
        counts = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
        lines.append("left out: " + ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in counts))
    lines += [f"set aside: {name}: {words}" for name, words in body.get("aside", {}).items()]
    return "\n".join(lines)


def armed(row: Body) -> list[str]:
    """Give the cells of a Trigger with its stop, its target and the size that it would have now."""
    size = f"{row['quantity']} units" if float(row.get("quantity", 0)) else "no size"
    return [*trigger(row), f"stop {price(row['stop'])}", f"target {price(row['target'])}", size]
