"""How a bug is planted: an attribute or a table's row gets another value, and its own one back afterwards."""

from contextlib import ExitStack, contextmanager


@contextmanager
def patched(holder, name, value):
    """Put another value in the place of an attribute, or of a table's row, for a while."""
    table = isinstance(holder, dict)
    before = holder[name] if table else vars(holder)[name]
    put = holder.__setitem__ if table else lambda name, value: setattr(holder, name, value)
    put(name, value)
    try:
        yield
    finally:
        put(name, before)


@contextmanager
def together(*patches):
    """Plant several at once: one slip that shows in more than one place."""
    with ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        yield


def around(holder, name, wrap):
    """Put `wrap(original)` in the original's place."""
    return patched(holder, name, wrap(holder[name] if isinstance(holder, dict) else getattr(holder, name)))
