"""A stream that pushes quotes as fast as its client takes them: `python -m tests.bench.capital_flood COUNT`."""

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, serve

NAMES = [f"S{number:04}" for number in range(40)]
BURST = 500
"""Frames handed to the socket at once."""


def frames(count: int) -> list[str]:
    """Give quotes of forty instruments in turn, each a step from the last."""
    found = []
    for number in range(count):
        bid = 100.0 + number % 7 / 100
        payload = f'{{"epic":"{NAMES[number % 40]}","product":"CFD","bid":{bid},"bidQty":1000,"ofr":{bid + 0.02:.2f},'
        payload += f'"ofrQty":1000,"timestamp":{1_788_220_800_000 + number}}}'
        found.append(f'{{"status":"OK","destination":"quote","payload":{payload}}}')
    return found


async def main(count: int) -> None:
    """Serve until the process ends."""
    pushes = frames(count)

    async def push(socket: ServerConnection) -> None:
        await socket.recv()
        for begin in range(0, count, BURST):
            for frame in pushes[begin : begin + BURST]:
                await socket.send(frame)
            await asyncio.sleep(0)
        await socket.wait_closed()

    async with serve(push, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
