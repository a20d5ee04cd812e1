"""A disk that is full, fails, hangs, lies, loses files or turns read-only: no new risk, and nothing is lost."""

import json
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from joed.daemon.audit import verify
from joed.protocol import read_latch
from tests.daemon.test_daemon import facts
from tests.demos import Demo, joed
from tests.faults.measure import Watch, measured
from tests.faults.scene import accepted, resting, stuffed, trading, until, wall_ms
from tests.joectl.running import joectl

BALLAST = "daemon:\n  metrics_port: 0\n  ballast_mb: 4\n"


@pytest.fixture
def small(tmp_path):
    """Give a file system of 64 MB, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def on_small_disk(mad, small, tmp_path):
    """Give a mad joed whose state directory is on the small disk, and its exchange's account elsewhere."""
    demo = mad(root=small / "s")
    demo.config = tmp_path / "joed.yaml"
    demo.config.write_text(BALLAST)
    demo.out, demo.err = tmp_path / "out.txt", tmp_path / "err.txt"
    for file in sorted(small.glob("s/paper.db*")):
        target = tmp_path / file.name
        shutil.move(file, target)
        file.symlink_to(target)
    return demo


def said_ns(demo, words):
    """Give when joed said something of this kind, by the wall clock; wait for it."""
    until(lambda: words in demo.err.read_text(), what=words)
    return time.time_ns()


def failed_at(demo):
    """Give the moment at which the journal failed, as the first line that says so is stamped."""
    import datetime as dt

    line = next(line for line in demo.err.read_text().splitlines() if "journal_failed" in line)
    stamp = dt.datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=dt.UTC)
    return int(stamp.timestamp() * 1e9)


def none_after(demo, wall, slack_ms=100.0):
    """Give how long after a moment the exchange accepted the last entry, and hold it to the bound."""
    last = max(accepted(demo))
    late_ms = wall_ms(demo, last, wall)
    assert late_ms <= slack_ms, f"an entry was accepted {late_ms:.0f} ms after"
    return late_ms


@pytest.mark.needs_root
def test_f21_a_full_disk_stops_entries_answers_a_kill_and_loses_nothing(small, mad, tmp_path):
    """No entry 100 ms after the failure, by the exchange's log; F90: the kill holds, and over a restart too."""
    demo = on_small_disk(mad, small, tmp_path)
    trading(demo)
    flushed = demo.ask("flush", "--json").json["seq"]
    stuffing = stuffed(small)
    until(lambda: "journal_failed" in demo.err.read_text(), what="the failure")  # not before its log must grow
    failed_ns = failed_at(demo)
    stuffed(small, "more")  # also what the ballast gave back

    asked = Watch()
    ran = joectl("kill", "--json", state_dir=demo.root)
    kill_ms = asked.ms()

    assert (ran.code, ran.json["latched"], ran.json["daemon"]) == (0, True, "answered")
    time.sleep(1.0)
    late_ms = none_after(demo, failed_ns)
    refused = joectl("release", "--reason", "too soon", "--json", state_dir=demo.root)
    assert refused.code != 0
    assert read_latch(demo.root).scope == "orders"
    demo.kill()
    copy = shutil.copytree(demo.root, tmp_path / "look", ignore=shutil.ignore_patterns("run", "ballast"))
    assert Demo(copy).folded().seq >= flushed

    recovered = Watch()
    stuffing.unlink()
    (small / "more").unlink()
    demo.start()
    shown = demo.until(lambda shown: shown["brokers"] and shown["brokers"][0]["reconciled"])
    assert shown["killed"] == "orders"
    time.sleep(0.5)
    none_after(demo, failed_ns)
    assert verify(demo.root).whole
    measured("F21", detected_ms=max(0.0, late_ms), recovered_ms=recovered.ms())
    measured("F90", detected_ms=kill_ms, recovered_ms=recovered.ms())


@pytest.mark.needs_root
def test_f22_space_that_returns_frees_nobody_until_a_person_releases(small, mad, tmp_path):
    """While it is full a release is refused; with room the journal is checked, and the Block still waits."""
    demo = on_small_disk(mad, small, tmp_path)
    trading(demo)
    stuffing = stuffed(small)
    until(lambda: "journal_failed" in demo.err.read_text(), what="the failure")
    failed_ns = failed_at(demo)
    block = "all/journal_failed"
    early = joectl("release", "--block", block, "--reason", "too soon", "--json", state_dir=demo.root)
    assert early.code == 5, early
    assert "journal" in early.err + early.out

    recovered = Watch()
    stuffing.unlink()
    demo.until(lambda shown: [b for b in shown["blocks"] if b["reason"] == "journal_failed"])
    until(lambda: any(type(e).__name__ == "JournalRestored" for e in facts(demo)), what="the journal")
    recovered_ms = recovered.ms()
    time.sleep(1.0)
    none_after(demo, failed_ns)
    before = len(accepted(demo))
    assert joectl("release", "--block", block, "--reason", "room again", state_dir=demo.root).code == 0
    until(lambda: len(accepted(demo)) > before, what="entries after the release")
    measured("F22", recovered_ms=recovered_ms)


@pytest.mark.needs_root
def test_f21_the_ballast_lets_joed_start_on_a_full_disk(small, mad, tmp_path):
    """The start succeeds; when the room ends for good the ballast is given up, and nothing opens any more."""
    demo = on_small_disk(mad, small, tmp_path)
    trading(demo)
    demo.ask("flush")
    demo.kill()
    stuffed(small)
    watch = Watch()

    demo.start()
    shown = demo.until(lambda shown: shown["brokers"] and shown["brokers"][0]["reconciled"])

    recovered_ms = watch.ms()
    assert shown["epoch"] >= 3
    until(lambda: "journal_failed" in demo.err.read_text(), 40, what="the end of the room")
    failed_ns = failed_at(demo)
    time.sleep(0.5)
    none_after(demo, failed_ns)
    assert not (demo.root / "ballast").exists()
    measured("F21", recovered_ms=recovered_ms)


@pytest.mark.needs_root
def test_f21_the_failsafe_works_on_a_full_disk(small, mad, tmp_path):
    """It gives up the ballast, reads the record without the index that is gone, latches, cancels, and says so."""
    demo = on_small_disk(mad, small, tmp_path)
    trading(demo)
    demo.process.kill()
    demo.wait(5)
    stuffed(small)
    demo.places.journal.with_name("joed.db-shm").unlink()
    stuffed(small, "more")
    watch = Watch()

    done = joed("--failsafe", "--state-dir", demo.root, "--json")

    report = json.loads(done.stdout)
    assert (done.returncode, report["left"], report["scope"]) == (0, [], "orders"), done.stderr
    assert report["brokers"][0]["cancelled"]
    assert resting(demo) == []
    assert read_latch(demo.root).scope == "orders"
    assert not (demo.root / "ballast").exists()
    measured("F21", recovered_ms=watch.ms())


def writer_of(demo):
    """Give the thread that writes the journal: the one that syncs."""
    seen = demo.root / "syncs"
    words = ["strace", "-f", "-qq", "-o", seen, "-p", demo.process.pid, "-e", "trace=fdatasync"]
    with subprocess.Popen([*map(str, words)]) as tracer:
        try:
            return until(lambda: seen.exists() and seen.read_text().partition(" ")[0], what="a sync")
        finally:
            tracer.send_signal(signal.SIGINT)


@contextmanager
def injected(demo, calls, how, *paths, thread=None):
    """Have the kernel's answers to these calls changed while it lasts: to joed on these files, or to one thread."""
    where = [word for path in paths for word in ("-P", str(path))]
    words = ["strace", "-qq", "-o", "/dev/null", "-p", thread or str(demo.process.pid), *where]
    words += [] if thread else ["-f"]
    tracer = subprocess.Popen(
        [*words, "-e", f"trace={calls}", "-e", f"inject={calls}:{how}"], stderr=subprocess.PIPE, text=True
    )
    try:
        until(lambda: traced(demo.process.pid, thread), what=f"strace ({tracer.poll()})")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
        tracer.stderr.close()


def traced(pid, thread):
    """Say whether somebody traces each thread of a process, or this one."""
    tasks = Path(f"/proc/{pid}/task").glob(thread or "*")
    return all("TracerPid:\t0" not in (task / "status").read_text() for task in tasks)


def files(demo):
    """Give the journal's files."""
    return [demo.places.journal.with_name(name) for name in ("joed.db", "joed.db-wal", "joed.db-shm")]


def dies_and_recovers(demo, row, calls, how, wanted=75):
    """Break the disk under joed: nothing is sent after, it ends with 75, the next one finds all that was durable."""
    trading(demo)
    flushed = demo.ask("flush", "--json").json["seq"]
    watch = Watch()
    with injected(demo, calls, how, *files(demo)):
        broken_ns = time.time_ns()
        until(lambda: "journal_failed reason=EIO" in demo.err.read_text(), what="the failure")
        detected_ms = watch.ms()
        assert demo.wait(20) == wanted, demo.err.read_text()[-2000:]
    none_after(demo, broken_ns, slack_ms=1500.0)
    assert verify(demo.root).whole
    recovered = Watch()
    demo.start()
    shown = demo.until(lambda shown: shown["brokers"] and shown["brokers"][0]["reconciled"])
    assert shown["seq"] >= flushed
    measured(row, detected_ms=detected_ms, recovered_ms=recovered.ms())


@pytest.mark.needs_root
def test_f23_a_sync_that_fails_ends_joed_which_recovers(mad):
    """EIO on fdatasync: never tried again; exit 75, and the restart has all that was durable."""
    dies_and_recovers(mad(), "F23", "fdatasync", "error=EIO")


@pytest.mark.needs_root
def test_f24_a_read_that_fails_ends_joed_which_recovers(mad):
    """EIO on reading and writing the journal's files."""
    dies_and_recovers(mad(), "F24", "pread64,pwrite64", "error=EIO")


@pytest.mark.needs_root
def test_f25_a_disk_that_hangs_is_told_of_holds_orders_back_and_not_the_loop(mad):
    """Each sync takes 3 s: an alert at 2 s, the loop answers, no order overtakes its record; then all is well again."""
    demo = mad()
    trading(demo)
    watch = Watch()
    with injected(demo, "fdatasync", "delay_enter=3000000", *files(demo)):
        until(lambda: "journal_slow" in demo.err.read_text(), what="the alert")
        detected_ms = watch.ms()
        answered = Watch()
        assert demo.status() is not None
        assert answered.ms() < 2000
    recovered = Watch()
    before = len(accepted(demo))
    until(lambda: len(accepted(demo)) > before, what="entries")
    measured("F25", detected_ms=detected_ms, recovered_ms=recovered.ms())
    sent = [event for event in facts(demo) if type(event).__name__ == "CommandSent"]
    assert sent


@pytest.mark.needs_root
def test_f25_a_disk_that_hangs_for_long_ends_entries(mad):
    """A sync of 13 s: at 10 s the journal has failed, reductions alone leave; the Block waits for a person."""
    demo = mad()
    trading(demo)
    watch = Watch()
    with injected(demo, "fdatasync", "delay_enter=13000000:when=1", *files(demo)):
        until(lambda: "journal_failed reason=SLOW" in demo.err.read_text(), 20, what="the failure")
        detected_ms = watch.ms()
        failed_ns = failed_at(demo)
        until(lambda: any(type(e).__name__ == "JournalRestored" for e in facts(demo)), 20, what="the journal")
    none_after(demo, failed_ns)
    shown = demo.status()
    assert "journal_failed" in [row["reason"] for row in shown["blocks"]]
    measured("F25", detected_ms=detected_ms, recovered_ms=watch.ms() - 13_000)


@pytest.mark.needs_root
def test_f29_a_disk_that_turns_read_only_stops_entries_and_not_joed(mad):
    """As a full one: told, survived, and over when it can be written again."""
    demo = mad()
    trading(demo)
    watch = Watch()
    changing = "pwrite64,write,openat,unlink,ftruncate,fallocate"
    with injected(demo, changing, "error=EROFS", thread=writer_of(demo)):
        until(lambda: "journal_failed reason=READONLY" in demo.err.read_text(), what="the failure")
        detected_ms = watch.ms()
        failed_ns = failed_at(demo)
        assert demo.status() is not None
        time.sleep(1.0)
    recovered = Watch()
    until(lambda: any(type(e).__name__ == "JournalRestored" for e in facts(demo)), what="the journal")
    none_after(demo, failed_ns)
    measured("F29", detected_ms=detected_ms, recovered_ms=recovered.ms())


def refused(demo, row):
    """Say that a start is refused with 78, changes nothing, and leaves the broker to the failsafe; measure it."""
    before = demo.places.journal.read_bytes()
    watch = Watch()
    demo.start()
    assert demo.wait(30) == 78
    detected_ms = watch.ms()
    assert demo.places.journal.read_bytes() == before
    recovered = Watch()
    done = joed("--failsafe", "--state-dir", demo.root, "--config", demo.config)
    assert "paper PAPER-1" in done.stdout, done.stdout + done.stderr
    assert read_latch(demo.root).scope == "orders"
    measured(row, detected_ms=detected_ms, recovered_ms=recovered.ms())


def stopped(demo):
    """Let joed trade, flush and die."""
    trading(demo)
    demo.ask("flush")
    demo.kill()
    return demo


@pytest.mark.parametrize("how", ["flipped", "torn"])
def test_f27_a_page_that_is_not_what_was_written_is_refused(mad, how):
    """One bit of a record, or half a page of zeros: 78, the file is kept, the failsafe looks after the broker."""
    demo = stopped(mad())
    data = bytearray(demo.places.journal.read_bytes())
    at = data.index(b'"type":"EpochStarted"') + 10
    if how == "flipped":
        data[at] ^= 1
    else:
        data[at - at % 4096 + 2048 : at - at % 4096 + 4096] = bytes(2048)
    demo.places.journal.write_bytes(data)
    refused(demo, "F27")


def test_f28_a_write_ahead_log_that_is_gone_is_missed(mad):
    """The witness knows what was durable: 78. F26: the same for a disk that said it had written and had not."""
    demo = stopped(mad())
    demo.places.journal.with_name("joed.db-wal").unlink()
    refused(demo, "F28")


def test_f26_a_disk_that_lied_about_the_last_commits_is_found_out(mad):
    """A power cut takes what the disk said it had: every shorter log is either whole to the witness or refused."""
    demo = mad()
    trading(demo)
    flushed = demo.ask("flush", "--json").json["seq"]
    demo.kill()
    wal = demo.places.journal.with_name("joed.db-wal")
    whole = wal.read_bytes()
    kept = demo.root / "kept"
    kept.mkdir()
    for file in files(demo):
        shutil.copy(file, kept)
    watch = Watch()
    for share in (0.9, 0.5, 0.1):
        for file in files(demo):
            shutil.copy(kept / file.name, file)
        demo.places.journal.with_name("joed.db-shm").unlink()
        wal.write_bytes(whole[: int(len(whole) * share)])
        demo.start()
        until(lambda: not demo.lives or (demo.status() or {}).get("brokers"), 60, "an answer or an end")
        ended = demo.process.poll()
        if ended is None:
            assert demo.status()["seq"] >= flushed  # what was cut held nothing new
            demo.kill()
        assert ended in {None, 78}, share
    assert ended == 78
    measured("F26", detected_ms=watch.ms() / 3)


def test_f28_an_index_that_is_gone_is_made_anew(mad):
    """-shm holds nothing that the log does not."""
    demo = stopped(mad())
    demo.places.journal.with_name("joed.db-shm").unlink()
    watch = Watch()
    demo.start()
    demo.until(lambda shown: shown["brokers"] and shown["brokers"][0]["reconciled"])
    measured("F28", recovered_ms=watch.ms())


def test_f28_an_older_copy_of_the_journal_is_found_out(mad, tmp_path):
    """Restored without its witness's knowledge, it ends before what was durable: 78."""
    demo = stopped(mad())
    for file in files(demo):
        shutil.copy(file, tmp_path)
    trading(demo)
    demo.ask("flush")
    demo.kill()
    for file in files(demo):
        shutil.copy(tmp_path / file.name, file)
    demo.places.journal.with_name("joed.db-shm").unlink()
    refused(demo, "F28")
