"""The witness and the ballast."""

import pytest

from joed.daemon.sidecars import Ballast, Head, Witness, read_witness


def test_a_witness_gives_back_the_newest_head(tmp_path):
    """The last word counts, also after the file was opened again."""
    path = tmp_path / "head"
    for seq in (1, 2):
        witness = Witness(path)
        witness.write(Head(seq, bytes([seq]) * 32))
        witness.close()

    assert read_witness(path) == Head(2, b"\2" * 32)


def test_a_witness_that_has_seen_nothing_says_nothing(tmp_path):
    """No file, an empty one, and one that a new journal made."""
    assert read_witness(tmp_path / "none") is None
    (tmp_path / "empty").write_bytes(b"")
    assert read_witness(tmp_path / "empty") is None
    Witness(tmp_path / "new").close()
    assert read_witness(tmp_path / "new") is None


@pytest.mark.parametrize("at", [0, 19, 21, 84, 86, 101])
def test_a_flipped_byte_in_a_witness_is_found(tmp_path, at):
    """A wrong number there would refuse a sound journal, or pass a short one."""
    path = tmp_path / "head"
    witness = Witness(path)
    witness.write(Head(7, bytes(32)))
    witness.close()
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)

    with pytest.raises(ValueError, match="no witness"):
        read_witness(path)


def test_a_ballast_holds_real_space_until_it_is_freed(tmp_path):
    """A sparse file promises what a full disk does not keep."""
    path = tmp_path / "ballast"
    ballast = Ballast(path, 1 << 20)
    assert not ballast.held

    assert ballast.make()
    assert ballast.held
    assert path.stat().st_blocks * 512 >= 1 << 20
    assert ballast.free()
    assert not ballast.held
    assert not ballast.free()

    with path.open("wb") as file:
        file.truncate(1 << 20)
    assert not ballast.held


def test_a_ballast_that_does_not_fit_leaves_nothing(tmp_path):
    """Half of it would only take room."""
    ballast = Ballast(tmp_path / "ballast", 1 << 60)

    assert not ballast.make()
    assert not (tmp_path / "ballast").exists()


def test_no_ballast_is_wanted_where_its_size_is_zero(tmp_path):
    """Tests and demos need none."""
    ballast = Ballast(tmp_path / "ballast", 0)

    assert ballast.make()
    assert not ballast.wanted
    assert not (tmp_path / "ballast").exists()
