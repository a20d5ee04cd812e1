"""What other settings bring besides themselves."""

from dataclasses import replace
from decimal import Decimal

from joed.engine.directions import differences, in_force
from joed.engine.reloading import SAID_MAX, is_off
from joed.engine.step import step
from joed.engine.view import card_hash
from joed.model.card import Change
from joed.model.commands import AmendOrder, CancelOrder, LiftBlock, RaiseBlock, SubmitOrder
from joed.model.events import OperatorAsked, SettingsLoaded, TriggersMade
from joed.model.settings import Breakout, Confirm, Daemon, Risk, Settings, Strategies
from joed.model.values import SECOND
from tests.engine.build import START, armed, bracket, holding, kinds, of_kind, quote, submitted, trading_state, trigger

OFF = Strategies(breakout=Breakout(enabled=False))
BLOCK = "strategy:breakout/switched_off"


def load(state, settings, *, request="", now=START, loaded=None):
    """Put settings in force as a reload does."""
    changes = differences(state.settings, settings)
    held = differences(settings, loaded) if loaded else ()
    event = SettingsLoaded(settings, "d", state.calendars, "reload", request, changes, held)
    return step(state, now, event)


def test_a_strategy_that_is_off_loses_its_triggers_and_its_resting_entries():
    """And the answer of a job that was under way opens nothing either."""
    state = armed(trigger())
    submitted(state, bracket("KO"))

    commands = load(state, replace(state.settings, strategies=OFF))
    step(state, START, TriggersMade(2, (trigger(),)))
    fired = step(state, START, quote("AAPL", 200.0))

    raised = {command.block.key for command in of_kind(commands, RaiseBlock)}
    assert raised == {BLOCK, "strategy:momentum/switched_off", "strategy:reversion/switched_off"}
    assert [command.order for command in of_kind(commands, CancelOrder)] == ["KO-e"]
    assert of_kind(fired, SubmitOrder) == []
    assert is_off(state.settings, "breakout")


def test_its_positions_stay_managed():
    """Exits only: the trail goes on raising the broker's stop."""
    state = holding("AAPL", trail="4.00")
    load(state, replace(state.settings, strategies=OFF))

    raised = []
    for second, bid in enumerate((205.0, 206.0, 208.0), 1):
        raised += of_kind(
            step(state, START + second * SECOND, quote("AAPL", bid, at=START + second * SECOND)), AmendOrder
        )

    assert raised != []
    assert state.positions["AAPL"].quantity == 10


def test_an_instrument_that_the_settings_no_longer_name_keeps_its_position_managed():
    """At a restart: its triggers go, its stop still follows."""
    state = holding("AAPL", trail="4.00")
    step(state, START, TriggersMade(1, (trigger(),)))
    universe = {name: row for name, row in state.settings.universe.items() if name != "AAPL"}

    load(state, replace(state.settings, universe=universe))
    raised = []
    for second, bid in enumerate((205.0, 206.0, 208.0), 1):
        raised += of_kind(
            step(state, START + second * SECOND, quote("AAPL", bid, at=START + second * SECOND)), AmendOrder
        )

    assert state.triggers == {}
    assert raised != []
    assert not state.settings.universe["AAPL"].tradable


def test_a_strategy_that_is_on_again_may_open_again():
    """The Block goes with its cause."""
    state = trading_state(strategies=OFF)
    load(state, state.settings)
    assert BLOCK in state.blocks

    commands = load(state, replace(state.settings, strategies=Strategies()))

    assert of_kind(commands, LiftBlock) == [LiftBlock(BLOCK, "breakout is switched on")]


def test_a_strategy_that_the_settings_do_not_know_is_not_theirs_to_switch():
    """A user's own, say."""
    assert not is_off(Settings(strategies=OFF), "mine")


def test_a_reload_is_answered_with_what_changed_and_what_waits():
    """Each setting with before and after; nothing of it is left for a person to guess."""
    state = trading_state()
    loaded = replace(state.settings, risk=Risk(loss_day_max=Decimal(500)), daemon=Daemon(metrics_port=1))

    commands = load(state, in_force(state.settings, loaded), request="r1", loaded=loaded)
    again = load(state, state.settings, request="r2")

    assert commands[-1].words == (
        "1 setting changed; risk.loss_day_max 2000 -> 500 (tightens); needs a restart: daemon.metrics_port 9464 -> 1"
    )
    assert (commands[-1].request, commands[-1].verb, commands[-1].code) == ("r1", "reload", "ok")
    assert again[-1].words == "nothing changed"
    assert state.settings.risk.loss_day_max == 500
    assert state.settings.daemon.metrics_port == 9464


def test_a_reload_that_loosens_says_that_the_day_must_be_signed_again():
    """Raising risk does not ride on the morning's confirmation (F19)."""
    state = trading_state(confirm=Confirm(paper=True))
    step(state, START, SettingsLoaded(state.settings, "d"))
    step(state, START, OperatorAsked("confirm", "c", 1, 1, 1, "", {"card": card_hash(state)}))

    kept = load(state, replace(state.settings, risk=Risk(loss_day_max=Decimal(500))), request="r1")
    voided = load(state, replace(state.settings, risk=Risk(loss_day_max=Decimal(9000))), request="r2")

    assert "void" not in kept[-1].words
    assert voided[-1].words.endswith("the day's confirmation is void: joectl confirm")


def test_an_answer_has_an_end():
    """A universe of five hundred is counted."""
    state = trading_state()
    changes = tuple(Change(f"a{number}", "1", "2") for number in range(SAID_MAX + 3))

    commands = step(state, START, SettingsLoaded(state.settings, "d", {}, "reload", "r1", changes))

    assert f"a{SAID_MAX - 1} " in commands[-1].words
    assert commands[-1].words.endswith("and 3 more")


def test_files_that_are_not_sound_change_nothing():
    """The refusal carries every line, and is the same for the same request."""
    state = trading_state()
    before = state.settings

    event = OperatorAsked("reload", "r1", 0, 0, 0, "", {"failed": "risk.collar is no key (joed.yaml:7)"})
    first, second = step(state, START, event), step(state, START, event)

    assert (kinds(first), first[0].code, first[0].words) == (["Answer"], "config_invalid", event.args["failed"])
    assert second == first
    assert state.settings is before


def test_a_request_whose_settings_follow_is_answered_by_them():
    """It stands in the record before it acts, and its key answers a retry (I34)."""
    state = trading_state()

    asked = step(state, START, OperatorAsked("reload", "r1", 0, 0, 0, "", {"read": "d"}))
    done = load(state, state.settings, request="r1")

    assert asked == []
    assert step(state, START, OperatorAsked("reload", "r1", 0, 0, 0)) == done[-1:]
