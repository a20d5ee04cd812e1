"""kill -9 at any moment of a demo whose exchange lives on: after each restart the books must agree, within 5 s.

`python -m tests.long.kill9 --kills 50` plays days, killing joed (never its exchange) at moments drawn from a seed,
also in its first second and while it recovers, and checks after each kill what joed promises. Ends with status 1 at
the first promise that was not kept, and keeps that state directory.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from joed.daemon.audit import verify
from tests.demos import ROOT, Demo, breaches, holdings, joed, remembered

AGREE_S = 5.0
READY_S = 15.0


class Broken(Exception):
    """A promise that was not kept."""


def hold(what, holds, words=""):
    """Raise Broken unless it holds."""
    if not holds:
        raise Broken(f"{what}: {words}")


def check_dead(demo):
    """What must hold while no joed runs: the record whole, the exchange's book lawful, every position protected."""
    hold("the exchange's book", not (found := breaches(demo.book())), found[:3])
    if demo.places.journal.exists():
        answer = demo.ask("audit", "verify")
        hold("joectl audit verify", answer.code == 0, answer.out + answer.err)


def check_agreement(demo, begun, within_s=AGREE_S):
    """What must hold so soon after a restart: joed knows its broker, and both hold the same; give how long it took."""
    seen = ""
    while time.monotonic() - begun < within_s:
        if not demo.lives:
            return None  # the day ended meanwhile: the end of the run looks at it
        shown = demo.status()
        if shown is not None and shown["brokers"] and all(row["reconciled"] for row in shown["brokers"]):
            ours = {row["instrument"]: row["quantity"] for row in shown["positions"]}
            theirs = holdings(demo.book())
            if ours == theirs:
                return time.monotonic() - begun
            seen = f"{ours} here, {theirs} there"
        else:
            seen = "no answer" if shown is None else str(shown["brokers"])
        time.sleep(0.05)
    raise Broken(f"the books do not agree within {within_s:g} s: {seen}")


def check_remembered(demo):
    """What joed shows is what the durable record says at the same seq; give that seq, None where it has ended."""
    shown = demo.status()
    if shown is None:
        return None
    expected = remembered(demo.folded(shown["seq"]))
    hold(f"the six fields at {shown['seq']}", shown["state"] == expected, f"{shown['state']} shown, {expected} durable")
    return shown["seq"]


def check_flush(demo, chance):
    """What flush answered is there after a kill; give that seq, None where it was not asked."""
    if chance.random() > 0.3:
        return None
    answer = demo.ask("flush", "--json")
    return answer.json["seq"] if answer.code == 0 else None


def moment(chance):
    """Draw when to kill: often in the first second, while it recovers or has just begun."""
    return chance.uniform(0.0, 1.2) if chance.random() < 0.35 else chance.uniform(1.2, 6.0)


def play(root, seed, speed, kills, chance, log):
    """Play one day with as many kills as it has room for; give how many there were."""
    demo = Demo(root, "--exchange", "process", "--speed", speed, "--confirm", "auto", "--seed", seed)
    done = 0
    begun = demo.start()
    while done < kills:
        delay_s = moment(chance)
        took = None
        if delay_s > 1.2:
            took = check_agreement(demo, begun)
            check_remembered(demo) if took is not None else None
        if demo.wait(max(0.0, begun + delay_s - time.monotonic())) is not None:
            break
        flushed = check_flush(demo, chance) if delay_s > 1.2 else None
        if not demo.kill():
            break
        done += 1
        check_dead(demo)
        durable = demo.folded().seq if demo.places.journal.exists() else 0
        hold("flush", flushed is None or durable >= flushed, f"answered {flushed}, {durable} is durable")
        agreed = f", books agreed in {took:.2f} s" if took else ""
        log(f"seed {seed} kill {done}: after {delay_s:.2f} s{agreed}, seq {durable}")
        begun = demo.start()
    finish(demo, begun, log)
    return done


def finish(demo, begun, log):
    """Let the day end by itself, and hold its whole record to account."""
    if demo.lives:
        check_agreement(demo, begun)
    status = demo.wait(600)
    hold("the day's end", status == 0, f"status {status}: {demo.err.read_text()[-1500:]}")
    report = demo.out.read_text()
    hold("the report", "Protected    yes" in report, report)
    check_dead(demo)
    hold("the record", verify(demo.root).whole)
    ours = {name: str(held.quantity) for name, held in demo.folded().positions.items() if held.quantity}
    hold("the books at the end", ours == holdings(demo.book()), f"{ours} here, {holdings(demo.book())} there")
    log(report)


def replayed(root, config=None):
    """Decide the session again, with another configuration or without, and give how that ended."""
    words = ["--config", config] if config else []
    return joed("--replay", "2026-09-01", "--state-dir", root, *words, timeout=300)


def check_replay(root, log):
    """A replay finds no difference; one with another ATR parameter does."""
    same = replayed(root)
    hold("the replay", same.returncode == 0, same.stdout + same.stderr)
    log(same.stdout)
    other = root / "other"
    other.mkdir(exist_ok=True)
    (other / "joed.yaml").write_text("daemon:\n  metrics_port: 0\n  ballast_mb: 0\n")
    (other / "strategies.yaml").write_text("breakout:\n  stop_atr: 3.1\n")
    changed = replayed(root, other / "joed.yaml")
    hold("the replay with another stop_atr", changed.returncode == 1, changed.stdout + changed.stderr)
    log(changed.stdout[:1500])


def main():
    """Kill until it was enough."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--kills", type=int, default=50)
    made.add_argument("--speed", type=float, default=120.0)
    made.add_argument("--seed", type=int, default=7, help="the first day's; the next day has the next")
    made.add_argument("--chance", type=int, default=1, help="of the moments")
    options = made.parse_args()
    chance = random.Random(options.chance)
    done, seed = 0, options.seed
    while done < options.kills:
        root = Path(tempfile.mkdtemp(prefix="k9-"))
        print(f"seed {seed} in {root}", flush=True)
        try:
            done += play(
                root, seed, options.speed, options.kills - done, chance, lambda words: print(words, flush=True)
            )
            check_replay(root, print)
        except (Broken, AssertionError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
            print(f"BROKEN after {done} kills, seed {seed}, chance {options.chance}, {root}: {error}")
            return 1
        shutil.rmtree(root)
        seed += 1
    print(f"{done} kills, each survived; source {ROOT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
