"""The embedded market as a day that anybody can trade: which session, and with which settings."""

from dataclasses import replace

from joed.engine import sessions
from joed.market.embedded import EmbeddedMarket
from joed.model.calendars import Calendar
from joed.model.settings import EndOfDay, Settings
from joed.model.values import Mode

DEMO_DATE_NS = 1_788_264_000_000_000_000
"""2026-09-01 12:00 UTC: the demo's day is the first session after it, the same for everybody."""
PAPER_SEED = 20_260_901
"""Keeps the paper exchange's chance apart from the market's."""


def demo_settings(settings: Settings, market: EmbeddedMarket) -> Settings:
    """Give the settings of a demo: the embedded market's universe, and a day that ends flat."""
    eod = replace(settings.eod, close_positions=True) if settings.eod == EndOfDay() else settings.eod
    session = replace(settings.session, lead_s=600.0, after_close_s=120.0)
    return replace(settings, mode=Mode.PAPER, universe=market.universe(), eod=eod, session=session)


def market_at(seed: int, calendar: Calendar, at_ns: int = DEMO_DATE_NS) -> EmbeddedMarket:
    """Make the embedded market of the first session at or after a time."""
    session = sessions.session_at(calendar, at_ns)
    return EmbeddedMarket.for_session(seed, session.date.isoformat(), session.open_ns, session.close_ns)
