"""`joectl top`: asks first, so that a refusal is said before the screen is taken."""

from joectl.cli import Options
from joectl.client import Failure, look
from joed.protocol import Exit

ANSWER_S = 2.0
TEXTUAL = {"textual", "rich"}


def top(options: Options) -> Exit:
    """Show the whole picture until `q`; without textual, say how to get it and what does the same without."""
    place = options.place()
    first = look(place, "status", options.timeout).body
    try:
        from joectl.top import Top
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in TEXTUAL:
            raise
        hint = "pip install 'joed[tui]', or watch -n 1 joectl status"
        raise Failure(Exit.FAILED, "joectl top needs textual, which is not installed", hint) from error
    Top(lambda: look(place, "status", ANSWER_S).body, first).run()
    return Exit.OK
