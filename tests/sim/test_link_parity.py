"""The virtual loop's transports against asyncio's own on loopback: the same script is told the same story."""

import asyncio
from itertools import groupby

import pytest

from joed.sim.loop import VirtualLoop, run


class Player(asyncio.Protocol):
    """Plays its half of a script: what it does when it is connected, and at each thing that it is told."""

    def __init__(self, acts):
        self.acts, self.told, self.bytes = dict(acts), [], b""
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        """Begin."""
        self.transport = transport
        self.do("made")

    def data_received(self, data):
        """Note bytes; a script waits for the last of them."""
        self.bytes += data
        self.told.append("data")
        if self.bytes.endswith(b"."):
            self.do("stop")

    def eof_received(self):
        """Note the end of the other's stream; keep ours where the script says so."""
        self.told.append("eof")
        self.do("eof")
        return "keeps" in self.acts

    def connection_lost(self, exc):
        """Note the end."""
        self.told.append(f"lost {type(exc).__name__}")
        self.over.set_result(None)

    def pause_writing(self):
        """Note that the buffer is full."""
        self.told.append("pause")
        self.do("pause")

    def resume_writing(self):
        """Note that it has room."""
        self.told.append("resume")
        self.do("resume")

    def do(self, moment):
        """Do what the script has for a moment."""
        for act in self.acts.get(moment, ()):
            act(self.transport)

    def story(self):
        """Give what was told, and the bytes: how they were cut is nobody's promise."""
        return [word for word, _ in groupby(self.told)], self.bytes


def say(text):
    """Give the act that writes."""
    return lambda transport: transport.write(text)


def write_after_the_end(transport):
    """Write where it must raise."""
    with pytest.raises(RuntimeError, match="after write_eof"):
        transport.write(b"more")


def close(transport):
    """Close."""
    transport.close()


def end(transport):
    """End our half."""
    transport.write_eof()


def abort(transport):
    """Abort."""
    transport.abort()


LARGE = b"x" * 8_000_000 + b"."
SCRIPTS = {
    "a question, its answer, and goodbye": ({"made": [say(b"ask.")], "stop": [close]}, {"stop": [say(b"answer.")]}),
    "last words before a close": ({"made": [say(b"a"), say(b"b."), close, say(b"late")]}, {}),
    "a close that is said twice": ({"made": [say(b"a."), close, close]}, {}),
    "a server that closes at once": ({}, {"made": [say(b"no."), close]}),
    "half a stream, answered by the other half": (
        {"made": [say(b"a"), end, write_after_the_end]},
        {"keeps": [], "eof": [say(b"answer."), close]},
    ),
    "half a stream, and the server closes with it": ({"made": [say(b"a."), end]}, {}),
    "the end of a stream, then a close": ({"made": [say(b"a."), end, close]}, {}),
    "an end that is written twice": ({"made": [end, end]}, {}),
    "a large answer, with pauses": (
        {"made": [say(b"ask.")], "stop": [close]},
        {"stop": [say(LARGE)]},
    ),
    "a large answer that is closed behind": ({"made": [say(b"ask.")]}, {"stop": [say(LARGE), close]}),
    "an abort of a quiet stream": ({"made": [say(b"a.")]}, {"stop": [abort]}),
}


async def played(script):
    """Play a script on the loop that runs, and give both stories."""
    loop = asyncio.get_running_loop()
    ours, theirs = script
    served = loop.create_future()

    def serve():
        player = Player(theirs)
        served.set_result(player)
        return player

    server = await loop.create_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _, client = await loop.create_connection(lambda: Player(ours), "127.0.0.1", port)
    async with asyncio.timeout(30):
        await client.over
        await (await served).over
    server.close()
    return client.story(), served.result().story()


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_script_is_told_as_by_real_sockets(name):
    """Word for word at both ends: data, end of stream, pauses, the end and its reason."""
    real = await played(SCRIPTS[name])

    virtual = await asyncio.to_thread(run, lambda loop: played(SCRIPTS[name]), VirtualLoop())

    assert virtual == real
