"""What joed thinks, drawn for a person: the regime vote by vote."""

from joectl.render import Body, regime_line, span, table


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
    return "\n".join([regime_line(body), *table(votes), *table([list(row) for row in rows])])
