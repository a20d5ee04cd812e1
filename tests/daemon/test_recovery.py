"""From the journal back to State, without deciding anything again."""

import pytest

from joed.daemon.chain import JournalDamaged
from joed.daemon.record import encode_state
from joed.daemon.recovery import CannotRecover, recover
from joed.daemon.store import Store
from joed.engine import step as engine
from joed.engine.changes import APPLY_EVENT
from joed.model.blocks import Block
from joed.model.commands import RaiseBlock
from joed.model.events import OperatorAsked, Tick
from joed.model.values import SECOND
from tests.daemon.shell import Rig


def lived(folder):
    """Give a file in which a short life stands, and its State as it was at the end."""
    rig = Rig(folder).begin()
    for number in range(5):
        rig.trading.emit(OperatorAsked("pause" if number % 2 else "resume", f"r{number}", 0, 0, 1))
        rig.clock.advance()
        rig.settle()
    rig.journal.commit()
    rig.close()
    return folder / "joed.db", rig.state


def recovered(path):
    """Give the State that the file gives back."""
    store = Store.open(path)
    try:
        return recover(store, b"key")
    finally:
        store.close()


def test_state_comes_back_to_the_byte(tmp_path):
    """What lived and what is recovered are the same bytes, key of ids included."""
    path, state = lived(tmp_path)

    found = recovered(path)

    assert encode_state(found) == encode_state(state)
    assert found.id_key == b"key"


def test_an_empty_journal_gives_an_empty_state(tmp_path):
    """Nothing has happened yet."""
    assert recovered(tmp_path / "joed.db").seq == 0


def test_nothing_is_decided_again(tmp_path, monkeypatch):
    """Rules that have changed since, or raise, do not matter: the recorded commands are what was done."""
    path, state = lived(tmp_path)

    def raises(state, now, event, commands):
        raise AssertionError("decided again")

    for kind in list(engine.RULES):
        monkeypatch.setitem(engine.RULES, kind, (raises,))

    assert encode_state(recovered(path)) == encode_state(state)


def test_a_snapshot_saves_the_way(tmp_path):
    """Only what came after it is folded, to the same end."""
    path, state = lived(tmp_path)
    store = Store.open(path)
    store.add_snapshot(state.seq, state.now, encode_state(state))
    block = Block("all", "later", "after the snapshot", state.now)
    store.add(state.seq + 1, state.now + SECOND, "", Tick(), [RaiseBlock(block)])
    store.commit()
    store.close()

    found = recovered(path)

    assert (found.seq, found.blocks[block.key]) == (state.seq + 1, block)


def test_a_record_that_cannot_be_folded_is_named(tmp_path, monkeypatch):
    """A joed that no longer understands its own past does not guess: it says which record."""
    path, _ = lived(tmp_path)

    def raises(state, now, event):
        raise KeyError("planted")

    monkeypatch.setitem(APPLY_EVENT, OperatorAsked, raises)

    with pytest.raises(CannotRecover, match=r"joed\.db: record \d+ cannot be folded: KeyError\('planted'\)"):
        recovered(path)


def test_a_snapshot_that_cannot_be_read_is_named(tmp_path):
    """Its digest holds, its bytes make no State."""
    path, state = lived(tmp_path)
    store = Store.open(path)
    store.add_snapshot(state.seq, state.now, b"\xc1")
    store.commit()
    store.close()

    with pytest.raises(CannotRecover, match=f"the snapshot at {state.seq}"):
        recovered(path)


def test_a_gap_is_damage(tmp_path):
    """A record that does not follow the one before it is not folded."""
    path, state = lived(tmp_path)
    store = Store.open(path)
    early = recover(store, b"key")
    early.seq -= 1
    store.add_snapshot(state.seq, state.now, encode_state(early))
    store.commit()
    store.add(state.seq + 1, state.now, "", Tick(), [])
    store.commit()

    class Gapped:
        """The same store, whose snapshot says that it is older than it is."""

        path = store.path
        latest_snapshot = store.latest_snapshot

        @staticmethod
        def read(after):
            return [entry for entry in store.read(after) if entry[0] > state.seq]

    with pytest.raises(JournalDamaged, match=f"record {state.seq + 1}"):
        recover(Gapped(), b"key")
    store.close()
