"""The walk forward: a small made-up market told whole, and the 501 real stocks where they are there."""

import csv
import datetime as dt
import json
from argparse import Namespace

import numpy as np
import pytest

from joed.data import read
from joed.errors import ConfigError
from joed.model.settings import Settings
from joed.walkforward import CHOSEN_ON, FOLLOWED, WAYS, arrays_of, as_page, as_text, forward, is_daily, run_forward

NOW = int(dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000_000


def written(path, days=760, names=12, step=1):
    """Write a market of random walks, one of them with a drift, in one file."""
    chance = np.random.default_rng(11)
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(("date", "symbol", "open", "high", "low", "close", "volume"))
        for number in range(names):
            closes = 50.0 * np.exp(np.cumsum(chance.normal(0.001 if number == 0 else 0.0002, 0.015, days)))
            opens = closes * np.exp(chance.normal(0.0, 0.004, days))
            for day in range(days):
                date = dt.date(2020, 1, 1) + dt.timedelta(days=day * step)
                high, low = max(opens[day], closes[day]) * 1.005, min(opens[day], closes[day]) * 0.995
                prices = (f"{price:.4f}" for price in (opens[day], high, low, closes[day]))
                out.writerow((date, f"N{number:02d}", *prices, 1_000_000))
    return path


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """Give a small file of daily bars, read."""
    return read(written(tmp_path_factory.mktemp("daily") / "small.csv"), NOW)


def test_it_reports_only_what_followed_beside_buy_and_hold_with_its_bias(market):
    """Half-years after the two that chose, each by a way of the grid; the words on survivorship come first."""
    assert is_daily(market)
    found = forward("small.csv", market, Settings())

    assert (found.names, found.days, found.rows_rejected) == (12, 760, 0)
    assert found.first == str(dt.date(2020, 1, 1) + dt.timedelta(days=CHOSEN_ON + 60))
    assert len(found.halves) == 2
    assert all(half.way in WAYS for half in found.halves)
    assert found.trades > 0
    assert found.costs > 0
    assert "survivorship" in found.assumed[0]
    text = as_text(found)
    assert "buy and hold" in text
    assert "slips by 0.01% and half a spread of 0.04%" in text
    assert "<pre>Walk forward over small.csv" in as_page(found)


def test_the_same_file_gives_the_same_bytes(market, tmp_path, capsys):
    """As JSON, with its page: nothing of the clock or of chance."""
    said = []
    for _ in range(2):
        options = Namespace(json=True, html=tmp_path / "page.html")
        assert run_forward(tmp_path / "small.csv", market, Settings(), options) == 0
        said.append(capsys.readouterr().out)

    assert said[0] == said[1]
    assert json.loads(said[0])["names"] == 12
    assert (tmp_path / "page.html").exists()


def test_a_later_price_changes_nothing_before_it(market):
    """No look ahead: with the last half-year's prices doubled the halves before it are what they were."""
    whole = arrays_of(market)
    cut = {name: rows.copy() for name, rows in whole.bars.items()}
    for rows in cut.values():
        rows[-(760 - CHOSEN_ON - 60 - FOLLOWED) :, 1:5] *= 1.3

    class Doctored:
        """Give the same file with another end."""

        instruments, tally = market.instruments, market.tally

        def daily_bars(self, _before):
            return cut

    first = forward("a", market, Settings()).halves[0]
    second = forward("a", Doctored(), Settings()).halves[0]
    assert first == second


def test_too_few_days_to_walk_forward_are_refused(tmp_path):
    """In words, with what it takes."""
    with pytest.raises(ConfigError, match="days are too few to walk forward"):
        arrays_of(read(written(tmp_path / "short.csv", days=600, names=2), NOW))


def test_the_501_stocks_walk_forward_with_costs(data_dir):
    """Five and a half years: what it earned is told beside buy and hold, whatever it is."""
    file = read(data_dir / "daily" / "us_universe_500_daily_2018_2023.parquet", NOW)
    found = forward("501 stocks", file, Settings())

    assert (found.names, found.days) == (501, 1384)
    assert found.first < "2020-06"
    assert len(found.halves) == 7
    assert found.trades > 500
    assert found.costs > 1000
    assert found.held_year > 0.1
