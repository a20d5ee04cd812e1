"""A system of the same release as this one with nothing on it but what joed's package depends on, and the package."""

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "packaging" / "deb" / "make_deb.py"
NEEDED = ("mmdebstrap", "dpkg-deb")
INCLUDED = ("systemd", "systemd-sysv", "python3", "iproute2", "passwd", "ca-certificates", "tzdata")
APT = Path("/etc/apt")
MAKE_WAIT_S = 300.0


def missing():
    """Name what this machine lacks to make one, "" where nothing."""
    return ", ".join(program for program in NEEDED if not shutil.which(program))


class Tree:
    """One such system in the making, out of the archives of this machine's own packages; a context manager."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
        listed = [APT / "sources.list", *sorted((APT / "sources.list.d").glob("*"))]
        sources = [str(file) for file in listed if file.is_file() and _lists(file.read_text("utf-8"), codename)]
        words = [
            "--mode=root",
            "--variant=apt",
            f"--include={','.join(INCLUDED)}",
            codename,
            str(self.folder),
            *sources,
        ]
        self.log = self.folder.with_suffix(".log")
        with self.log.open("wb") as log:
            self.maker = subprocess.Popen(["mmdebstrap", *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, *_error):
        self.maker.kill()
        self.maker.wait()

    def made(self):
        """Wait until it is made, and give its folder."""
        assert self.maker.wait(MAKE_WAIT_S) == 0, self.log.read_text("utf-8")[-2000:]
        return self.folder


def _lists(text, codename):
    """Say whether a file of sources has the release itself, and not only somebody's additions to it."""
    return any(codename in line.split() for line in text.splitlines() if re.match(r"Suites:|deb ", line))


def maker():
    """Give the script that makes the package, as a module."""
    spec = importlib.util.spec_from_file_location("make_deb", SCRIPT)
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def make_packages(folder):
    """Make today's package and the one of a release after it, and give both paths."""
    script, root = maker(), folder / "root"
    script.stage(root, folder, f"/usr/bin/python3.{sys.version_info.minor}")
    today = script.pack(root, folder, "1.0")
    library = next((root / script.HOME / "lib").glob("python3*/site-packages"))
    for name, found, other in (
        ("joed/__init__.py", r'__version__ = ".*"', '__version__ = "99.0"'),
        ("joed/daemon/worker_main.py", r"\Z", "# of 99.0\n"),
    ):
        file = library / name
        file.write_text(re.sub(found, other, file.read_text("utf-8"), count=1), "utf-8")
    return today, script.pack(root, folder, "99.0")
