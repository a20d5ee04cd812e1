"""One message, in a process of its own: apprise for a channel, a plain GET for who watches joed; then it ends.

apprise, its hundred services and what they import live here alone: a service that hangs or leaks hurts nobody, and the
daemon never loads them. What went wrong is said in one line on standard error, with every part of the address blotted
out; nothing else ever gets there. Of libraries the standard one only, until apprise is asked for.
"""

import http.client
import ipaddress
import json
import logging
import os
import re
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from joed.daemon.fence import hide_memory

PIECE_CHARS_MIN = 4
"""A shorter piece of an address is no secret: 443, me, to."""
REASON_CHARS_MAX = 300
HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24}|localhost|[0-9]{1,3}(?:\.[0-9]{1,3}){3}|")
BLOT = "***"
LOCAL = {"::1", "localhost"}
METADATA = {"metadata.google.internal", "metadata"}
KINDS = {"info": "info", "warning": "warning", "critical": "failure"}
"""Severities as apprise names them."""


def pieces(address: str) -> set[str]:
    """Give the parts of an address that may be secret, as written and decoded: all but its scheme and a host's name."""
    scheme, _, rest = address.partition("://")
    found = {rest, unquote(rest)}
    for text in (rest, unquote(rest)):
        found |= set(re.split(r"[/:@?&=#,;+\s]+", text)) | set(re.split(r"[/@?&]+", text))
    return {
        piece
        for piece in found | {address}
        if len(piece) >= PIECE_CHARS_MIN and piece != scheme and not HOST.fullmatch(piece)
    }


def blotted(words: str, address: str) -> str:
    """Give words in one line without any part of the address that may be secret."""
    for piece in sorted(pieces(address), key=len, reverse=True):
        words = words.replace(piece, BLOT)
    return " ".join(words.split())[:REASON_CHARS_MAX]


def refused(address: str) -> str:
    """Say why nothing is sent to this address, "" where it may: a machine's own metadata is nobody's telephone."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return "the credential holds no address"
    if host in METADATA or any(ip.is_link_local for ip in numbers(host)):
        return "an address of the link itself is refused: that is where a cloud keeps its machine's secrets"
    return ""


def numbers(host: str) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Give the number that a host is, however it is spelled; none for a name. Nobody is asked."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        try:
            ip = ipaddress.ip_address(socket.inet_aton(host))  # 0xa9.16689662 is an address too
        except (OSError, ValueError):
            return
    yield getattr(ip, "ipv4_mapped", None) or ip


class Heard(logging.Handler):
    """Keeps the last warning of apprise: it says by return value only that something went wrong."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.words = record.getMessage()


def tell(order: dict[str, Any]) -> str:
    """Send a message by apprise; give what went wrong, or ""."""
    try:
        import apprise  # noqa: PLC0415 - an extra, and the reason why this is a process of its own
    except ImportError:
        return "apprise is not installed: install joed with its extra `alerts`"
    heard = Heard()
    logger = logging.getLogger("apprise")
    logger.handlers, logger.propagate = [heard], False
    asset = apprise.AppriseAsset(app_id="joed", app_desc="joed", app_url="", async_mode=False, storage_mode="memory")
    asset.http_redirects = asset.pem_autogen = asset.pgp_autogen = False
    service = apprise.Apprise.instantiate(order["address"], asset=asset, suppress_exceptions=True)
    if service is None:
        return "the credential holds no address that apprise knows"
    box = apprise.Apprise(asset=asset)
    box.add(service)
    sent = box.notify(order["words"], order["title"], KINDS[order["severity"]], body_format=apprise.NotifyFormat.TEXT)
    return "" if sent else heard.words or "the service did not take it"


def ask(order: dict[str, Any]) -> str:
    """Ask for an address (GET); give what went wrong, or "" where it answered well."""
    url = urlsplit(order["address"])
    host = url.hostname or ""
    loopback = host in LOCAL or any(ip.is_loopback for ip in numbers(host))
    if not host or not (url.scheme == "https" or (url.scheme == "http" and loopback)):
        return "the credential must hold an https address"
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, url.port, timeout=order["timeout_s"])
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    connection.request("GET", path, headers={"User-Agent": "joed"})
    status = connection.getresponse().status
    return "" if 200 <= status < 300 else f"HTTP {status}"


DOES: dict[str, Callable[[dict[str, Any]], str]] = {"tell": tell, "ask": ask}


def outcome(order: dict[str, Any]) -> str:
    """Do what is ordered; give what went wrong in words that can be shown, "" where it went well."""
    address = str(order["address"])
    try:
        why = refused(address) or DOES[order["do"]](order)
    except (OSError, http.client.HTTPException, ssl.SSLError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
    except Exception as error:  # noqa: BLE001 - a service's own fault; its words may hold anything
        why = f"the service failed with {type(error).__name__}"
    return blotted(why, address)


def main() -> int:
    """Read one order from standard input, and carry it out: 0, or 1 with the reason on standard error."""
    hide_memory()  # what comes now is a secret
    order = json.load(sys.stdin.buffer)
    complaints = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # whatever a library prints has seen no blotting
    why = outcome(order)
    os.write(complaints, why.encode())
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
