"""Whose settings files are: what somebody else could have changed is refused by its name (reliability S39)."""

import os

import pytest

from joed.errors import ConfigError
from joed.ownership import refuse_strange
from tests.demos import joed
from tests.faults.measure import Attack

US, THEM = 64_010, 64_011
AS_ROOT = pytest.mark.needs_root


@pytest.fixture
def folder(tmp_path):
    """Give a folder of ours with a settings file, as root keeps /etc/joed."""
    made = tmp_path / "etc"
    made.mkdir(mode=0o755)
    put(made / "joed.yaml")
    return made


def put(path, mode=0o644):
    """Write a settings file."""
    path.write_text("daemon: {metrics_port: 0}\n")
    path.chmod(mode)
    return path


def complaint(*paths, uid=US):
    """Give what is said of files, "" where nothing."""
    try:
        refuse_strange(paths, uid)
    except ConfigError as error:
        return str(error)
    return ""


@AS_ROOT
def test_roots_file_and_our_own_are_taken_and_a_strangers_is_refused(folder):
    """By uid; root itself takes anybody's, for root named it."""
    file = folder / "joed.yaml"
    assert complaint(file) == ""
    os.chown(file, US, -1)
    assert complaint(file) == ""
    os.chown(file, THEM, -1)

    assert complaint(file) == f"{file} belongs to uid {THEM}, and this is uid {US}: chown root {file}"
    assert complaint(file, uid=0) == ""


def test_a_file_that_anybody_may_write_is_refused(folder):
    """One bit is enough, whoever asks."""
    file = put(folder / "universe.yaml", mode=0o646)

    assert complaint(file, uid=0) == f"others can write in {file} (mode 0646): chmod o-w {file}"


def test_a_file_in_a_folder_that_anybody_may_write_is_anybodys(folder):
    """It could be taken away and another put in its place; where the folder keeps its files apart it could not."""
    file = folder / "joed.yaml"
    folder.chmod(0o777)
    said = complaint(file, uid=0)
    folder.chmod(0o1777)

    assert said == f"others can write in {folder} (mode 0777), so {file} may be anybody's: chmod o-w {folder}"
    assert complaint(file, uid=0) == ""


@AS_ROOT
def test_a_link_is_as_good_as_who_made_it_and_as_what_it_leads_to(folder, tmp_path):
    """An operator's own link to his own file is his choice; somebody else's, or one to theirs, is refused."""
    target = put(tmp_path / "mine.yaml")
    link = folder / "strategies.yaml"
    link.symlink_to(target)
    assert complaint(link) == ""
    os.chown(link, THEM, -1, follow_symlinks=False)
    assert complaint(link).startswith(f"{link} is a link that uid {THEM} made")
    os.chown(link, 0, -1, follow_symlinks=False)
    os.chown(target, THEM, -1)
    assert complaint(link).startswith(f"{target} belongs to uid {THEM}")
    os.chown(target, 0, -1)
    tmp_path.chmod(0o777)

    assert complaint(link).startswith(f"others can write in {tmp_path}")


def test_what_is_not_there_is_nobodys(folder):
    """Most files beside joed.yaml may be absent; a link to nothing is still somebody's."""
    (folder / "nowhere.yaml").symlink_to(folder / "gone.yaml")

    assert complaint(folder / "alerts.yaml", folder / "nowhere.yaml", uid=0) == ""


@pytest.mark.parametrize("name", ["joed.yaml", "universe.yaml", "calendar.d", "dates.csv"])
def test_s39_joed_refuses_to_start_on_what_others_could_have_written(folder, tmp_path, name):
    """Each file and folder that decides: exit 78 with its name, from the check and from the daemon, before anything."""
    put(folder / "joed.yaml").write_text("scan: {dates_file: dates.csv}\ndaemon: {metrics_port: 0}\n")
    (folder / "universe.yaml").write_text("")
    (folder / "dates.csv").write_text("")
    (folder / "calendar.d").mkdir()
    (folder / name).chmod(0o777)

    for mode in ("--check", "--daemon")[: 2 if name == "joed.yaml" else 1]:
        attack = Attack("S39")
        done = joed(mode, "--config", folder / "joed.yaml", "--state-dir", tmp_path / "s")
        attack.refused()
        assert done.returncode == 78
        assert f"others can write in {folder / name}" in done.stderr
    assert not (tmp_path / "s").exists()
    (folder / name).chmod(0o755)
    assert joed("--check", "--config", folder / "joed.yaml", "--state-dir", tmp_path / "s").returncode == 0
    attack.answered()
