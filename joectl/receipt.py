"""What a person reads of a kill and of a drill: pure functions, as those of render."""

from joectl.amounts import SECOND
from joectl.render import Body, table


def kill(body: Body) -> str:
    """Give the kill in force with its receipt, and the last drill."""
    seen, drilled = body["kill"], body["drill"]
    lines = [receipt(seen)] if seen else ["no kill is in force"]
    return "\n".join([*lines, drill(drilled) if drilled else "no kill drill was ever held here: joectl kill --drill"])


def receipt(seen: Body) -> str:
    """Give what a kill did, by the broker's evidence: how far it is, each entry and position, and what is open."""
    done = f"done after {seen['done_s']:.1f} s" if seen["done"] else f"NOT done after {seen['age_s']:.1f} s"
    rows = [[row["instrument"], "entry", row["fate"].replace("_", " "), row["words"]] for row in seen["entries"]]
    rows += [[row["instrument"], "position", row["fate"], _moved(row)] for row in seen["positions"]]
    rows += [
        [row["instrument"], "not ours", row["fate"], f"{row['what']} at {row['broker']}"] for row in seen["foreign"]
    ]
    lines = [f"{seen['scope']}{' (drill)' if seen['drill'] else ''}: {done}", *table(rows)]
    return "\n".join([*lines, *(f"  ! {words}" for words in seen["waits"])])


def _moved(row: Body) -> str:
    quantity = row["was"] if row["was"] == row["now"] else f"{row['was']} to {row['now']}"
    return f"{quantity} {row['words']}".strip()


def drill(found: Body) -> str:
    """Give how the last drill went."""
    how = "passed" if found["passed"] else "FAILED"
    latched = f"the latch took {found['latch_ns'] / 1e6:.1f} ms, all of it {found['done_ns'] / SECOND:.1f} s"
    return f"kill drill ({found['scope']}) {how}: {latched}; {found['words']}"
