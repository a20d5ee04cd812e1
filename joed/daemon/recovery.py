"""From the journal back to State: the newest snapshot, then every record after it, as it was decided then."""

from joed.daemon.record import decode_state
from joed.daemon.store import Store
from joed.engine.step import refold
from joed.model.state import State


def recover(store: Store, id_key: bytes) -> State:
    """Give State as of the newest durable record; nothing is decided again, so no new build can rewrite the past."""
    found = store.latest_snapshot()
    state = State(id_key=id_key) if found is None else decode_state(found[2], id_key)
    for seq, now, event, commands in store.read(state.seq):
        refold(state, now, event, commands)
        assert state.seq == seq, f"record {seq} follows {state.seq - 1}"
    return state
