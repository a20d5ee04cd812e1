"""joed.config: what the files may say, what they may not, and how a person is told."""

import dataclasses
import re
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from joed import config
from joed.analysis.crypto import READINGS
from joed.config import digest, load, load_directory
from joed.contradictions import GATED
from joed.errors import ConfigError
from joed.market.listings import INDEX, LISTINGS, VIX
from joed.model.anchors import parsed
from joed.model.settings import Instrument, Risk, Settings
from joed.model.values import Mode
from tests.faults.measure import Attack

SHIPPED = Path(__file__).resolve().parent.parent / "etc" / "joed"


@pytest.fixture(params=["C", "Python"], autouse=True)
def parser(request, monkeypatch):
    """Hold every law with both of PyYAML's parsers: a machine may have only the slow one."""
    if request.param == "Python":
        monkeypatch.setattr(config, "LOADER", yaml.BaseLoader)
    else:
        assert config.LOADER is yaml.CBaseLoader
    return request.param


@pytest.fixture
def written(tmp_path):
    """Give a function that writes joed.yaml, and other files by name, and gives the path of the first."""

    def write(text="", **beside):
        (tmp_path / "joed.yaml").write_text(text)
        for name, content in beside.items():
            (tmp_path / f"{name}.yaml").write_text(content)
        return tmp_path / "joed.yaml"

    return write


def refusal(path):
    """Give the problems, without the directory of the test."""
    with pytest.raises(ConfigError) as raised:
        load(path)
    return str(raised.value).replace(f"{path.parent}/", "").splitlines()


def leaves(settings, prefix=()):
    """Give every key of the settings with its value."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            yield from leaves(value, (*prefix, field.name))
        else:
            yield (*prefix, field.name), value


def test_an_empty_file_means_the_defaults(written):
    """What no file says, the definition says; a section whose keys are all comments says nothing."""
    assert load(written("")) == Settings()
    assert load(written("# nothing\n")) == Settings()
    assert load(written("risk:\n  # per_trade: 1\neod: {}\nstrategies:\n  breakout:\nuniverse:\n")) == Settings()
    assert load(None) == Settings()


def test_the_shipped_files_are_the_defaults_and_load_clean():
    """Shipped settings change nothing: a person can delete them all and trade the same."""
    settings = load_directory(SHIPPED)

    assert dataclasses.replace(settings, universe={}) == Settings()


def test_every_key_stands_in_the_shipped_files_with_its_default_and_a_comment():
    """The files are the reference that a person edits: no key is missing, none is without its meaning and default."""
    lines = {name: (SHIPPED / name).read_text().splitlines() for name in ("joed.yaml", *config.BESIDE.values())}
    places = config._read_all(SHIPPED / "joed.yaml").places

    for keys, value in leaves(Settings()):
        if keys == ("universe",):
            continue
        place = places[keys]
        rows = lines[Path(place.file).name][: place.line - 1]
        comment = []
        while rows and rows[-1].lstrip().startswith("#"):
            comment.insert(0, rows.pop().lstrip("# "))
        said = " ".join(comment)
        assert re.search(r"[Dd]efault: ", said), f"{keys} has no default in its comment"
        shown = said.rpartition("efault: ")[2].removesuffix(".").split(",")[0].lstrip("[").rstrip("]")
        if isinstance(value, bool):
            assert shown == str(value).lower(), keys
        elif isinstance(value, int | float | Decimal):
            assert Decimal(shown) == Decimal(str(value)), keys
        else:
            words = (
                "none"
                if value == {}
                else {"": "empty", (): "none"}.get(value) or (value[0] if isinstance(value, tuple) else value)
            )
            assert shown == words, keys


def test_every_key_of_an_instrument_is_explained_in_the_universe_with_its_default():
    """The table at the head of universe.yaml is whole and true."""
    text = (SHIPPED / "universe.yaml").read_text()
    rows = dict(re.findall(r"^# (\w+) .*?  +(\S+)$", text, re.MULTILINE))
    expected = {
        field.name: str(field.default).lower() if field.type is bool else str(field.default) or "(empty)"
        for field in dataclasses.fields(Instrument)
        if field.name != "symbol"
    }

    assert {key: word for key, word in rows.items() if key != "key"} == expected


def test_the_shipped_universe_is_the_embedded_markets():
    """A paper day runs with the files as they are."""
    universe = load_directory(SHIPPED).universe

    assert set(universe) == {row.symbol for row in LISTINGS} | {INDEX, VIX}
    assert {row.symbol: universe[row.symbol].sector for row in LISTINGS} == {row.symbol: row.sector for row in LISTINGS}
    assert [symbol for symbol, row in universe.items() if not row.tradable] == [INDEX, VIX]


def test_every_kind_of_value_becomes_what_its_key_says(written):
    """Text becomes Decimal without a float between, whole numbers, lists, choices and switches."""
    settings = load(
        written(
            "mode: live\naccount: 00123\nbrokers: [ibkr]\nfill_timeout_s: 12.5\ncancel_tries: 7\n"
            "risk: {per_trade: 0.1, notional_max: 1_000.10}\neod:\n  close_positions: true\n"
            "session: {day_rollover: 17:30}\n"
        )
    )

    assert settings.mode is Mode.LIVE
    assert settings.account == "00123"
    assert settings.brokers == ("ibkr",)
    assert settings.fill_timeout_s == 12.5
    assert settings.cancel_tries == 7
    assert (settings.risk.per_trade, settings.risk.notional_max) == (Decimal("0.1"), Decimal("1000.10"))
    assert settings.eod.close_positions is True
    assert settings.session.day_rollover == "17:30"


@pytest.mark.parametrize("symbol", ["ON", "NO", "Y", "TRUE", "1", "1e5", "BRK.B", "EUR/USD", "^VIX", "0700"])
def test_a_ticker_that_yaml_takes_for_something_else_stays_a_ticker(written, symbol):
    """`ON` is a semiconductor maker, not a switch."""
    settings = load(written(f"index: {symbol}\nvix:\n  instrument:\n    {symbol!r}\n", universe=f"{symbol}:\n"))

    assert settings.index == symbol
    assert settings.universe == {symbol: Instrument(symbol)}


def test_sections_may_stand_in_files_of_their_own_or_in_the_first(written, tmp_path):
    """Both ways mean the same, and one section in two files is refused: one of them would silently not count."""
    inside = written("strategies:\n  breakout: {stop_atr: 3}\nalerts: {timeout_s: 5}\nuniverse:\n  SPY:\n  VIX:\n")
    one = load(inside)
    two = load(written("", strategies="breakout: {stop_atr: 3}\n", alerts="timeout_s: 5\n", universe="SPY:\nVIX:\n"))

    assert one == two
    assert one.strategies.breakout.stop_atr == 3
    written("mode: paper\nalerts:\n  timeout_s: 7\n")
    assert refusal(inside) == [
        f"alerts stands here and in {tmp_path}/alerts.yaml: keep one (joed.yaml:2)".replace(f"{tmp_path}/", "")
    ]


BAD = {
    "fill_timeout_s: -3": "fill_timeout_s must be greater than 0, was -3 (joed.yaml:1)",
    "fil_timeout_s: 3": "fil_timeout_s is no key, did you mean 'fill_timeout_s'? (joed.yaml:1)",
    "FILL_TIMEOUT_S: 3": "FILL_TIMEOUT_S is no key, did you mean 'fill_timeout_s'? (joed.yaml:1)",
    "risk:\n  loss_day: 3": "risk.loss_day is no key, did you mean 'loss_day_max'? (joed.yaml:2)",
    "ramp:\n  zzz: 3": "ramp.zzz is no key; known are sessions, first (joed.yaml:2)",
    "mode: PAPER": "mode must be 'paper' or 'live', was PAPER (joed.yaml:1)",
    "fill_timeout_s: soon": "fill_timeout_s must be a number, was soon (joed.yaml:1)",
    "fill_timeout_s:": "fill_timeout_s must be a number, was nothing (joed.yaml:1)",
    "fill_timeout_s: [1]": "fill_timeout_s must be a number, was a list (joed.yaml:1)",
    "cancel_tries: 1.5": "cancel_tries must be a whole number, was 1.5 (joed.yaml:1)",
    "cancel_tries: 0": "cancel_tries must be greater than 0, was 0 (joed.yaml:1)",
    "risk: {per_trade: 1.01}": "risk.per_trade must be at most 1, was 1.01 (joed.yaml:1)",
    "risk: {per_trade: half}": "risk.per_trade must be a number, was half (joed.yaml:1)",
    "eod: {at_s: 14400}": "eod.at_s must be less than 14400, was 14400 (joed.yaml:1)",
    "daemon: {metrics_port: -1}": "daemon.metrics_port must be at least 0, was -1 (joed.yaml:1)",
    "eod: {close_positions: maybe}": "eod.close_positions must be true or false, was maybe (joed.yaml:1)",
    "account: [a]": "account must be text, was a list (joed.yaml:1)",
    "account:": "account must be text, was nothing (joed.yaml:1)",
    "brokers: paper": "brokers must be a list, was paper (joed.yaml:1)",
    "brokers: []": "brokers names none; known are paper, ibkr, capital (joed.yaml:1)",
    "account: U1\nbrokers:\n- ibkr\n- papr": "brokers.1 is no broker: papr, did you mean 'paper'? (joed.yaml:4)",
    "brokers: [paper, paper]": "brokers names one twice (joed.yaml:1)",
    "risk: 5": "risk must be a section of keys and values, was 5 (joed.yaml:1)",
    "universe: [A]": "universe must be a mapping of keys to values, was a list (joed.yaml:1)",
    "universe:\n  SPY:\n  VIX:\n  A: 5": "universe.A must be a section of keys and values, was 5 (joed.yaml:4)",
    "universe:\n  SPY:\n  VIX: {tick: 0}": "universe.VIX.tick must be greater than 0, was 0 (joed.yaml:3)",
    "universe:\n  SPY:\n  VIX: {symbol: VIX}": "universe.VIX.symbol is the key above: leave it out (joed.yaml:3)",
    "universe:\n  VIX:\n  SPY: {broker: zzz}": (
        "universe.SPY.broker is no broker: zzz; known are paper, ibkr, capital (joed.yaml:3)"
    ),
    "universe:\n  A B:\n  SPY:\n  VIX:": (
        "universe.A B is no symbol: letters, digits and ._/^- only, at most 32 (joed.yaml:2)"
    ),
    "universe:\n  SPY:": (
        "vix.instrument must stand in the universe, was VIX: entries would never stop for fear (joed.yaml:1)"
    ),
    "universe:\n  VIX:": "index must stand in the universe, was SPY (joed.yaml:1)",
    "session: {day_rollover: 24:00}": "session.day_rollover must be a time as HH:MM, was 24:00 (joed.yaml:1)",
    "base_currency: usd": "base_currency must be a code such as USD, was usd (joed.yaml:1)",
    "risk:\n  gross_max: 9": "risk.notional_max is above risk.gross_max, was 25000 (joed.yaml:1)",
    "protection:\n  alert_s: 20": "protection.flatten_s is below alert_s, was 15.0 (joed.yaml:1)",
    "eod: {close_positions: yes, at_s: 3600}": (
        "eod.entries_until_s must be at least eod.at_s, was 1800.0: positions would be opened after all are closed"
        " (joed.yaml:1)"
    ),
    "eod: {limit_s: 241}": (
        "eod.limit_s must leave two fill_timeout_s of eod.at_s, was 241.0: a limit that does not fill is closed at "
        "market in them (joed.yaml:1)"
    ),
    "mode: paper\nmode: live": "mode stands twice, first in line 1 (joed.yaml:2)",
    "risk:\n  collar: 0.1\n  collar: 0.1": "risk.collar stands twice, first in line 2 (joed.yaml:3)",
    "calendars: {}": "calendars is no key, did you mean 'calendar'? (joed.yaml:1)",
}


@pytest.mark.parametrize("text", BAD)
def test_each_mistake_is_told_with_its_key_value_file_and_line(written, text):
    """A person mends it without a manual."""
    assert refusal(written(text)) == [BAD[text]]


@pytest.mark.parametrize(
    "number", ["nan", "NaN", ".nan", "inf", ".inf", "-.inf", "+.INF", "infinity", "1e999", "'inf'"]
)
@pytest.mark.parametrize("key", ["fill_timeout_s", "risk: {loss_day_max"])
def test_no_number_is_without_an_end(written, key, number):
    """An infinite timeout is none, and nothing compares with NaN."""
    text = f"{key}: {number}{'}' * key.count('{')}"
    name = "risk.loss_day_max" if "{" in key else key

    assert refusal(written(text)) == [f"{name} must be a finite number, was {number.strip(chr(39))} (joed.yaml:1)"]


def test_all_problems_are_told_at_once_in_the_order_of_the_files(written):
    """One start, one list: nobody mends a file eleven times."""
    path = written("mode: fake\nnonsense: 1\ncancel_tries: 0\n", universe="A: {tick: -1}\n", alerts="timeout_s: x\n")

    assert [line.partition(" ")[0] for line in refusal(path)] == [
        "alerts.timeout_s",
        "mode",
        "nonsense",
        "cancel_tries",
        "universe.A.tick",
    ]


def test_a_long_list_of_problems_ends_with_their_count(written):
    """A thousand wrong rows fill no screen."""
    lines = refusal(written(universe="".join(f"S{at}: {{tick: -1}}\n" for at in range(60))))

    assert len(lines) == config.PROBLEMS_MAX + 1
    assert lines[-1] == "and 10 more"


REFUSED = {
    "a: &x 1\nb: *x": "anchors and aliases are not read: write the value out (joed.yaml:1)",
    "a: *x": "anchors and aliases are not read: write the value out (joed.yaml:1)",
    "&x a: 1": "anchors and aliases are not read: write the value out (joed.yaml:1)",
    "risk: !!python/object/apply:os.system [ls]": (
        "the tag tag:yaml.org,2002:python/object/apply:os.system is not read: a value is what its key says"
        " (joed.yaml:1)"
    ),
    "cancel_tries: !!int '5'": (
        "the tag tag:yaml.org,2002:int is not read: a value is what its key says (joed.yaml:1)"
    ),
    "? [a]\n: 1": "a key must be text (joed.yaml:1)",
    "- a": "the file must be a mapping of keys to values (joed.yaml:1)",
    "words": "the file must be a mapping of keys to values (joed.yaml:1)",
    "mode: paper\n---\nmode: live": "a second document begins: one file, one document (joed.yaml:2)",
    "a: " + "[" * 50: "more than 8 levels or 100000 values (joed.yaml:1)",
    "a: " + "[" * 500_000: "more than 8 levels or 100000 values (joed.yaml:1)",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_cleverness_of_yaml_is_refused_with_its_line(written, text):
    """Settings are keys and values: what could run code, repeat or hide a value has no place in them."""
    attack = Attack("S38")
    said = refusal(written(text))
    attack.refused()
    load(written("mode: paper\n"))
    attack.answered()
    assert said == [REFUSED[text]]


@pytest.mark.parametrize("key", ["web_address", "web_host", "metrics_address", "metrics_host", "expose", "bind"])
def test_no_key_opens_a_port_to_other_machines(written, key):
    """The page and the metrics are this machine's alone, by no setting anybody else's (S25)."""
    (line,) = refusal(written(f"daemon:\n  {key}: 0.0.0.0\n"))

    assert line.startswith(f"daemon.{key} is no key")


def test_a_merge_key_is_a_key_like_any_other(written):
    """`<<` pulls nothing in."""
    assert refusal(written("<<: {mode: live}"))[0].startswith("<< is no key")


@pytest.mark.parametrize("text", ["mode: [", "mode: 'paper", "mode: paper: live", "\tmode: paper", "a: b\n c: d", "%"])
def test_what_is_no_yaml_is_refused_with_its_line(written, text):
    """The parser's words, and where it stopped."""
    (line,) = refusal(written(text))

    assert re.fullmatch(r"not YAML: .+ \(joed\.yaml:[12]\)", line)


def test_bytes_that_are_no_text_are_refused(written):
    """Neither another encoding nor a control character passes."""
    path = written()

    path.write_bytes(b"account: \xe9\n")
    assert refusal(path) == ["not UTF-8 at byte 9 (joed.yaml)"]
    path.write_bytes(b"account: \x07\n")
    assert refusal(path)[0].startswith("not YAML: ")
    path.write_bytes(b"\xef\xbb\xbfaccount: \xc3\xa9\n")
    assert load(path).account == "é"


def test_a_file_that_is_absent_a_directory_or_too_long_is_refused(written, tmp_path):
    """The path that was named must be there; a file beside it may be absent; a pipe would keep the start waiting."""
    assert refusal(tmp_path / "other.yaml") == ["the settings cannot be read: No such file or directory (other.yaml)"]
    assert refusal(tmp_path)[0].startswith("the settings cannot be read: not a file")
    path = written("#" * (config.FILE_BYTES_MAX + 1))
    assert refusal(path) == [f"a settings file has at most {config.FILE_BYTES_MAX} bytes (joed.yaml)"]
    assert load(written("#" * config.FILE_BYTES_MAX)) == Settings()


def test_a_file_of_a_mebibyte_costs_no_more_than_its_length_allows(written, parser):
    """Many values are refused as they are counted; the tree in memory stays small."""
    if parser == "Python":
        return  # the same code over slower events
    path = written("universe:\n" + "".join(f" A{at}:\n" for at in range(90_000)))

    tracemalloc.start()
    lines = refusal(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert lines == ["more than 8 levels or 100000 values (joed.yaml:50000)"]
    assert peak < 100 << 20


def test_the_digest_is_of_the_settings_and_not_of_their_spelling(written):
    """A comment changes nothing; a limit does."""
    plain = digest(load(written("risk: {position_max: 5}\nmode: paper\n")))
    spelt = digest(load(written("# the same\nmode: 'paper'\nrisk:\n    position_max: 5\n")))

    assert plain == spelt
    assert re.fullmatch(r"[0-9a-f]{64}", plain)
    assert digest(dataclasses.replace(Settings(), risk=Risk(position_max=6))) != plain
    assert digest(Settings(universe={"A": Instrument("A"), "B": Instrument("B")})) == digest(
        Settings(universe={"B": Instrument("B"), "A": Instrument("A")})
    )


@given(
    text=st.one_of(
        st.text(max_size=60), st.lists(st.sampled_from([*"ab:-[]{}&*!|>'\"#, \n"]), max_size=40).map("".join)
    )
)
def test_any_text_loads_or_is_refused_in_words(tmp_path_factory, text):
    """No file makes joed raise anything but its own refusal."""
    path = tmp_path_factory.mktemp("any") / "joed.yaml"
    path.write_text(text, errors="replace")

    try:
        said = load(path)
    except ConfigError as error:
        said = error

    assert isinstance(said, Settings) or str(path) in str(said)


@given(st.decimals(min_value="0.0001", max_value="1", places=4))
def test_every_share_reads_back_as_it_was_written(tmp_path_factory, share):
    """Money and shares never pass through a float."""
    path = tmp_path_factory.mktemp("share") / "joed.yaml"
    path.write_text(f"risk: {{per_trade: {share}}}\n")

    assert load(path).risk.per_trade == share


def test_dates_come_from_the_settings_and_from_a_file_beside_them(written, tmp_path):
    """Both are kept, in their order; a comment and an empty line say nothing."""
    (tmp_path / "dates.csv").write_text("# from a vendor\n\nAAPL,2026-12-01,ex-dividend\nKO,2026-12-02,\n")
    path = written("scan: {dates_file: dates.csv}\ndates: {AAPL: [2026-11-30 earnings]}\n")

    assert load(path).dates == {"AAPL": ("2026-11-30 earnings", "2026-12-01 ex-dividend"), "KO": ("2026-12-02",)}


@pytest.mark.parametrize("row", ["AAPL", "AAPL,tomorrow,earnings", "AAPL,2026-13-01,x", "A PL,2026-11-30,x"])
def test_a_row_of_dates_that_is_none_is_refused_with_its_line(written, tmp_path, row):
    """A wrong date would let a name through on its worst day."""
    (tmp_path / "dates.csv").write_text(f"KO,2026-11-30,earnings\n{row}\n")

    (said,) = refusal(written("scan: {dates_file: dates.csv}"))
    assert "must be SYMBOL,YYYY-MM-DD,WORDS" in said
    assert said.endswith("dates.csv:2)")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scan: {price_min: 10, price_max: 10}", "scan.price_min is not below scan.price_max, was 10.0"),
        ("scan: {atr_min: 0.5, atr_max: 0.4}", "scan.atr_min is not below scan.atr_max, was 0.5"),
        ("dates: {AAPL: [soon]}", "dates must each begin with a date"),
    ],
)
def test_filters_that_nothing_passes_are_refused(written, text, words):
    """A scan that keeps nothing would look like a quiet day."""
    (said,) = refusal(written(text))

    assert said.startswith(words)


@pytest.mark.parametrize("row", ["tea: open", "scan: noon", "scan: every 0m while open", "scan: 'open-45m,'"])
def test_a_jobs_time_that_says_nothing_is_refused(written, row):
    """An unknown job, or no time: a job that never ran would look like a quiet day."""
    (said,) = refusal(written(f"jobs: {{times: {{{row}}}}}"))

    assert said.startswith("jobs.times must be rows as {scan: every 15m while open} for regime, scan")


def test_every_row_that_the_settings_take_the_engine_reads(written):
    """Two grammars, one meaning."""
    row = "open-45m, every 1h while open, every 30s from open-1m to close+2m, close+10m"

    assert len(parsed(load(written(f"jobs: {{times: {{scan: '{row}'}}}}")).jobs.times["scan"])) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("jobs: {times: {summary: close+10m}}", "jobs.times has the summary when the session has ended"),
        ("jobs: {times: {summary: every 1h while open}}", ""),
        ("session: {after_close_s: 900}\njobs: {times: {summary: close+10m}}", ""),
        ("jobs: {deadlines: {tea: 5}}", "jobs.deadlines must be seconds as {scan: 20} for regime, scan"),
        ("jobs: {deadlines: {scan: 0}}", "jobs.deadlines.scan must be greater than 0"),
    ],
)
def test_a_job_that_nobody_would_run_is_refused(written, text, words):
    """A summary beyond the day's end, a deadline of no job, none at all."""
    path = written(text)

    assert not load(path).jobs.deadlines if not words else refusal(path)[0].startswith(words)


ADDRESSES = {
    "phone: tgram://CANARY7/1": "alerts.channels.phone",
    "phone: {credential: 'tgram://CANARY7/1'}": "alerts.channels.phone.credential",
    "phone: {url: 'mailtos://me:CANARY7@host', credential: a}": "alerts.channels.phone.url",
    "json://CANARY7/x: {credential: a}": "alerts.channels",
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_in_the_file_is_refused_with_the_next_step_and_never_shown(written, text):
    """It holds a secret: what is told is where it stands, and the file that it belongs into."""
    path = written("symbol: [", alerts=f"repeat_s: nonsense\nchannels:\n  {text}\n")
    path.write_text("mode: nonsense\n")

    (line,) = refusal(path)

    assert line.startswith(f"{ADDRESSES[text]} holds an address, and addresses hold secrets: put it into /etc/joed/")
    assert line.endswith(f"(alerts.yaml:{3 if text[0] == 'p' else 2})")
    assert "CANARY" not in line


def test_channels_are_read_as_they_are_written(written):
    """A name of one's own, a credential's name, a severity, a stretch of the day."""
    path = written(alerts="channels:\n  phone: {credential: alert-phone, at_least: critical, quiet: 22:00-07:00 UTC}\n")

    channel = load(path).alerts.channels["phone"]

    assert (channel.credential, channel.at_least, channel.quiet) == ("alert-phone", "critical", "22:00-07:00 UTC")
    assert refusal(written(alerts="channels:\n  phone: {credential: 'a:b'}\n"))[0].startswith(
        "alerts.channels.phone.credential must name a credential"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{sources: {fear_greed_index: {}}, gate: {fear_greed_index: {low: 25}}}", ""),
        ("{gate: {bitcoin_return_30d: {low: -0.2}}}", ""),
        ("{sources: {rumour: {}}}", "crypto.sources must be of fear_greed_index, mvrv_ratio, funding_rate"),
        ("{sources: {mvrv_ratio: {url: 'http://x.org'}}}", "crypto.sources must be of"),
        ("{sources: {mvrv_ratio: {url: 'https://x.org'}}}", "crypto.sources must be of"),
        ("{sources: {mvrv_ratio: {low: 1}}}", "crypto.sources must be of"),
        ("{gate: {rumour: {low: 1}}}", "crypto.gate must be of fear_greed_index"),
        ("{gate: {bitcoin_return_30d: {low: 1, high: 1}}}", "crypto.gate must be of"),
        ("{gate: {mvrv_ratio: {high: 3}}}", "crypto.gate names a reading that no source"),
    ],
)
def test_a_gate_stands_on_readings_that_somebody_is_asked_for(written, text, words):
    """Else nothing would ever be opened, and nobody would know why."""
    path = written(f"crypto: {text}")

    assert load(path).crypto.stale_s == 172_800.0 if not words else refusal(path)[0].startswith(words)


def test_the_gate_knows_the_readings_that_there_are():
    """What the worker reads and what the settings may name are one list."""
    assert set(GATED) == set(READINGS)
