"""What is done again and again beside trading."""

from joed.daemon.counters import Counters
from joed.daemon.journal import Journal
from joed.daemon.keeping import Keeping
from joed.daemon.record import decode_state
from joed.daemon.store import Store
from joed.engine.operator import asked as answer_to
from joed.engine.operator import unconfirmed
from joed.model.commands import LiftBlock
from joed.model.events import OperatorAsked, RegimeRead, Tick
from joed.model.values import SECOND
from tests.engine.build import trading_state


def kept(path):
    """Give the States that a journal holds."""
    store = Store.open(path)
    try:
        rows = store._db.execute("SELECT seq, kept, state FROM snapshots ORDER BY seq").fetchall()
        return [(seq, bool(first), decode_state(state, b"")) for seq, first, state in rows]
    finally:
        store.close()


def recorded(path, count):
    """Give a journal in which so many Ticks are on tape."""
    journal = Journal(path)
    for seq in range(1, count + 1):
        journal.tape(seq, seq, Tick())
    return journal


def test_state_is_stored_each_minute_of_its_own_time(tmp_path):
    """As it is then; the first of a life is kept for its replay."""
    state, counters = trading_state(), Counters()
    journal = recorded(tmp_path / "joed.db", state.seq)
    keeping = Keeping(state, journal, lambda event: None, counters, every_s=60.0, confirms=False)
    keeping.store(kept=True)
    start = state.now
    for passed_s in (59, 60, 61, 119, 120):
        state.now, state.seq = start + passed_s * SECOND, state.seq + 1
        journal.tape(state.seq, state.now, Tick())
        keeping.look()
    journal.close()

    found = kept(tmp_path / "joed.db")
    assert [(state.now - start) // SECOND for _, _, state in found] == [0, 60, 120]
    assert [first for _, first, _ in found] == [True, False, False]
    assert counters.snapshot_ns > 0


def test_an_empty_state_is_not_stored(tmp_path):
    """Before the first record there is nothing to come back to."""
    state = trading_state()
    state.seq = 0
    journal = Journal(tmp_path / "joed.db")
    Keeping(state, journal, lambda event: None, Counters(), every_s=60.0, confirms=False).store()
    journal.close()

    assert kept(tmp_path / "joed.db") == []


def signer(tmp_path, *, confirms=True):
    """Give a State whose card waits, who looks after it, and what was asked."""
    state, asked = trading_state(), []
    block = unconfirmed(state.now)
    state.blocks[block.key] = block
    journal = Journal(tmp_path / "joed.db")
    journal.close()
    return state, Keeping(state, journal, asked.append, Counters(), every_s=1e6, confirms=confirms), asked


def test_the_card_is_signed_once_the_analysis_is_there(tmp_path):
    """Exactly the card that stands; not before there is a regime, and at most once a second."""
    state, keeping, asked = signer(tmp_path)
    keeping.look()
    assert asked == []

    state.regime, state.now = RegimeRead("bull", 1.0), state.now + SECOND
    keeping.look()
    keeping.look()
    commands = []
    answer_to(state, state.now, asked[0], commands)

    assert [type(event) for event in asked] == [OperatorAsked]
    assert any(isinstance(command, LiftBlock) for command in commands)


def test_a_card_that_does_not_wait_is_not_signed(tmp_path):
    """Once a session is enough."""
    state, keeping, asked = signer(tmp_path)
    state.regime = RegimeRead("bull", 1.0)
    state.blocks.clear()

    keeping.look()

    assert asked == []


def test_nobody_signs_for_a_person_who_did_not_say_so(tmp_path):
    """Without --confirm auto the card waits."""
    state, keeping, asked = signer(tmp_path, confirms=False)
    state.regime = RegimeRead("bull", 1.0)

    keeping.look()

    assert asked == []
