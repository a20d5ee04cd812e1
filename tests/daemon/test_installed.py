"""One build or none: a live account is not traded by half a deployment (F20)."""

import subprocess
import sys
from importlib.metadata import Distribution

import pytest

from joed.daemon.installed import _digest, mixed
from tests.demos import ROOT
from tests.faults.measure import Watch, measured


@pytest.fixture
def build(tmp_path):
    """Give a small installation: two files and their list."""
    (tmp_path / "joed").mkdir()
    (tmp_path / "joed/step.py").write_text("decides = 1\n")
    (tmp_path / "joed/gate.py").write_text("refuses = 1\n")
    info = tmp_path / "joed-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: joed\nVersion: 1\n")
    rows = [f"joed/{name},sha256={_digest(tmp_path / 'joed' / name)},1\n" for name in ("step.py", "gate.py")]
    (info / "RECORD").write_text("".join(rows) + "joed-1.dist-info/RECORD,,\n")
    return tmp_path


def told(build):
    """Give what is said of it."""
    return mixed(Distribution.at(build / "joed-1.dist-info"))


def test_a_whole_build_is_whole(build):
    """Each file is what was written down; what Python compiled beside them is nobody's."""
    (build / "joed/__pycache__").mkdir()
    (build / "joed/__pycache__/step.pyc").write_bytes(b"")

    assert told(build) == ""


def test_a_changed_a_missing_and_a_left_over_file_are_named(build):
    """A byte of another version, a file that did not come, one of an older version that stayed."""
    (build / "joed/step.py").write_text("decides = 2\n")
    (build / "joed/gate.py").unlink()
    (build / "joed/older.py").write_text("")

    assert told(build) == "joed/step.py, joed/gate.py, joed/older.py are not as installed"


def test_a_checkout_has_no_list_and_is_what_it_is():
    """An editable installation lists no file of ours."""
    assert mixed() == ""


def test_half_a_deployment_refuses_a_live_account(tmp_path):
    """F20: joed as pip installs it, then one file of another version: exit 78 before anything connects, by its name."""
    words = ["pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", tmp_path / "site"]
    subprocess.run([sys.executable, "-m", *words, ROOT], check=True, capture_output=True)
    config = tmp_path / "joed.yaml"
    config.write_text("mode: live\naccount: U1\nbrokers: [ibkr]\n")
    (tmp_path / "universe.yaml").write_text(
        "SPY: {broker: ibkr, tradable: false}\nVIX: {broker: ibkr, tradable: false}\nKO: {broker: ibkr}\n"
    )

    def check():
        """Run its check, in its own place."""
        line = [sys.executable, "-P", "-m", "joed", "--check", "--config", config]
        at = {"PYTHONPATH": str(tmp_path / "site")}
        return subprocess.run(line, check=False, capture_output=True, text=True, env=at)

    whole = check()
    step = tmp_path / "site/joed/engine/step.py"
    step.write_text(step.read_text() + "\n# another version\n")
    watch = Watch()
    half = check()
    measured("F20", detected_ms=watch.ms())

    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert half.returncode == 78
    assert "joed/engine/step.py is not as installed: install joed again" in half.stderr
