"""What forbids opening a position: a scope, a reason, since when, and words for a person."""

from msgspec import Struct

ALL = "all"


class Block(Struct, frozen=True):
    """Forbid entries in `scope`: "all", "broker:NAME", "calendar:NAME", "instrument:NAME" or "strategy:NAME".

    A latched Block stays until a person releases it; the others are lifted by the rule that raised them.
    """

    scope: str
    reason: str
    words: str
    since_ns: int = 0
    latched: bool = False

    @property
    def key(self) -> str:
        """Give the name that raising, lifting and looking up agree on."""
        return key(self.scope, self.reason)


def key(scope: str, reason: str) -> str:
    """Give the key of the Block with this scope and reason."""
    return f"{scope}/{reason}"
