"""The control socket of a real joed in trouble: too few descriptors, and a joectl or a joed that dies in the middle."""

import os
import socket
import sqlite3
import threading
import time
from contextlib import closing, suppress

import pytest

from joectl.client import Failure, change
from joed import protocol
from tests.daemon.apart import descriptors
from tests.daemon.users import as_user, opened
from tests.demos import Demo
from tests.faults.measure import Watch, measured
from tests.joectl.running import joectl

FEW = 95
LIMITED = f"import resource, runpy; resource.setrlimit(resource.RLIMIT_NOFILE, ({FEW}, {FEW}));"
TIGHT = ("-c", f"{LIMITED} runpy.run_module('joed', run_name='__main__')")
STRANGERS = range(65500, 65518)


def crowd(path, uid, number, stop):
    """Hold as many connections as one user gets, until told to stop."""

    def press():
        held = []
        for _ in range(number):
            wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            wire.settimeout(5)
            with suppress(OSError):
                wire.connect(str(path))
                held.append(wire)
        os.read(stop, 1)
        return b"."

    return threading.Thread(target=as_user, args=(uid, press))


@pytest.mark.needs_root
def test_f13_a_thousand_clients_of_a_process_with_few_descriptors(tmp_path):
    """Status, a kill, a flush and the journal read back still work: those descriptors are reserved."""
    demo = Demo(tmp_path / "state", program=TIGHT)
    demo.start()
    read, write = os.pipe()
    try:
        demo.until(lambda shown: shown["brokers"] and shown["brokers"][0]["reconciled"], 40)
        opened(demo.places.socket)
        crowds = [crowd(demo.places.socket, uid, 60, read) for uid in STRANGERS]
        for each in crowds:
            each.start()
        time.sleep(1.0)

        watch = Watch()
        killed = demo.ask("kill", "--json")
        answered_ms = watch.ms()
        flushed = demo.ask("flush")
        lost = demo.ask("why", "nobody")

        assert (killed.code, killed.json["daemon"], flushed.code) == (0, "answered", 0)
        assert "nothing is recorded" in lost.err
        assert demo.status()["killed"] == "orders"
        assert descriptors(demo.process.pid) < FEW
        measured("F13", recovered_ms=answered_ms)  # a kill, while all others are shut out
    finally:
        os.write(write, b"." * len(STRANGERS))
        demo.interrupt()


def answers(journal, key):
    """Count the records that were made for a key."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as base:
        found = base.execute("SELECT count(*) FROM records WHERE kind = 'OperatorAsked' AND instr(event, ?)", (key,))
        return found.fetchone()[0]


def asked(demo, verb, key, reason="one"):
    """Ask under a key, as joectl does; give the answer, or the code of the refusal."""
    place = protocol.find({}, "", str(demo.root))
    try:
        return change(place, verb, key, 10.0, {"reason": reason, "args": {}}).body
    except Failure as failure:
        return failure.fields["code"]


def test_f95_a_key_does_one_thing_also_when_joed_was_killed_in_between(tmp_path):
    """The same request after kill -9 is answered as before, another body is refused, and there is one record of it."""
    demo = Demo(tmp_path / "state")
    demo.start()
    demo.until(lambda shown: shown["seq"] > 10)
    first = asked(demo, "pause", "key-1")
    demo.kill()
    demo.start()
    try:
        demo.until(lambda shown: shown["seq"] > first["seq"])
        same, other = asked(demo, "pause", "key-1"), asked(demo, "pause", "key-1", "two")

        assert (same, other) == (first, "key_reused")
        assert answers(demo.places.journal, "key-1") == 1
    finally:
        demo.interrupt()


def test_f95_a_joectl_that_dies_in_the_middle_and_tries_again_has_one_effect(tmp_path):
    """It sent its request and heard nothing: the second try, by the printed key, hears what the first one did."""
    demo = Demo(tmp_path / "state")
    demo.start()
    try:
        demo.until(lambda shown: shown["seq"] > 10)
        lost = joectl("--timeout", "0.05", "pause", "--request-id", "key-2", state_dir=demo.root)
        again = joectl("pause", "--request-id", "key-2", state_dir=demo.root)

        assert lost.code in {0, 6}
        assert (again.code, again.out) == (0, "entries are paused\n")
        assert answers(demo.places.journal, "key-2") == 1
    finally:
        demo.interrupt()
