"""What needs no daemon."""

import joed
from joed import protocol
from tests.daemon.serving import serving
from tests.joectl.running import environment, joectl


def test_the_version_of_joectl_needs_no_daemon(tmp_path):
    """Exit 0 either way; the daemon's is said where there is one."""
    alone = joectl("version", state_dir=tmp_path)
    with serving(tmp_path / "s"):
        both = joectl("version", "--json", state_dir=tmp_path / "s")

    assert (alone.code, alone.out.splitlines()[0]) == (0, f"joectl {joed.__version__}")
    assert "not running" in alone.out
    assert both.json["joed"]["joed"] == joed.__version__


def test_the_doctor_is_content_with_a_day_without_trouble(tmp_path):
    """Exit 0, each look on its own line."""
    with serving(tmp_path / "s"):
        ran = joectl("doctor", state_dir=tmp_path / "s")

    assert ran.code == 0
    assert all(line.startswith("ok ") for line in ran.out.splitlines())
    assert {line.split()[1] for line in ran.out.splitlines()} >= {"state_dir", "latch", "disk", "socket", "version"}


def test_the_doctor_names_the_remedy_for_each_fault(tmp_path):
    """A latched kill and no daemon: two faults, two things to do, exit 1."""
    protocol.latch(tmp_path, "orders")

    ran = joectl("doctor", "--json", state_dir=tmp_path)

    bad = {check["name"]: check["fix"] for check in ran.json["checks"] if not check["ok"]}
    assert (ran.code, ran.json["ok"], set(bad)) == (1, False, {"latch", "socket"})
    assert all(bad.values())


def test_a_latch_that_cannot_be_read_is_not_taken_for_a_kill(tmp_path):
    """Nobody is sent to release what may not be there."""
    (tmp_path / "latch").write_text("in the way")

    checks = {check["name"]: check for check in joectl("doctor", "--json", state_dir=tmp_path).json["checks"]}

    assert (checks["latch"]["ok"], "cannot be read" in checks["latch"]["words"]) == (False, True)
    assert "release" not in checks["latch"]["fix"]


def test_the_doctor_looks_where_nothing_is(tmp_path):
    """No state directory: that is the finding."""
    ran = joectl("doctor", state_dir=tmp_path / "nowhere")

    assert ran.code == 1
    assert f"none at {tmp_path / 'nowhere'}" in ran.out


def test_audit_is_joeds_own_with_the_same_directory_and_form(tmp_path):
    """The journal is not joectl's to read: it becomes `joed --audit`, with no daemon running."""
    package = tmp_path / "fake" / "joed"
    package.mkdir(parents=True)
    for name in ("__init__.py", "protocol.py"):
        (package / name).write_text((protocol.Path(joed.__file__).parent / name).read_text())
    (package / "__main__.py").write_text("import sys; print(*sys.argv[1:]); sys.exit(7)")
    path = f"{package.parent}:{environment()['PYTHONPATH']}"

    ran = joectl("audit", "verify", "--json", state_dir=tmp_path, env=environment(PYTHONPATH=path, PYTHONSAFEPATH="1"))

    assert (ran.code, ran.out) == (7, f"--audit verify --state-dir {tmp_path} --json\n")


def test_audit_of_nothing_says_what_to_name():
    """Where no state directory is known."""
    ran = joectl("audit", "verify", "--socket", "/nowhere/x.sock")

    assert ran.code == 1
    assert "--state-dir DIR" in ran.err
