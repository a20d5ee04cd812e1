"""joed with a rule that raises on a quote of one name: on its first ever (`once`), or on each (`always`).

`python -m tests.daemon.poisoned once KO --demo …`
"""

import sys
from pathlib import Path

from joed.__main__ import main
from joed.engine import step
from joed.model.events import Quote


def plant(how, name, mark):
    """Put the rule in front of the engine's own."""

    def raises(state, now, quote, commands):
        if quote.instrument == name and not (how == "once" and mark.exists()):
            mark.touch()
            raise ZeroDivisionError("planted")

    step.RULES[Quote] = (raises, *step.RULES[Quote])


if __name__ == "__main__":
    how, name, *words = sys.argv[1:]
    root = Path(words[words.index("--state-dir") + 1])
    plant(how, name, root / "poisoned")
    sys.exit(main(words))
