"""A small machine of our own: a real systemd as its first process, joed installed in it, and a way to run commands.

It shares the kernel and nothing else: its processes, mounts, network, names and control groups are its own, and what
it writes is gone when it ends. joed is this checkout under /opt/joed, run by the system's own Python; or, on a bare
`base`, whatever a test installs.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "packaging" / "systemd"
BOOT = Path(__file__).with_name("boot.sh")
PYTHON = f"/usr/bin/python3.{sys.version_info.minor}"
NEEDED = (
    "/lib/systemd/systemd",
    "/usr/bin/unshare",
    "/usr/bin/nsenter",
    "/usr/sbin/ip",
    "/usr/bin/setpriv",
    "/usr/bin/dbus-daemon",
    "/usr/lib/polkit-1/polkitd",
    PYTHON,
)
BOOT_WAIT_S = 60.0
COMMAND_WAIT_S = 60.0
LOOK_EVERY_S = 0.05

PROGRAM = f"""#!/bin/sh
PYTHONPATH=/opt/joed/tree:/opt/joed/libraries exec {PYTHON} -m %s "$@"
"""


def missing():
    """Name what this machine lacks for one like ours, "" where nothing."""
    if os.geteuid() != 0:
        return "root"
    absent = [program for program in NEEDED if not Path(program).exists() and not shutil.which(Path(program).name)]
    return ", ".join(absent) or ("" if _cgroups() else "a mounted cgroup2")


def _cgroups():
    """Give where the second version of control groups is mounted, None where it is not."""
    for line in Path("/proc/mounts").read_text("utf-8").splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    return None


class Machine:
    """One booted systemd; a context manager."""

    def __init__(self, room: Path, base: Path | None = None, folders: tuple[str, ...] = ()) -> None:
        """Be like `base`, with these folders (FROM=TO) and no joed; without a base be like this system, with joed."""
        self.room, self.base = room, base
        self.folders = folders
        self.pid = 0
        self.cursor = ""
        self.cgroup = _cgroups() / f"joed-test-{os.getpid()}-{room.name}"

    def __enter__(self):
        self.cgroup.mkdir()
        self.outer = self._spawn()
        try:
            self.pid = self._first_process()
            if self.base is None:
                self._install()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        self.outer.kill()
        self.outer.wait()
        deadline = time.monotonic() + BOOT_WAIT_S
        while self.cgroup.exists() and time.monotonic() < deadline:
            for folder, _, _ in os.walk(self.cgroup, topdown=False):
                try:
                    Path(folder).rmdir()
                except OSError:
                    time.sleep(LOOK_EVERY_S)

    def _spawn(self):
        folders = self.folders
        if self.base is None:
            folders += (f"{ROOT}=/opt/joed/tree", f"{sysconfig.get_path('purelib')}=/opt/joed/libraries")
        apart = ("unshare", "--pid", "--mount", "--uts", "--ipc", "--cgroup", "--net", "--fork", "--kill-child")
        enter = f'echo $$ > {self.cgroup}/cgroup.procs; exec setsid "$@"'
        command = [
            "/bin/bash",
            "-c",
            enter,
            "enter",
            *apart,
            str(BOOT),
            str(self.base or "/"),
            str(self.room),
            *folders,
        ]
        with (self.room.parent / f"{self.room.name}.log").open("wb") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _first_process(self):
        """Wait until systemd is up, and give its number as we see it."""
        children = Path(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children")

        def up():
            for pid in map(int, children.read_text("ascii").split()):
                if Path(f"/proc/{pid}/comm").read_text("ascii").strip() == "systemd":
                    self.pid = pid
                    state = self.ask("systemctl", "is-system-running", check=False).stdout.strip()
                    return pid if state in {"running", "degraded"} else 0
            return 0

        return wait_for(up, "systemd is up", BOOT_WAIT_S)

    def _install(self):
        """Put joed where its package puts it, with users, folders and units."""
        for name, module in (("joed", "joed"), ("joectl", "joectl")):
            self.write(f"/usr/bin/{name}", PROGRAM % module, 0o755)
        for file in (*UNITS.glob("joed*.service"), *UNITS.glob("joed*.timer")):
            self.write(f"/usr/lib/systemd/system/{file.name}", file.read_text("utf-8"))
        self.write("/usr/lib/sysusers.d/joed.conf", (UNITS / "joed.sysusers").read_text("utf-8"))
        self.write("/usr/lib/tmpfiles.d/joed.conf", (UNITS / "joed.tmpfiles").read_text("utf-8"))
        self.ask("systemd-sysusers")
        self.ask("systemd-tmpfiles", "--create", "joed.conf")
        self.ask("systemctl", "daemon-reload")

    def ask(self, *words, check=True, stdin=None):
        """Run a command inside, to its end."""
        inside = ("nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--")
        environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run(
            [*inside, *words],
            env=environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_WAIT_S,
            check=False,
        )
        assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def write(self, path, text, mode=0o644):
        """Write a file inside."""
        self.ask("/bin/sh", "-c", f"mkdir -p $(dirname {path}); cat > {path}; chmod {mode:o} {path}", stdin=text)

    def shows(self, unit, *properties):
        """Give what systemd knows of a unit."""
        out = self.ask("systemctl", "show", unit, *(f"--property={name}" for name in properties)).stdout
        return dict(line.split("=", 1) for line in out.splitlines())

    def turn_page(self):
        """Let `journal` give only what is said from now on."""
        shown = self.ask("journalctl", "--no-pager", "-n", "1", "--show-cursor").stdout
        self.cursor = shown.rpartition("-- cursor: ")[2].strip()

    def journal(self, unit):
        """Give what a unit has said since the page was turned."""
        since = [f"--after-cursor={self.cursor}"] if self.cursor else []
        return self.ask("journalctl", "--no-pager", "-o", "cat", "-u", unit, *since).stdout

    def until(self, unit, wait_s=COMMAND_WAIT_S, **wanted):
        """Wait until a unit's properties are these, and give them."""

        def seen():
            found = self.shows(unit, *wanted)
            return found if found == wanted else None

        return wait_for(seen, f"{unit} {wanted}", wait_s, lambda: f"{self.shows(unit, *wanted)}\n{self.journal(unit)}")


def wait_for(look, what, wait_s, why=lambda: ""):
    """Look until it is so, and give what was seen."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(LOOK_EVERY_S)
    raise AssertionError(f"not within {wait_s:g} s: {what}\n{why()}")
