"""What a restart and a second reading must find."""

from joed.daemon import recovery
from joed.daemon.store import Store
from joed.engine import step as engine
from joed.model.commands import RaiseAlert
from joed.model.events import EpochStarted, StopAsked, Tick
from joed.model.state import State
from joed.model.values import Severity
from joed.sim import proofs
from joed.sim.proofs import Remains

KEY = b"k" * 32
EVENTS = [EpochStarted(1, "start", "1", "code"), Tick(), StopAsked("over"), Tick()]


def lived(path, committed):
    """Live through EVENTS, of which the first so many reach the disk; give the State, and what did not."""
    store, state, tail = Store.open(path), State(id_key=KEY), []
    for seq, event in enumerate(EVENTS, start=1):
        commands = engine.step(state, seq * 10, event)
        store.add(seq, seq * 10, "", event, commands)
        tail.append((seq, seq * 10, event, commands))
        if seq == committed:
            store.commit()
            tail = []
    store.close()
    return state, tail


def test_a_recovered_state_with_its_tail_is_the_one_that_died(tmp_path):
    """And a second recovery is the same."""
    state, tail = lived(tmp_path / "joed.db", committed=2)
    store = Store.open(tmp_path / "joed.db")

    recovered = recovery.recover(store, KEY)

    assert recovered.seq == 2
    assert proofs.untrue(recovered, Remains(state, tail, 2), KEY) == ""
    assert proofs.unstable(store, recovered, recovery.recover) == ""
    store.close()


def test_a_state_that_differs_in_a_field_is_named_by_it(tmp_path):
    """Where a rule had raised in the middle of a step nothing can be said."""
    state, tail = lived(tmp_path / "joed.db", committed=2)
    store = Store.open(tmp_path / "joed.db")
    recovered = recovery.recover(store, KEY)
    recovered.alerts["x"] = RaiseAlert("x", Severity.INFO, "x")

    assert "alerts" in proofs.untrue(recovered, Remains(state, tail, 2), KEY)
    assert proofs.untrue(recovered, Remains(state, tail, 2, whole=False), KEY) == ""
    store.close()


def test_a_restart_that_lacks_what_was_announced_is_found():
    """A seq that somebody was told is durable is there."""
    remains = Remains(State(), [], announced=7)

    assert proofs.lost(State(seq=7), remains) == ""
    assert proofs.lost(State(seq=6), remains) == "the restart has 6, 7 was announced as durable"


def test_the_record_is_decided_again_and_a_difference_has_its_number(tmp_path):
    """The same commands for the same facts; one that was left out is found at its record."""
    state, _ = lived(tmp_path / "joed.db", committed=4)
    store = Store.open(tmp_path / "joed.db")
    entries = list(store.read())

    words, again = proofs.decided_again(entries, KEY, lambda event: None)
    assert words == ""
    assert proofs.without_bands(again) == proofs.without_bands(state)

    entries[2] = (*entries[2][:3], [])
    assert proofs.decided_again(entries, KEY, lambda event: None)[0].startswith("record 3 (StopAsked)")
    store.close()


def test_a_broken_chain_is_found(tmp_path):
    """A record that is not what was written is named."""
    lived(tmp_path / "joed.db", committed=4)
    assert proofs.chained(tmp_path) == ""

    store = Store.open(tmp_path / "joed.db")
    [(guard,)] = store._db.execute("SELECT sql FROM sqlite_master WHERE name = 'records_fixed'").fetchall()
    store._db.execute("DROP TRIGGER records_fixed")
    store._db.execute("""UPDATE records SET event = '{"type":"StopAsked","reason":"no"}' WHERE seq = 3""")
    store._db.execute(guard)
    store.close()

    assert "record 3" in proofs.chained(tmp_path)
