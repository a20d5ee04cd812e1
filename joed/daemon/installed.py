"""Whether what runs is one build: each file as its installation wrote it down (RECORD: PyPA, recording installs).

Half a deployment cost Knight Capital its life: old code on one of eight machines. A checkout has no such list, and is
what its owner made of it; what was installed has one, and a live account trades with nothing else.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from itertools import islice
from pathlib import Path

PACKAGES = ("joed", "joectl")
TOLD_MAX = 3


def mixed(found: Distribution | None = None) -> str:
    """Say which files are not those that were installed, at most three by name; "" where all are or none is listed."""
    if found is None:
        try:
            found = distribution("joed")
        except PackageNotFoundError:
            return ""
    names = list(islice(_differing(found), TOLD_MAX))
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not as installed" if names else ""


def _differing(found: Distribution) -> Iterator[str]:
    """Name each listed file that is gone or other, and each source file beside them that is not listed."""
    listed = {str(row): row.hash for row in found.files or () if row.parts[0] in PACKAGES and row.suffix != ".pyc"}
    for name, known in listed.items():
        path = Path(str(found.locate_file(name)))
        if known is not None and (not path.exists() or _digest(path) != known.value):
            yield name
    for package in PACKAGES if listed else ():
        root = Path(str(found.locate_file(package)))
        for path in sorted(root.rglob("*.py")):
            name = f"{package}/{path.relative_to(root).as_posix()}"
            if name not in listed:
                yield name


def _digest(path: Path) -> str:
    """Give a file's digest as RECORD writes it: unpadded, for URLs."""
    return urlsafe_b64encode(sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
