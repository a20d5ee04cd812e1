"""Each mode, as it is asked for on the command line."""

import json
from argparse import Namespace
from pathlib import Path

import pytest

from joed import modes
from joed.errors import ConfigError
from joed.model.settings import Settings
from tests.daemon.records import SESSION, fill
from tests.demos import joed, quiet


def options(**more):
    """Give the options of a command line."""
    return Namespace(**{"config": None, "broker": None, "state_dir": None, "json": False} | more)


def test_the_first_flag_that_is_set_is_the_mode_and_without_any_it_is_the_daemon():
    """One mode at a time; the table names them all."""
    assert list(modes.MODES)[-1] == "daemon"
    assert set(modes.MODES) >= {"demo", "once", "replay", "backtest", "simulate", "audit", "check", "gate"}


def test_a_broker_on_the_command_line_goes_before_those_of_the_file():
    """Any of those there are, once each; another is a mistake with a name."""
    settings, _ = modes.settings_of(options(broker=["capital", "ibkr", "capital"]), needed=False)
    assert settings.brokers == ("capital", "ibkr")

    with pytest.raises(ConfigError, match="'ibk' is not known to this joed; there are: paper, ibkr, capital"):
        modes.settings_of(options(broker=["ibk"]), needed=False)


def test_the_daemon_does_not_run_on_defaults(monkeypatch):
    """Real money wants a file; a demo does not."""
    monkeypatch.setattr(modes, "DEFAULT_CONFIG", Path("/nowhere/joed.yaml"))

    with pytest.raises(ConfigError, match="try joed --demo"):
        modes.settings_of(options(), needed=True)
    assert modes.settings_of(options(), needed=False) == (Settings(), None)


def test_the_calendars_overrides_lie_beside_the_configuration(tmp_path):
    """In calendar.d."""
    assert modes.settings_of(options(config=quiet(tmp_path)), needed=True)[1] == tmp_path / "calendar.d"


def test_a_sound_configuration_is_told_so(tmp_path):
    """With the mode, the brokers and the calendar's age."""
    done = joed("--check", "--config", quiet(tmp_path))

    assert done.returncode == 0
    assert "the configuration is sound: paper mode, brokers paper" in done.stdout


def test_the_gate_says_whether_a_session_is_due(tmp_path):
    """0 or 1, and 255 where nobody can say."""
    answers = {
        "2026-11-25T14:25:00Z@1": 0,  # the day before Thanksgiving
        "2026-11-26T13:25:00Z@1": 1,  # Thanksgiving
        "2026-11-27T13:25:00Z@1": 0,  # a short Friday
        "2027-03-12T13:25:00Z@1": 0,  # 08:25 in New York, by its winter clock
        "2027-03-15T12:25:00Z@1": 0,  # by its summer clock
        "2027-03-15T12:20:00Z@1": 1,  # five minutes too early
    }
    config = quiet(tmp_path)
    assert {at: joed("--gate", "--config", config, "--clock", at).returncode for at in answers} == answers
    assert joed("--gate", "--config", config, "--clock", "soon").returncode == 255
    assert joed("--gate", "--config", tmp_path / "absent.yaml").returncode == 255


def test_an_audit_needs_no_daemon(tmp_path):
    """Whole is 0; a state directory without a journal is 1, damage too, and says where."""
    from joed.daemon.store import Store

    assert joed("--audit", "verify", "--state-dir", tmp_path).returncode == 1
    store = Store.open(tmp_path / "joed.db")
    store.add(1, 1, SESSION, fill(1), [])
    store.commit()
    store.close()

    whole = joed("--audit", "verify", "--json", "--state-dir", tmp_path)
    assert (whole.returncode, json.loads(whole.stdout)["records"]) == (0, 1)
    empty = joed("--export", "trades", "--year", "1999", "--state-dir", tmp_path)
    assert (empty.returncode, empty.stdout.count("\n"), empty.stdout[:19]) == (0, 1, "session,instrument,")
    exported = joed("--audit", "export", "--state-dir", tmp_path)
    assert json.loads(exported.stdout)[0]["seq"] == 1

    data = (tmp_path / "joed.db").read_bytes()
    (tmp_path / "joed.db").write_bytes(data.replace(b"101.50", b"101.51"))
    assert joed("--audit", "verify", "--state-dir", tmp_path).returncode == 1


def test_a_temporary_state_directory_goes_at_the_end():
    """One that was named stays."""
    with modes._state_dir(None) as root:
        assert root.is_dir()
    assert not root.exists()

    with modes._state_dir(Path("/somewhere")) as root:
        assert root == Path("/somewhere")


def test_the_daemon_runs_a_day_on_another_clock(tmp_path):
    """As fast as it goes, on the paper account, to its end; the alternative clock is for paper alone."""
    config = quiet(tmp_path, "session:\n  lead_s: 600\n  after_close_s: 60\n")
    words = ("--daemon", "--config", config, "--state-dir", tmp_path / "s", "--log-format", "json")

    done = joed(*words, "--clock", "2026-09-01T19:40:00Z@max", "--broker", "paper", timeout=120)

    assert done.returncode == 0, done.stderr
    assert '"stopped"' in done.stderr
    assert joed("--audit", "verify", "--state-dir", tmp_path / "s").returncode == 0


@pytest.mark.parametrize("mode", [("--daemon",), ("--once", "--trade")])
def test_no_real_day_is_traded_where_a_demo_lived(tmp_path, mode):
    """Exit 78 before anything is read of it or written into it."""
    config = quiet(tmp_path)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "demo.json").write_text('{"seed": 1}')

    done = joed(*mode, "--config", config, "--state-dir", tmp_path / "s")

    assert (done.returncode, "is a demo's" in done.stderr) == (78, True)
    assert not (tmp_path / "s" / "joed.db").exists()


def test_the_check_says_what_it_found_in_words_and_as_json(tmp_path):
    """The same facts for a person and for a program, the failure too."""
    (tmp_path / "joed.yaml").write_text("mode: paper\n")
    words = joed("--check", "--config", tmp_path / "joed.yaml")
    data = joed("--check", "--json", "--config", tmp_path / "joed.yaml")
    (tmp_path / "joed.yaml").write_text("mod: paper\n")
    wrong = joed("--check", "--json", "--config", tmp_path / "joed.yaml")

    found = json.loads(data.stdout)
    assert (words.returncode, "the configuration is sound: paper mode" in words.stdout) == (0, True)
    assert (found["ok"], found["mode"], found["calendars"][0]["name"]) == (True, "paper", "XNYS")
    assert (wrong.returncode, json.loads(wrong.stdout)["ok"], "mod" in json.loads(wrong.stdout)["error"]) == (
        78,
        False,
        True,
    )


def test_the_check_reads_the_credential_of_every_channel(tmp_path):
    """78 with the file's name where one lacks: joed itself would start, and its alerts would not leave."""
    config = quiet(tmp_path, "alerts: {channels: {phone: {credential: phone-url}}, dead_man: {credential: watch-url}}")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    (tmp_path / "phone-url").touch(mode=0o600)
    (tmp_path / "phone-url").write_text("json://127.0.0.1")

    lacking = joed("--check", "--config", config, env=env)
    (tmp_path / "watch-url").touch(mode=0o600)
    (tmp_path / "watch-url").write_text("https://example.com")

    assert (lacking.returncode, "no credential watch-url" in lacking.stderr) == (78, True)
    assert joed("--check", "--config", config, env=env).returncode == 0


def test_the_gate_says_which_session_is_due():
    """Its exit status in words, for each market; a day off says so too."""
    due = joed("--gate", "--json", "--clock", "2026-09-01T13:20:00Z@1")
    none = joed("--gate", "--clock", "2026-09-05T13:20:00Z@1")

    found = json.loads(due.stdout)
    assert (due.returncode, found["gate"], found["exit"]) == (0, "due", 0)
    assert found["calendars"][0]["due"] is True
    assert (none.returncode, "XNYS: no session is due" in none.stdout) == (1, True)
    assert "the gate says 1: none" in none.stdout


AT_CAPITAL = """\
brokers: [capital]
index: US500
vix: {instrument: VIX}
universe:
  US500: {kind: index, tradable: false}
  VIX: {kind: index, tradable: false}
  GOLD: {kind: commodity, calendar: FX_24X5}
"""


def test_the_check_looks_at_a_brokers_credentials_before_anything_connects(tmp_path):
    """78 with the file's name and the next step where one lacks or others may read it; 0 when all are well."""
    config = quiet(tmp_path, AT_CAPITAL)
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    env = {"CREDENTIALS_DIRECTORY": str(secrets)}
    without = joed("--check", "--config", config)
    lacking = joed("--check", "--config", config, env=env)
    for name in ("capital-api-key", "capital-identifier", "capital-password"):
        (secrets / name).write_text("s3cret")
        (secrets / name).chmod(0o644)
    loose = joed("--check", "--json", "--config", config, env=env)
    for file in secrets.iterdir():
        file.chmod(0o600)
    sound = joed("--check", "--config", config, env=env)

    assert (without.returncode, lacking.returncode, loose.returncode, sound.returncode) == (78, 78, 78, 0), sound.stderr
    assert "$CREDENTIALS_DIRECTORY is not set" in without.stderr
    assert "/etc/joed/credentials/capital-api-key" in lacking.stderr
    assert f"chmod 600 {secrets / 'capital-api-key'}" in json.loads(loose.stdout)["error"]
    assert "brokers capital" in sound.stdout
    assert "s3cret" not in f"{loose.stdout}{loose.stderr}{sound.stdout}{sound.stderr}"
