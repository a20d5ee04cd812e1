"""What looks after the record and the machine: tasks for a daemon, none for a demo."""

from joed.daemon.places import places
from joed.daemon.upkeep import none, upkeep
from joed.model.settings import Settings
from joed.model.state import State


def test_a_daemon_has_its_tasks_and_a_demo_has_none(tmp_path):
    """Each goes on until it is cancelled, and is supervised like any other."""
    state = State(id_key=bytes(32))
    made = upkeep(Settings(), places(tmp_path))(state, print, None)

    assert [work.__qualname__ for work in made] == ["Backups.run", "Awake.run"]
    assert none(state, print, None) == []
