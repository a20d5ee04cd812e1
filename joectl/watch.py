"""`joectl watch`: the record as it grows, a line a fact, until somebody ends it."""

import json
import sys
from typing import Any

from joectl import render
from joectl.cli import Options, tell
from joectl.client import stream
from joed.protocol import Exit

SILENCE_S = 15.0
"""The daemon pings each 5 s: three that stay away mean that it hangs."""


def watch(options: Options, *, since: int | None) -> Exit:
    """Print the stream; Ctrl-C and the daemon's own goodbye are good ends."""
    path = "watch" if since is None else f"watch?since={since}"
    try:
        for line in stream(options.place(), path, options.timeout, SILENCE_S):
            if options.json:
                sys.stdout.buffer.write(line + b"\n")
                sys.stdout.buffer.flush()
            body = json.loads(line)
            if not options.json and (text := said(render.cleaned(body))):
                print(text, flush=True)
            if body["kind"] == "bye":
                tell("joed stopped")
                return Exit.OK
    except KeyboardInterrupt:
        return Exit.OK
    return Exit.OK


def said(body: dict[str, Any]) -> str:
    """Give a line of the stream as a person reads it; pings are for programs."""
    kind = body["kind"]
    if kind == "record":
        return "\n".join(render.record(body))
    if kind == "hello":
        return f"at seq {body['seq']}: {body['line']}"
    if kind == "gap":
        return f"records {body['from']} to {body['to']} are no longer at hand: joectl audit export has them"
    return ""
