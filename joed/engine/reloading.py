"""What other settings bring besides themselves: strategies that are off, and the answer to a reload."""

from collections.abc import Iterator
from dataclasses import replace

from joed.engine.directions import said
from joed.engine.orders import cancel_entries
from joed.engine.phase import UNCONFIRMED
from joed.model.blocks import ALL, Block, key
from joed.model.commands import Answer, CancelOrder, Command, LiftBlock, RaiseBlock
from joed.model.events import OperatorAsked, SettingsLoaded
from joed.model.settings import Settings, Strategies
from joed.model.state import State

OFF = "switched_off"
AT = key(ALL, UNCONFIRMED)
READ, FAILED = "read", "failed"
"""What the shell adds to a request: the hash of the settings that follow it, or what is wrong with the files."""
SAID_MAX = 20
"""How many changes an answer names; the record has them all."""


def is_off(settings: Settings, strategy: str) -> bool:
    """Say whether a strategy is switched off; one that the settings do not know is not theirs to switch."""
    own = settings.strategies.own.get(strategy.removeprefix("own:"))
    return not getattr(own or getattr(settings.strategies, strategy, None), "enabled", True)


def with_held(state: State, settings: Settings) -> Settings:
    """Give settings that still know every instrument that is held: one that was taken away is watched, not traded.

    Its stop could not be trailed without the steps of its prices.
    """
    held = (name for name, position in state.positions.items() if position.quantity and name not in settings.universe)
    rows = {name: row for name in held if (row := state.settings.universe.get(name)) is not None}
    if not rows:
        return settings
    kept = {name: replace(row, tradable=False) for name, row in rows.items()}
    return replace(settings, universe={**settings.universe, **kept})


def on_settings(state: State, now: int, event: SettingsLoaded, commands: list[Command]) -> None:
    """Leave a strategy that is off its exits only, and tell what a reload did."""
    for strategy in (*Strategies.__dataclass_fields__, *(f"own:{name}" for name in state.settings.strategies.own)):
        at = key(f"strategy:{strategy}", OFF)
        off = is_off(state.settings, strategy)
        if off and at not in state.blocks:
            words = f"{strategy} is switched off: its positions stay managed, exits only"
            commands.append(RaiseBlock(Block(f"strategy:{strategy}", OFF, words, now)))
            commands.extend(entries_of(state, strategy))
        elif not off and at in state.blocks:
            commands.append(LiftBlock(at, f"{strategy} is switched on"))
    if event.request:
        voided = any(isinstance(command, RaiseBlock) and command.block.key == AT for command in commands)
        words = "; ".join(_told(event, voided=voided))
        commands.append(Answer(event.request, "reload", "ok", words))


def entries_of(state: State, strategy: str) -> list[CancelOrder]:
    """Give the cancels of a strategy's entries that may still fill."""
    cancels = (command for command in cancel_entries(state, OFF) if isinstance(command, CancelOrder))
    return [command for command in cancels if state.orders[command.order].strategy == strategy]


def _told(event: SettingsLoaded, *, voided: bool) -> Iterator[str]:
    """Give what a reload did, one phrase a change."""
    number = len(event.changes)
    yield f"{number} setting{'' if number == 1 else 's'} changed" if number else "nothing changed"
    yield from map(said, event.changes[:SAID_MAX])
    if (more := number - SAID_MAX) > 0:
        yield f"and {more} more"
    yield from (f"needs a restart: {said(change)}" for change in event.held[:SAID_MAX])
    if voided:
        yield "the day's confirmation is void: joectl confirm"


def refused(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Answer a reload whose files are not sound: everything stays as it was. What was read is the next event's."""
    if READ not in event.args:
        words = event.args.get(FAILED) or "the settings were not read"
        commands.append(Answer(event.request, event.verb, "config_invalid", words))
