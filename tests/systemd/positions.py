"""A day that goes on in a machine where it stopped: joed holds a protected position, and the exchange says so too."""

import json

from tests.systemd.machine import wait_for

WORLD = "/srv/world"
GO_ON = "--clock 2026-09-01T13:20:00Z@1 --seed 7 --confirm auto"
"""How the world's day goes on where it stopped, at the pace of a clock on the wall."""
SOON = 60.0

AT_THE_EXCHANGE = """
from pathlib import Path
from joed.brokers.paper_store import whole
for order in whole(Path("/var/lib/joed/paper.db")).orders:
    if order.leg == "S" and order.status in {"WORKING", "PARTIAL"}:
        print(order.instrument, order.left, order.level)
"""


def take_over(machine):
    """Put the world's record, its exchange's book and its key where joed keeps its own, no demo's any more."""
    copy = f"cp -r {WORLD}/. /var/lib/joed && cd /var/lib/joed && rm -rf run demo.json && chown -R joed:joed ."
    machine.ask("/bin/sh", "-c", f"{copy} && chmod 0711 /var/lib/joed && systemd-tmpfiles --create joed.conf")


def held(machine):
    """Give the positions with their stops."""
    return json.loads(machine.ask("joectl", "positions", "--json").stdout)["positions"]


def at_stake(machine):
    """Give what must not change: each position's size and where its stop is."""
    return {row["instrument"]: (row["quantity"], row["stop"]) for row in held(machine)}


def wait_held(machine):
    """Wait until something is held, with a stop at the broker."""
    wait_for(lambda: held(machine) and all(row["protected"] for row in held(machine)), "it is held, protected", SOON)


def stops_at_exchange(machine, python):
    """Give the stops that work at the exchange by its own book, whatever joed believes, and whether or not it runs."""
    lines = machine.ask(*python, "-c", AT_THE_EXCHANGE).stdout.splitlines()
    return {name: (quantity, level) for name, quantity, level in (line.split() for line in lines)}
