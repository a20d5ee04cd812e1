"""The settings of a joed that trades: nobody else's word, and nothing shared with another joed that runs beside it.

Accounts of one machine are instances of one unit: /etc/joed/NAME.yaml, /run/joed/NAME/. Only one that runs is in the
way: a file that somebody is about to write keeps nobody from a restart.
"""

from collections.abc import Iterator
from pathlib import Path

from joed.attached import named
from joed.config import BESIDE, load
from joed.errors import ConfigError
from joed.model.settings import Settings
from joed.ownership import refuse_strange
from joed.protocol import SOCKET_NAME, exists

HOME = Path("/etc/joed")
RUN = Path("/run/joed")
ALONE = "joed.yaml"
"""The settings of a machine's one account, which has no neighbours."""
PORTS = ("metrics_port", "web_port")
FIRST_PORT = 9464
PAPER = "paper"
CALENDARS = "calendar.d"


def load_own(path: Path) -> Settings:
    """Load settings that money follows; raise ConfigError also where they are somebody else's, or share too much."""
    refuse_strange([path, *(path.with_name(name) for name in (*BESIDE.values(), CALENDARS))])
    settings = load(path)
    refuse_strange(named(settings, path.parent))
    refuse_shared(path, settings)
    return settings


def refuse_shared(path: Path, settings: Settings, home: Path = HOME, run: Path = RUN) -> None:
    """Refuse settings that share an account, a client id or a port with a joed that runs beside; raise ConfigError."""
    if path.parent.absolute() != home or path.name == ALONE:
        return
    others = [file for file in sorted(home.glob("*.yaml")) if file.name not in {path.name, ALONE, *BESIDE.values()}]
    running = {file: theirs for file in others if (theirs := _running(file, run)) is not None}
    taken = {port for theirs in running.values() for port in _ports(theirs).values()}
    for file, theirs in running.items():
        for words, remedy in shared(settings, theirs, taken):
            raise ConfigError(f"{words} is joed@{file.stem}'s, which runs: {remedy} ({path})")


def _running(file: Path, run: Path) -> Settings | None:
    """Give the settings of an account whose joed answers; None where it does not, or its file cannot be read."""
    socket = run / file.stem / SOCKET_NAME
    if not exists(socket):
        return None
    from joed.daemon.lanes import answers  # noqa: PLC0415 - aiohttp, which nobody needs who lives alone

    if not answers(socket):
        return None
    try:
        return load(file)
    except ConfigError:
        return None


def shared(ours: Settings, theirs: Settings, taken: set[int]) -> Iterator[tuple[str, str]]:
    """Give each thing that two accounts share and may not, with what to do; the gravest first."""
    both = [name for name in ours.brokers if name in theirs.brokers and name != PAPER]
    for account in sorted(_accounts(ours) & _accounts(theirs)) if both else ():
        yield f"account {account}", "one account, one joed"
    seats = [(one.ibkr.host, one.ibkr.port, one.ibkr.client_id) for one in (ours, theirs)]
    if "ibkr" in both and seats[0] == seats[1]:
        yield f"ibkr.client_id {ours.ibkr.client_id}", "give this one another number"
    free = next(port for port in range(FIRST_PORT, 1 << 16) if port not in taken | set(_ports(ours).values()))
    for name, port in _ports(ours).items():
        if port in _ports(theirs).values():
            yield f"daemon.{name} {port}", f"give this one its own, {free} say, or 0 for none"


def _accounts(settings: Settings) -> set[str]:
    return {word for word in map(str.strip, settings.account.split(",")) if word}


def _ports(settings: Settings) -> dict[str, int]:
    return {name: port for name in PORTS if (port := getattr(settings.daemon, name))}
