"""What no single bound of a setting can see: rules between settings, each with the key to blame and the words."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from joed.model.anchors import next_due, parsed
from joed.model.settings import Settings
from joed.model.thinking import SOURCES, Source
from joed.model.values import HOUR, SECOND, Host, Mode

BROKERS = ("paper", "ibkr", "capital")
CURRENCY = re.compile(r"[A-Z]{3,5}")
DATE = re.compile(r"[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9._/^-]{0,31}")
TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
LOOPBACK = re.compile(r"(http|ws)://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]{1,5})?(/[A-Za-z0-9/_.-]*)?")
WINDOW = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9] [A-Za-z_+/0-9-]{1,40}")
GATED = (*SOURCES, "bitcoin_return_30d", "bitcoin_volatility_30d")
"""The readings of the crypto market (joed/analysis/crypto.py): those from outside, and what Bitcoin's days say."""
JOBS = ("regime", "scan", "watchlist", "strategies", "analytics", "crypto", "summary")
REWRITERS = ("none", "openai", "anthropic")
SECURE = re.compile(r"https://[^\s]+|http://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]{1,5})?(/[^\s]*)?$")
LIBRARIES = ("ib_insync", "ib_async")
BLIND_MAX_S = 60
"""How long a link to Interactive Brokers may be dead before joed knows, at most."""
REST_MARGIN_S = 30
"""How much longer an entry must live at Capital.com than joed waits before it cancels: a cancel takes its time."""


def _elsewhere(key: str, settings: Settings) -> bool:
    """Say whether an address of ours is another machine's: orders and keys go to Capital.com itself or stay here."""
    address = str(getattr(settings.capital, key))
    return bool(address) and not LOOPBACK.fullmatch(address)


def _stranger(symbol: str, settings: Settings) -> bool:
    return bool(symbol and settings.universe) and symbol not in settings.universe


def _no_window(key: str, settings: Settings) -> bool:
    """Say whether one of these is no stretch of the day in a zone that there is."""
    windows: tuple[str, ...] = getattr(settings.ibkr, key)
    return not all(WINDOW.fullmatch(window) and _is_zone(window.partition(" ")[2]) for window in windows)


def _is_asked(source: Source) -> bool:
    """Say whether a source is ours, or a person's own that can be asked and read."""
    return bool(SECURE.match(source.url) and source.path) if source.url else source == Source()


def _is_row(row: str) -> bool:
    """Say whether a row of `jobs.times` says when."""
    try:
        return bool(parsed(row))
    except ValueError:
        return False


def _after(row: str, after_close_s: float) -> bool:
    """Say whether a row is first due so long after the close that nobody runs any more."""
    close_ns = 24 * HOUR
    due = next_due(row, 0, close_ns - HOUR, close_ns)
    return due == 0 or due >= close_ns + int(after_close_s * SECOND)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # the last: a directory of zones
        return False
    return True


CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,31}")
CREDENTIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
CHANNELS_MAX = 16
NAMES_A_FILE = (
    "must name a credential, as letters, digits, dots and dashes: put the address into"
    " /etc/joed/credentials/NAME (mode 0600) and write NAME here"
)
"""Never with the value: what stands in its place may be the secret itself."""


def addresses(value: object, keys: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give where addresses stand among what the section alerts says: they carry secrets, and belong into credentials.

    A program's own words (`alerts.command`) are left alone. Where the key itself is one, its section is given.
    """
    rows: Iterable[tuple[str, object]] = ()
    if isinstance(value, dict):
        rows = value.items()
    elif isinstance(value, list):
        rows = ((str(at), item) for at, item in enumerate(value))
    elif isinstance(value, str) and "://" in value:
        yield keys
    for key, inner in rows:
        if "://" in key:
            yield keys
        elif (*keys, key) != ("command",):
            yield from addresses(inner, (*keys, key))


def of_alerts(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give what does not go together in the ways that alerts take: the keys to blame, and the words."""
    alerts, at = settings.alerts, ("alerts", "channels")
    if len(alerts.channels) > CHANNELS_MAX:
        yield at, f"are at most {CHANNELS_MAX}, was {len(alerts.channels)}"
    if alerts.channels and all(row.after_s for row in alerts.channels.values()):
        yield at, "all have after_s: nobody would be told at once"
    if alerts.dead_man.credential and not CREDENTIAL.fullmatch(alerts.dead_man.credential):
        yield ("alerts", "dead_man", "credential"), NAMES_A_FILE
    for name, row in alerts.channels.items():
        if not CHANNEL.fullmatch(name) or name in {"command", "dead_man"}:
            words = "is no name for a channel: small letters, digits, _ and -, at most 32; not command, not dead_man"
            yield (*at, name), words
        if not CREDENTIAL.fullmatch(row.credential):
            yield (*at, name, "credential"), NAMES_A_FILE
        if row.quiet and not (WINDOW.fullmatch(row.quiet) and _is_zone(row.quiet.partition(" ")[2])):
            yield (*at, name, "quiet"), "must be a stretch of the day as 22:00-07:00 Europe/Berlin"


RULES: tuple[tuple[str, Callable[[Settings], bool], str], ...] = (
    (
        "session.day_rollover",
        lambda s: not TIME.fullmatch(s.session.day_rollover),
        "must be a time as HH:MM, was {was}",
    ),
    ("base_currency", lambda s: not CURRENCY.fullmatch(s.base_currency), "must be a code such as USD, was {was}"),
    ("brokers", lambda s: not s.brokers, f"names none; known are {', '.join(BROKERS)}"),
    ("brokers", lambda s: len(set(s.brokers)) < len(s.brokers), "names one twice"),
    ("risk.notional_max", lambda s: s.risk.notional_max > s.risk.gross_max, "is above risk.gross_max, was {was}"),
    ("risk.underlying_max", lambda s: s.risk.underlying_max < s.risk.notional_max, "is below notional_max, was {was}"),
    (
        "eod.entries_until_s",
        lambda s: s.eod.close_positions and s.eod.entries_until_s < s.eod.at_s,
        "must be at least eod.at_s, was {was}: positions would be opened after all are closed",
    ),
    (
        "eod.limit_s",
        lambda s: s.eod.limit_s > 0 and s.eod.limit_s + 2 * s.fill_timeout_s > s.eod.at_s,
        "must leave two fill_timeout_s of eod.at_s, was {was}: a limit that does not fill is closed at market in them",
    ),
    ("protection.flatten_s", lambda s: s.protection.flatten_s < s.protection.alert_s, "is below alert_s, was {was}"),
    (
        "capital.host",
        lambda s: "capital" in s.brokers and (s.capital.host is Host.LIVE) != (s.mode is Mode.LIVE),
        "must be live in mode live and demo in mode paper, was {was}",
    ),
    *(
        (f"capital.{key}", partial(_elsewhere, key), "must be an address on this machine, was {was}")
        for key in ("rest_url", "stream_url")
    ),
    (
        "capital.rest_s",
        lambda s: "capital" in s.brokers and s.capital.rest_s < s.fill_timeout_s + REST_MARGIN_S,
        "must leave fill_timeout_s and half a minute, was {was}: an entry would end before it is cancelled",
    ),
    (
        "capital.silence_s",
        lambda s: s.capital.silence_s < 2 * s.capital.ping_s,
        "is below two ping_s, was {was}: a healthy stream would be cut",
    ),
    (
        "account",
        lambda s: "ibkr" in s.brokers and not s.account,
        "must name the account to trade in: brokers has ibkr, whose logins often have several",
    ),
    (
        "ibkr.library",
        lambda s: s.ibkr.library not in LIBRARIES,
        f"must be one of {', '.join(LIBRARIES)}, was {{was}}",
    ),
    (
        "ibkr.beat_s",
        lambda s: s.ibkr.beat_s + s.ibkr.silence_s > BLIND_MAX_S,
        f"makes more than {BLIND_MAX_S} s with silence_s, was {{was}}: a dead link would be trusted too long",
    ),
    *(
        (f"ibkr.{key}", partial(_no_window, key), "must be stretches as HH:MM-HH:MM America/New_York, was {was}")
        for key in ("reset_windows", "no_submit_windows")
    ),
    (
        "crypto.sources",
        lambda s: not all(name in SOURCES and _is_asked(row) for name, row in s.crypto.sources.items()),
        f"must be of {', '.join(SOURCES)}, each empty or with an https address and a path, was {{was}}",
    ),
    (
        "crypto.gate",
        lambda s: not all(name in GATED and row.low < row.high for name, row in s.crypto.gate.items()),
        f"must be of {', '.join(GATED)}, each with low below high, was {{was}}",
    ),
    (
        "crypto.gate",
        lambda s: any(name in SOURCES and name not in s.crypto.sources for name in s.crypto.gate),
        "names a reading that no source of crypto.sources is asked for: nothing would ever be opened, was {was}",
    ),
    (
        "jobs.times",
        lambda s: bool(set(s.jobs.times) - set(JOBS)) or not all(map(_is_row, s.jobs.times.values())),
        f"must be rows as {{{{scan: every 15m while open}}}} for {', '.join(JOBS)}, was {{was}}",
    ),
    (
        "jobs.times",
        lambda s: _is_row(row := s.jobs.times.get("summary", "close")) and _after(row, s.session.after_close_s),
        "has the summary when the session has ended (session.after_close_s after the close), was {was}",
    ),
    (
        "jobs.deadlines",
        lambda s: bool(set(s.jobs.deadlines) - set(JOBS)),
        f"must be seconds as {{{{scan: 20}}}} for {', '.join(JOBS)}, was {{was}}",
    ),
    (
        "summary.rewrite",
        lambda s: s.summary.rewrite not in REWRITERS,
        f"must be one of {', '.join(REWRITERS)}, was {{was}}",
    ),
    (
        "summary.url",
        lambda s: s.summary.rewrite != "none" and not (s.summary.model and SECURE.match(s.summary.url)),
        "must be https, or an address on this machine, with summary.model beside it, was {was}",
    ),
    ("scan.price_min", lambda s: s.scan.price_min >= s.scan.price_max, "is not below scan.price_max, was {was}"),
    ("scan.atr_min", lambda s: s.scan.atr_min >= s.scan.atr_max, "is not below scan.atr_max, was {was}"),
    (
        "dates",
        lambda s: any(not DATE.match(row) for rows in s.dates.values() for row in rows),
        "must each begin with a date, as {{AAPL: [2026-11-30 earnings]}}, was {was}",
    ),
    ("index", lambda s: _stranger(s.index, s), "must stand in the universe, was {was}"),
    (
        "vix.instrument",
        lambda s: _stranger(s.vix.instrument, s),
        "must stand in the universe, was {was}: entries would never stop for fear",
    ),
)
"""What no single bound can see: the key to blame, what breaks it, and the words."""
