"""Outside sources that help, lie, babble, drip and hang, each over a real socket: the last good reading, then none."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from joed.daemon.clock import SimulatedClock
from joed.daemon.job_context import JobContext
from joed.daemon.log import Log
from joed.daemon.outside import ANSWER_BYTES_MAX, LYING, Outside, fetched, keep, kept, number_at, place_of
from joed.model.commands import RunJob
from joed.model.thinking import SOURCES, Crypto, Source
from joed.model.values import SECOND

DAY_NS = 86_400 * SECOND


@asynccontextmanager
async def serving(answer):
    """Serve on loopback what `answer(request)` gives; give the source that asks there."""
    app = web.Application()
    app.router.add_get("/fng", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Source(f"http://127.0.0.1:{runner.addresses[0][1]}/fng", "data.0.value", 0.0, 100.0)
    finally:
        await runner.cleanup()


def saying(value):
    """Give an endpoint in the shape of the fear and greed index."""

    async def answer(_request):
        return web.json_response({"name": "Fear and Greed Index", "data": [{"value": value}]})

    return answer


async def html(_request):
    """Answer a page."""
    return web.Response(text="<html>maintenance</html>", content_type="text/html")


async def flood(_request):
    """Answer ten megabytes."""
    return web.Response(body=b"[" + b"1," * 5_000_000 + b"1]")


async def away(_request):
    """Send us elsewhere."""
    return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})


async def test_a_number_in_words_or_not_is_read_at_its_path():
    """The index comes as text."""
    for value in ("40", 40):
        async with serving(saying(value)) as source:
            assert await fetched(source, 5.0) == 40.0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (html, "Expecting value"),
        (flood, f"more than {ANSWER_BYTES_MAX} bytes"),
        (away, "status 302"),
        (saying("101"), "101 is not between 0 and 100"),
        (saying("-1"), "-1 is not between 0 and 100"),
        (saying("NaN"), "nan is not between 0 and 100"),
        (saying("greed"), "no number at data.0.value"),
        (saying(None), "no number at data.0.value"),
    ],
)
async def test_what_lies_gives_no_reading(answer, words):
    """A page, ten megabytes, another place, values out of range or none."""
    async with serving(answer) as source:
        with pytest.raises(LYING, match=words):
            await fetched(source, 5.0)


async def test_what_hangs_costs_its_time_and_no_more():
    """Ten seconds as shipped, a fifth of one here."""

    async def hang(_request):
        await asyncio.Event().wait()

    async with serving(hang) as source:
        with pytest.raises(TimeoutError):
            await fetched(source, 0.2)


@pytest.mark.parametrize("body", [[], {}, {"data": {}}, {"data": [1]}, None, "text"])
def test_another_shape_is_no_number(body):
    """Whatever a source sends tomorrow."""
    with pytest.raises(ValueError, match=r"nothing at data\.0\.value|no number"):
        number_at(body, Source("", "data.0.value"))


class Behind:
    """The worker behind: remembers what it was given."""

    def __init__(self):
        self.contexts, self.moments = [], []
        self.bars = lambda bars: None

    def run(self, command, context, done):
        """Take a run."""
        self.contexts.append((command.job, context.outside))
        self.moments.append(context.outside_ns)


def outside(tmp_path, source, clock, behind):
    """Stand before a worker, with one source."""
    rules = Crypto(sources={"fear_greed_index": source}, timeout_s=5.0, stale_s=2 * 86_400.0)
    return Outside(behind, rules, clock, tmp_path / "outside.json", Log("text", lambda: 0))


async def test_the_last_good_reading_is_given_until_it_is_too_old(tmp_path):
    """It was 40, then the source lies: still 40 for two days, also after a restart, and then nothing is said."""
    clock, behind = SimulatedClock(100 * DAY_NS), Behind()
    async with serving(saying("40")) as source:
        first = outside(tmp_path, source, clock, behind)
        await first.ask()
    async with serving(html) as source:
        second = outside(tmp_path, source, clock, behind)
        await second.ask()
        told = [second.young()]
        clock.call_at(102 * DAY_NS, lambda: None)
        clock.advance()
        told.append(second.young())
        clock.call_at(102 * DAY_NS + 1, lambda: None)
        clock.advance()
        told.append(second.young())

    assert told == [{"fear_greed_index": 40.0}, {"fear_greed_index": 40.0}, {}]


async def test_only_the_crypto_job_is_told(tmp_path):
    """Others think without it; everything else goes on to the worker behind."""
    clock, behind = SimulatedClock(DAY_NS), Behind()
    async with serving(saying("12")) as source:
        found = outside(tmp_path, source, clock, behind)
        await found.ask()
    for job in ("crypto", "scan"):
        found.run(RunJob(job, 1, 0), JobContext(now_ns=1), print)

    assert behind.contexts == [("crypto", {"fear_greed_index": 12.0}), ("scan", {})]
    assert found.contexts is behind.contexts


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": [1]}'])
def test_a_cache_that_makes_no_sense_is_empty(tmp_path, text):
    """A cache is never the source of truth."""
    (tmp_path / "c").write_text(text)

    assert kept(tmp_path / "c") == {}
    keep(tmp_path / "nowhere" / "c", {"a": (1, 2.0)})


def test_a_source_without_an_address_is_the_built_in_one():
    """A person's own is asked where it is told."""
    own = Source("https://example.org", "x")

    assert place_of("mvrv_ratio", Source()) is SOURCES["mvrv_ratio"]
    assert place_of("mvrv_ratio", own) is own


async def test_the_moment_of_a_sources_word_goes_with_its_number(tmp_path):
    """So that the gate counts its age from there, whenever the job ran."""
    clock, behind = SimulatedClock(100 * DAY_NS), Behind()
    async with serving(saying("40")) as source:
        asked = outside(tmp_path, source, clock, behind)
        await asked.ask()
    clock.call_at(101 * DAY_NS, lambda: None)
    clock.advance()
    asked.run(RunJob("crypto", 1, 0, {}, ()), JobContext(101 * DAY_NS), print)

    assert behind.contexts == [("crypto", {"fear_greed_index": 40.0})]
    assert behind.moments == [{"fear_greed_index": 100 * DAY_NS}]


@pytest.mark.parametrize(
    ("name", "body", "value"),
    [
        ("fear_greed_index", {"data": [{"value": "47", "value_classification": "Neutral"}]}, 47.0),
        ("mvrv_ratio", {"data": [{"asset": "btc", "time": "2026-11-26T00:00:00Z", "CapMVRVCur": "1.93"}]}, 1.93),
        ("funding_rate", {"code": "0", "data": [{"fundingRate": "0.0001", "instId": "BTC-USDT-SWAP"}]}, 0.0001),
    ],
)
def test_each_built_in_source_is_read_in_its_own_shape(name, body, value):
    """As each documents its answer: a list of rows under `data`, the number in words."""
    assert number_at(body, SOURCES[name]) == value
