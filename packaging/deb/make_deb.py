"""Makes joed's Debian package: a virtual environment under /opt/joed, units, man pages, completions, /etc/joed.

    python packaging/deb/make_deb.py [--out DIR] [--python /usr/bin/python3]

The environment holds the rows of requirements.lock that joed needs to run, each file by its hash, and nothing that
only tests need. It is made for one release of Python, the one that it names in its Depends: an environment does not
outlive its interpreter. The same commit makes the same bytes.
"""

import argparse
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from email.message import Message
from importlib.metadata import distributions
from pathlib import Path

from click.shell_completion import get_completion_class

import joed
from joectl.cli import COMMAND

TREE = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
sys.path.insert(0, str(TREE / "packaging" / "man"))

import make_man  # noqa: E402 - a script beside this one

HOME = "opt/joed/venv"
HELD = "opt/joed/held"
"""Where the unit of a joed that runs holds the environment it was started from (packaging/systemd, preinst)."""
EXTRAS = ("alerts", "tui")
"""What joed can do without, and a person with a package cannot add."""
BUILT = "sdnotify"
"""The one project that publishes no wheel."""
FROM_WHEELS = ("--only-binary", ":all:", "--no-binary", BUILT)
"""What pip is told, so that nobody else's code runs while the package is made."""
KEPT_PROGRAMS = ("joectl", "python", "python3")
OTHERS = {
    "needrestart.conf": "etc/needrestart/conf.d/joed.conf",
    "joed.rules": "usr/share/polkit-1/rules.d/50-joed.rules",
}
"""What other programs are told of joed: file here -> its place."""
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
SHELLS = {
    "bash": "usr/share/bash-completion/completions/joectl",
    "zsh": "usr/share/zsh/vendor-completions/_joectl",
    "fish": "usr/share/fish/vendor_completions.d/joectl.fish",
}
DOCS = ("README.md", "CHANGELOG.md", "ARCHITECTURE.md", "docs/*.md")


def wanted(project: str) -> list[str]:
    """Give the names that pyproject.toml asks for at run time, with the extras that the package brings."""
    said = tomllib.loads(project)["project"]
    rows = [*said["dependencies"], *(row for extra in EXTRAS for row in said["optional-dependencies"][extra])]
    return [plain(re.split(r"[\s<>=!~;\[]", row)[0]) for row in rows]


def plain(name: str) -> str:
    """Write a project's name as the lock does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def rows_to_run(lock: str, roots: Iterable[str]) -> str:
    """Give the part of a lock that these roots need: a row says in its comment which others brought it in."""
    rows = {plain(row.split("==")[0]): row for row in re.split(r"\n(?=[A-Za-z])", lock)[1:]}
    brought = {
        name: {plain(by) for by in re.findall(r"^    #(?: via)? +([\w.-]+)", row, re.MULTILINE)}
        for name, row in rows.items()
    }
    kept = set(roots)
    if unknown := sorted(kept - set(rows)):
        raise SystemExit(f"make_deb: requirements.lock has no {', '.join(unknown)}")
    while more := {name for name, by in brought.items() if by & kept} - kept:
        kept |= more
    return "\n".join(rows[name].rstrip("\n") for name in sorted(kept)) + "\n"


def run(*words: object, env: dict[str, str] | None = None) -> str:
    """Run a program to its end and give what it printed."""
    done = subprocess.run([*map(str, words)], check=True, stdout=subprocess.PIPE, text=True, env=env)
    return done.stdout.strip()


def stage(root: Path, work: Path, python: str) -> None:
    """Lay out the package's files below `root`."""
    shutil.rmtree(root, ignore_errors=True)
    make_environment(root / HOME, work, python)
    (root / HELD).mkdir()
    systemd(root)
    pages(root)
    shells(root)
    documents(root)
    bill(root)
    shutil.copytree(TREE / "etc" / "joed", root / "etc" / "joed")
    for name, place in OTHERS.items():
        (root / place).parent.mkdir(parents=True)
        shutil.copy(HERE / name, root / place)
    programs = root / "usr/bin"
    programs.mkdir(parents=True)
    for name in ("joed", "joectl"):
        (programs / name).symlink_to(f"/{HOME}/bin/{name}")
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def make_environment(home: Path, work: Path, python: str) -> None:
    """Make the environment at its place, and take out what names the place where it was built."""
    run(python, "-m", "venv", "--without-pip", home)
    lock = work / "run.lock"
    lock.write_text(rows_to_run((TREE / "requirements.lock").read_text("utf-8"), wanted(_project())), "utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    shutil.rmtree(work / "wheel", ignore_errors=True)
    quiet = ["--quiet", "--no-deps"]
    run(*pip, "wheel", *quiet, "--no-build-isolation", "--wheel-dir", work / "wheel", TREE)
    into = [*pip, "--python", home / "bin" / "python", "install", *quiet, "--no-compile"]
    run(*into, "--require-hashes", "--use-pep517", *FROM_WHEELS, "-r", lock)
    run(*into, "--no-index", "--find-links", work / "wheel", "joed")
    for program in (home / "bin").iterdir():
        if program.name not in KEPT_PROGRAMS and not program.is_symlink():
            program.unlink()
    program = home / "bin" / "joectl"
    lines = program.read_text("utf-8").split("\n")
    program.write_text("\n".join([f"#!/{HOME}/bin/python3", *lines[1:]]), "utf-8")
    shutil.copy(HERE / "joed", home / "bin" / "joed")
    (home / "bin" / "joed").chmod(0o755)
    settings = home / "pyvenv.cfg"
    kept = [line for line in settings.read_text("utf-8").splitlines() if not line.startswith("command")]
    settings.write_text("\n".join(kept) + "\n", "utf-8")


def systemd(root: Path) -> None:
    """Put units, users and folders where systemd looks, and among the examples drop-ins and what watches joed."""
    units, own = TREE / "packaging" / "systemd", root / "usr/lib"
    for folder in ("systemd/system", "sysusers.d", "tmpfiles.d"):
        (own / folder).mkdir(parents=True)
    for file in (*units.glob("joed*.service"), *units.glob("joed*.timer")):
        shutil.copy(file, own / "systemd/system")
    shutil.copy(units / "joed.sysusers", own / "sysusers.d/joed.conf")
    shutil.copy(units / "joed.tmpfiles", own / "tmpfiles.d/joed.conf")
    examples = root / "usr/share/doc/joed/examples"
    shutil.copytree(units / "drop-ins", examples / "drop-ins")
    shutil.copytree(TREE / "packaging" / "prometheus", examples / "prometheus")
    watching = TREE / "packaging" / "grafana"
    for folder in ("dashboards", "provisioning"):
        shutil.copytree(watching / folder, examples / "grafana" / folder)


def pages(root: Path) -> None:
    """Write the manual's pages, packed as Debian has them."""
    for name, text in make_man.pages().items():
        file = root / f"usr/share/man/man{name[-1]}/{name}.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(text.encode(), mtime=0))


def shells(root: Path) -> None:
    """Write what completes joectl's words in each shell."""
    for shell, place in SHELLS.items():
        made = get_completion_class(shell)
        assert made is not None
        file = root / place
        file.parent.mkdir(parents=True)
        file.write_text(made(COMMAND, {}, "joectl", "_JOECTL_COMPLETE").source(), "utf-8")


def documents(root: Path) -> None:
    """Put the documents and the licence where Debian has them."""
    folder = root / "usr/share/doc/joed"
    for pattern in DOCS:
        for file in sorted(TREE.glob(pattern)):
            shutil.copy(file, folder)
    shutil.copy(TREE / "LICENSE", folder / "copyright")


def bill(root: Path) -> None:
    """Write the bill of materials: who is in the environment, in which version, under which licence (CycloneDX 1.5)."""
    [library] = (root / HOME / "lib").glob("python3*/site-packages")
    rows = []
    for found in sorted(distributions(path=[str(library)]), key=lambda found: plain(found.name)):
        name, said = plain(found.name), found.metadata
        rows.append(
            {
                "type": "library",
                "name": name,
                "version": found.version,
                "purl": f"pkg:pypi/{name}@{found.version}",
                "licenses": [{"license": {"name": terms_of(said)}}],
            }
        )
    said = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": rows}
    (root / "usr/share/doc/joed/bill.cdx.json").write_text(json.dumps(said, indent=1) + "\n", "utf-8")


def terms_of(said: Message) -> str:
    """Give the terms that a distribution's metadata declares, in its newest form or in an older one."""
    return said.get("License-Expression") or next(
        (word.rpartition(" :: ")[2] for word in said.get_all("Classifier", []) if word.startswith("License :: ")),
        (said.get("License") or "not said").splitlines()[0],
    )


def pack(root: Path, out: Path, version: str) -> Path:
    """Compile what is below `root`, describe it, and write the package; give its path."""
    python = next((root / HOME / "lib").iterdir()).name
    library = root / HOME / "lib" / python / "site-packages"
    compiled = ("--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/", library)
    run(root / HOME / "bin" / "python", "-m", "compileall", "-q", "-f", "-j0", *compiled)
    described = root / "DEBIAN"
    shutil.rmtree(described, ignore_errors=True)
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    described.mkdir()
    minor = int(python.removeprefix("python3."))
    words = {
        "version": version,
        "arch": run("dpkg", "--print-architecture"),
        "size": str(sum(file.stat().st_size for file in files) // 1024),
        "python": f"python3 (>= 3.{minor}~), python3 (<< 3.{minor + 1}~)",
    }
    text = (HERE / "control.in").read_text("utf-8")
    (described / "control").write_text(re.sub(r"\{(\w+)\}", lambda found: words[found[1]], text), "utf-8")
    names = [file.relative_to(root).as_posix() for file in files]
    (described / "conffiles").write_text("".join(f"/{name}\n" for name in names if name.startswith("etc/")), "utf-8")
    sums = [
        f"{hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()}  {name}\n"
        for file, name in zip(files, names, strict=True)
    ]
    (described / "md5sums").write_text("".join(sums), "utf-8")
    for name in SCRIPTS:
        shutil.copy(HERE / name, described / name)
        (described / name).chmod(0o755)
    package = out / f"joed_{version}_{words['arch']}.deb"
    out.mkdir(parents=True, exist_ok=True)
    run(
        "dpkg-deb",
        "--root-owner-group",
        "-Zzstd",
        "--build",
        root,
        package,
        env={**os.environ, "SOURCE_DATE_EPOCH": _dated()},
    )
    return package


def _project() -> str:
    return (TREE / "pyproject.toml").read_text("utf-8")


def _dated() -> str:
    """Give the commit's time, which every file of the package bears at most."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    try:
        return run("git", "-C", TREE, "log", "-1", "--format=%ct")
    except (OSError, subprocess.CalledProcessError):  # a tree without its history
        return str(int((TREE / "CHANGELOG.md").stat().st_mtime))


def main(arguments: list[str]) -> int:
    """Build the package."""
    made = argparse.ArgumentParser(description="make joed's Debian package")
    made.add_argument("--out", type=Path, default=TREE / "dist")
    made.add_argument("--python", default="/usr/bin/python3", help="the Python that the package is for")
    options = made.parse_args(arguments)
    work = TREE / "build" / "deb"
    work.mkdir(parents=True, exist_ok=True)
    os.umask(0o022)
    stage(work / "root", work, options.python)
    print(pack(work / "root", options.out, joed.__version__))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
