"""Who may look at the page: a pure judgement of a request's head, and the headers that every answer bears.

The page changes nothing, but it shows an account: a foreign web page in the same browser must not read it, frame it,
or reach it under a name of its own (reliability S17-S24).
"""

from collections.abc import Mapping
from typing import NamedTuple

METHODS = ("GET", "HEAD")
PAGE = "/"

RULES = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",  # a browser that knows it refuses to make markup of a text
    "trusted-types 'none'",
)
"""Nothing but our own files, in no frame, and no text ever read as markup."""

HEADERS = {
    "Content-Security-Policy": "; ".join(RULES),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
    "Server": "joed",
}
"""On every answer, refusals too; none of them grants another origin anything."""


class Refused(NamedTuple):
    """Why a request is not answered: an HTTP status and words."""

    status: int
    words: str


def names(port: int) -> tuple[str, ...]:
    """Give the names under which we answer: a page that makes its own name lead here learns nothing."""
    return (f"127.0.0.1:{port}", f"localhost:{port}")


def judge(method: str, path: str, headers: Mapping[str, str], port: int) -> Refused | None:
    """Say why this request is refused, before anybody looks at what it asks for; None where it is ours.

    `headers` is read by lower-case names. A link that leads here from elsewhere may open the page itself, in a tab of
    its own; nothing else is given to another site.
    """
    hosts = names(port)
    if headers.get("host", "") not in hosts:
        return Refused(421, f"this is joed at {hosts[0]}, and nobody else")
    origin = headers.get("origin")
    if origin is not None and origin not in {f"http://{host}" for host in hosts}:
        return Refused(403, "another page asks")
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"} and not _follows_link(path, headers):
        return Refused(403, "another site asks")
    if method not in METHODS:
        return Refused(405, "this page only shows: joectl changes things")
    return None


def _follows_link(path: str, headers: Mapping[str, str]) -> bool:
    """Say whether a person has followed a link to the page: a tab's own document, no frame and no script."""
    mode, kind = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return path == PAGE and mode == "navigate" and kind == "document"
