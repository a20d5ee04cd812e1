"""From the journal back to State: the newest snapshot, then every record after it, as it was decided then."""

import msgspec

from joed.daemon.chain import JournalDamaged
from joed.daemon.record import decode_state
from joed.daemon.store import Store
from joed.engine.binding import REMEDY, misplaced
from joed.engine.step import refold
from joed.errors import ConfigError, JoedError
from joed.model.settings import Settings
from joed.model.state import State


class CannotRecover(JoedError):
    """A record that was decided once cannot be folded by this joed: nothing that another start would mend."""


def refuse_other(state: State, settings: Settings) -> None:
    """Raise ConfigError where the settings name another account or mode than this state directory belongs to."""
    if words := misplaced(state, settings):
        raise ConfigError(f"{words}: {REMEDY}")


def recover(store: Store, id_key: bytes) -> State:
    """Give State as of the newest durable record; nothing is decided again, so no new build can rewrite the past.

    Raises JournalDamaged where a record is not what was written or one is missing, CannotRecover where one that is
    cannot be folded.
    """
    found = store.latest_snapshot()
    try:
        state = State(id_key=id_key) if found is None else decode_state(found[2], id_key)
    except msgspec.DecodeError as error:
        assert found is not None
        raise CannotRecover(f"{store.path}: the snapshot at {found[0]} cannot be read: {error}") from error
    for seq, now, event, commands in store.read(state.seq):
        if seq != state.seq + 1:
            raise JournalDamaged(store.path, seq, f"follows {state.seq}")
        try:
            refold(state, now, event, commands)
        except Exception as error:
            raise CannotRecover(f"{store.path}: record {seq} cannot be folded: {error!r}") from error
    return state
