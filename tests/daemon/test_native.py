"""journald's own protocol, to a socket that is read as journald reads it."""

import socket
import struct

import pytest

from joed.daemon.native import Native, entry


@pytest.fixture
def journal(tmp_path):
    """Give a socket that takes datagrams, as journald's does, and where it is."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.bind(str(path))
        wire.settimeout(5)
        yield wire, path


def test_an_entry_has_its_fields_by_name(journal):
    """One datagram; a value of several lines goes with its length, so that no value can forge a field."""
    wire, path = journal
    way = Native(path)
    assert way.send({"MESSAGE": "Größe", "JOED_ORDER_ID": "j1-2\nPRIORITY=0"})
    way.close()

    forged = b"j1-2\nPRIORITY=0"
    assert wire.recv(4096) == "MESSAGE=Größe\nJOED_ORDER_ID\n".encode() + struct.pack("<Q", 15) + forged + b"\n"
    assert entry({"A": ""}) == b"A=\n"


def test_a_journal_that_is_away_or_busy_is_not_waited_for(journal, tmp_path):
    """False, so that it is said another way; when it is back the next entry arrives."""
    wire, path = journal
    assert not Native(tmp_path / "nowhere").send({"MESSAGE": "x"})
    impatient = Native(path, wait_s=0.0)
    sent = [impatient.send({"MESSAGE": str(number)}) for number in range(1000)]
    assert not all(sent)
    assert wire.recv(4096) == b"MESSAGE=0\n"
    assert impatient.send({"MESSAGE": "again"})
    impatient.close()
