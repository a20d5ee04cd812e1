"""What a scenario may have go wrong, each by a switch; with none thrown the service is in order.

A `Trick` is for the next requests that it names: what is answered instead, and whether the request was carried out.
The attributes are states that last until they are taken back. The stream's own are in `stream.Stream`, the account's
and the market's (a switch of accounts, a close by the service, rules that widen) are methods of `FakeCapital`.
"""

from dataclasses import dataclass

JSON, HTML = "application/json", "text/html"
BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"
JAVA = "java.util.concurrent.TimeoutException"
BOMB_BYTES = 8 << 20
FOR_EVER = 1 << 60


@dataclass
class Trick:
    """For the next `times` requests of a method whose path begins so."""

    method: str
    path: str
    how: str
    """answer, echo (what was sent), lost (the connection is reset), torn (in the body), late (by `seconds`), hang."""
    times: int = 1
    carried_out: bool = True
    status: int = 200
    body: bytes = b""
    kind: str = JSON
    seconds: float = 0.0
    seen: int = 0

    def fits(self, method, path):
        """Say whether it is for this request."""
        return self.times > self.seen and method == self.method and path.startswith(self.path)


class Faults:
    """The switches of REST and of what it tells."""

    def __init__(self):
        self.tricks = []
        self.rejects = []
        """Reasons for which the next orders are confirmed as rejected."""
        self.confirm_delay_s = 0.0
        """How long GET /confirms knows nothing of what has happened, or shows the action before."""
        self.confirm_ttl_s = None
        self.positions_lag_s = 0.0
        self.orders_lag_s = 0.0
        self.activity_delay_s = 0.0
        self.activity_level_delay_s = 0.0
        self.put_keeps_omitted = False
        self.throttles_at_confirm = False
        self.unknown_fields = False

    def add(self, trick):
        """Throw a trick, and give it: its `seen` counts."""
        self.tricks = [one for one in self.tricks if one.seen < one.times]
        self.tricks.append(trick)
        return trick

    def take(self, method, path):
        """Give the trick that is for this request, None where none is."""
        trick = next((one for one in self.tricks if one.fits(method, path)), None)
        if trick is not None:
            trick.seen += 1
        return trick

    def clear(self):
        """Let everything answer again."""
        self.tricks = []

    def lose_answer(self, method, path, times=1):
        """Carry it out, and reset the connection before a byte of the answer has left."""
        return self.add(Trick(method, path, "lost", times))

    def lose_request(self, method, path, times=1):
        """Reset the connection instead of carrying it out."""
        return self.add(Trick(method, path, "lost", times, carried_out=False))

    def tear(self, method, path, times=1, *, carried_out=True):
        """Cut the connection in the middle of the answer's body."""
        return self.add(Trick(method, path, "torn", times, carried_out))

    def truncate(self, method, path, times=1, *, carried_out=True):
        """Answer whole HTTP with half the JSON."""
        return self.add(Trick(method, path, "truncated", times, carried_out))

    def delay(self, method, path, seconds, times=1):
        """Carry it out at once, and answer late."""
        return self.add(Trick(method, path, "late", times, seconds=seconds))

    def hang(self, method, path, times=1, *, carried_out=True):
        """Never answer."""
        return self.add(Trick(method, path, "hang", times, carried_out))

    def html(self, method, path, times=1, *, status=502, carried_out=False):
        """Answer as a proxy does whose backend is away."""
        return self.add(Trick(method, path, "answer", times, carried_out, status, BAD_GATEWAY, HTML))

    def empty(self, method, path, times=1, *, status=504, carried_out=False):
        """Answer with a status and nothing else."""
        return self.add(Trick(method, path, "answer", times, carried_out, status))

    def error(self, method, path, code, times=1, *, status=500, carried_out=False):
        """Answer with an errorCode."""
        body = b'{"errorCode":"%s"}' % code.encode()
        return self.add(Trick(method, path, "answer", times, carried_out, status, body))

    def echo(self, method, path, times=1):
        """Answer with all that the request carried for an errorCode, credentials and tokens among it."""
        return self.add(Trick(method, path, "echo", times, carried_out=False, status=400))

    def java(self, method, path, times=1, *, carried_out=False):
        """Answer with the class of an exception for an errorCode, as their backend does when it times out."""
        return self.error(method, path, JAVA, times, carried_out=carried_out)

    def too_many(self, method, path, times=1):
        """Answer 429, as under a storm of other processes."""
        return self.error(method, path, "error.too-many.requests", times, status=429)

    def bomb(self, method, path, times=1):
        """Answer with 8 MiB of JSON."""
        body = b'{"x":"' + b"a" * BOMB_BYTES + b'"}'
        return self.add(Trick(method, path, "answer", times, carried_out=False, body=body))

    def dead(self):
        """Never answer anything on REST until `clear`."""
        for method in ("GET", "POST", "PUT", "DELETE"):
            self.hang(method, "", FOR_EVER, carried_out=False)
