"""The account that a state directory belongs to: the first that answered, in the mode of then, for good.

Books, limits and signatures of one account say nothing of another; so another account is another state directory.
"""

from joed.model.commands import BindAccount, Command
from joed.model.events import BrokerUp
from joed.model.settings import Settings
from joed.model.state import State
from joed.model.values import Mode

REMEDY = "use another --state-dir for it, or set the configuration back"


def mistaken(state: State, event: BrokerUp) -> str:
    """Say why the account that a broker announces is not the one to trade, "" where it is."""
    if event.mode != state.mode.value:
        return f"{event.broker} is a {event.mode} account, joed runs in {state.mode.value} mode"
    if (other := misplaced(state, state.settings)) != "":
        return other
    bound = state.bound.get(event.broker)
    if bound is not None and bound != event.account:
        return f"{event.broker} announces account {event.account}, this state directory belongs to {bound}"
    named = names(state.settings)
    if state.mode is Mode.LIVE and named and event.account not in named:
        return f"{event.broker} announces account {event.account}, the settings name {state.settings.account}"
    return ""


def misplaced(state: State, settings: Settings) -> str:
    """Say why these settings do not belong to this state directory, "" where they do; known before any connection."""
    if state.bound_mode is None:
        return ""
    owner = ", ".join(state.bound.values())
    if settings.mode is not state.bound_mode:
        return (
            f"this state directory belongs to {state.bound_mode} account {owner}, the settings say {settings.mode} mode"
        )
    named = names(settings)
    if settings.mode is Mode.LIVE and named and not set(state.bound.values()) <= set(named):
        return f"this state directory belongs to account {owner}, the settings name {settings.account}"
    return ""


def names(settings: Settings) -> list[str]:
    """Give the accounts that the settings name; none where they take what the brokers tell."""
    return [name for name in map(str.strip, settings.account.split(",")) if name]


def on_up(state: State, now: int, event: BrokerUp, commands: list[Command]) -> None:
    """Bind the state directory to the first account that answers at each broker."""
    if event.broker not in state.bound and not mistaken(state, event):
        commands.append(BindAccount(event.broker, event.account, state.mode))


def apply_bound(state: State, now: int, command: BindAccount) -> None:
    """Remember whose books these are."""
    state.bound[command.broker] = command.account
    state.bound_mode = command.mode
