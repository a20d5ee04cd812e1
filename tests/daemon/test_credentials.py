"""Secrets by name from files: private or refused, never quoted in what is said of them."""

import os

import pytest

from joed.daemon.credentials import BYTES_MAX, Secrets
from joed.errors import ConfigError
from tests.faults.measure import Attack

SECRET = "s3cr3t-w0rd"


@pytest.fixture
def folder(tmp_path):
    """Give a private folder with one secret."""
    put(tmp_path / "capital-password")
    return tmp_path


def put(path, content=SECRET + "\n", mode=0o600):
    """Write a file with this mode."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)


def complaint(secrets, name="capital-password"):
    """Give what is said of a secret that is not given; none of it is the secret."""
    with pytest.raises(ConfigError) as told:
        secrets.get(name)
    chain = f"{told.value} {told.value.__cause__!r} {told.value.__context__!r}"
    assert SECRET not in chain
    return str(told.value)


def test_a_secret_is_its_files_one_line(folder):
    """The newline at its end is the editor's; what was read is known, for the log to blot out."""
    secrets = Secrets(folder)

    assert secrets.get("capital-password") == SECRET
    assert secrets.values == [SECRET]


def test_systemds_prefix_goes_before_a_bare_name(folder):
    """LoadCredential=joed:FOLDER names each file joed_FILE."""
    put(folder / "joed_capital-password", "other")

    assert Secrets(folder).get("capital-password") == "other"


def test_what_is_missing_is_named_with_the_next_step(folder, tmp_path):
    """The file, where it was looked for, where to put it; also where there is no directory at all."""
    assert complaint(Secrets(folder), "capital-api-key") == (
        f"no credential capital-api-key: neither joed_capital-api-key nor capital-api-key is in {folder};"
        " put it into /etc/joed/credentials/capital-api-key (mode 0600) and restart"
    )
    assert "$CREDENTIALS_DIRECTORY is not set" in complaint(Secrets.of({}))
    assert Secrets.of({"CREDENTIALS_DIRECTORY": str(folder)}).directory == folder


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644])
def test_what_others_may_read_is_refused(folder, mode):
    """By name and mode, with the command that mends it."""
    (folder / "capital-password").chmod(mode)

    attack = Attack("S36")
    said = complaint(Secrets(folder))
    attack.refused()

    assert f"mode {mode:04o}" in said
    assert f"chmod 600 {folder / 'capital-password'}" in said
    assert Secrets(folder).loose() == ["capital-password"]
    (folder / "capital-password").chmod(0o600)
    assert Secrets(folder).get("capital-password") == SECRET
    attack.answered()


def test_in_systemds_own_directory_a_groups_bits_are_an_acl(folder):
    """The mount is private; the unit's user reads by an ACL, which shows as 0440."""
    (folder / "capital-password").chmod(0o440)
    secrets = Secrets(folder, own=[str(folder)])

    assert secrets.get("capital-password") == SECRET
    assert secrets.loose() == []


def test_a_link_is_refused_wherever_it_lies(tmp_path):
    """Also in a directory of systemd's, which makes none: a name does not make a file private (S39)."""
    own, elsewhere = tmp_path / "own", tmp_path / "elsewhere"
    own.mkdir()
    put(elsewhere, mode=0o644)
    (own / "capital-password").symlink_to(elsewhere)

    assert complaint(Secrets(own, own=[str(own)])).endswith("capital-password is a link: put the secret itself there")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        (f"{SECRET}\n{SECRET}\n", "is no single line"),
        (f"{SECRET}\0", "is no single line"),
        (SECRET.encode() + b"\xff", "is no text"),
        (SECRET * BYTES_MAX, f"more than {BYTES_MAX} bytes"),
    ],
    ids=["empty", "blank", "two lines", "zero byte", "no text", "too long"],
)
def test_what_is_no_secret_is_refused_without_quoting_it(folder, content, said):
    """Half a key is worse than none: the broker would lock the account."""
    put(folder / "capital-password", content)

    assert said in complaint(Secrets(folder))


def test_a_folder_is_no_secret(folder):
    """Nor is anything else that is not a file."""
    (folder / "capital-api-key").mkdir(mode=0o700)

    assert "capital-api-key" in complaint(Secrets(folder), "capital-api-key")


def test_one_that_may_be_absent_is_empty_and_one_that_is_there_must_be_well(folder):
    """Optional is not lax."""
    assert Secrets(None).maybe("capital-host") == Secrets(folder).maybe("capital-host") == ""
    assert Secrets(folder).maybe("capital-password") == SECRET
    (folder / "capital-password").chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        Secrets(folder).maybe("capital-password")


def test_they_are_counted_and_not_shown(folder):
    """The doctor says how many there are; a repr says nothing of them."""
    secrets = Secrets(folder)
    secrets.get("capital-password")

    assert (secrets.count(), Secrets(None).count()) == (1, 0)
    assert SECRET not in repr(secrets)


@pytest.mark.needs_root
def test_a_file_that_cannot_be_read_is_named(folder):
    """With what the kernel said, and whose it must be; asked as another user, for root reads everything."""
    put(folder / "capital-api-key", mode=0o600)
    folder.chmod(0o755)
    os.seteuid(65534)
    try:
        said = complaint(Secrets(folder), "capital-api-key")
    finally:
        os.seteuid(0)

    assert "Permission denied; it belongs to the user that joed runs as" in said


@pytest.mark.needs_root
def test_a_secret_that_somebody_else_could_have_put_there_is_refused(folder):
    """Another user's private file cannot be read; in a folder that anybody may write it may be anybody's (S36, S39)."""
    for above in (folder, *folder.parents):
        if above.stat().st_mode & 0o011 != 0o011:
            above.chmod(above.stat().st_mode | 0o011)
    os.chown(folder, 64_010, -1)
    os.chown(folder / "capital-password", 64_011, 64_010)
    (folder / "capital-password").chmod(0o600)
    os.seteuid(64_010)
    try:
        said = complaint(Secrets(folder))
    finally:
        os.seteuid(0)
    folder.chmod(0o777)

    assert "Permission denied" in said
    assert "others can write in" in complaint(Secrets(folder))


def test_all_that_can_be_read_is_given_for_a_log_to_blot_out(folder):
    """What is loose or no text is left out; so is a folder that is not there."""
    put(folder / "summary_key", "another")
    put(folder / "loose", mode=0o644)

    assert sorted(filter(None, Secrets(folder).every())) == ["another", SECRET]
    assert Secrets(None).every() == Secrets(folder / "gone").every() == []
