"""A node that is not there, comes late, is killed, is told to stop, or has a full disk."""

from __future__ import annotations

import os
import resource
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from parties import answering
from parties.joining import results

INTERRUPTED = "greenlane: interrupted; nothing was learnt\n"


def test_a_node_that_is_down_is_one_sentence(two: Any) -> None:
    two.ask("count").fails(
        6, "peer-unreachable", "^police at .*: nobody listens there; is the node"
    )
    assert two.insurer.left == set()


def test_a_node_that_is_slow_to_prepare_is_waited_for(
    two: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three times the patience of both ends: what counts is that it is alive."""
    real = answering.prepare

    def slow(*arguments: Any, **named: Any) -> Any:
        time.sleep(3)
        return real(*arguments, **named)

    monkeypatch.setattr(answering, "prepare", slow)
    for party in (two.insurer, two.police):
        party.change("# metrics", "patience = 1 #")
    with two.answering():
        ending = two.ask("count", "--set", "person")
    assert (ending.status, ending.err) == (0, "")
    assert ending.report["seconds"] > 3


@pytest.fixture
def long_job(two: Any, slow_line: Any) -> Any:
    """Two nodes between which a job takes some seconds, and which miss each other after two."""
    for party in (two.insurer, two.police):
        party.change("# metrics", "patience = 2 #")
    slow_line(two.insurer, two.police)
    return two


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_node_that_is_lost_half_way_is_one_sentence_in_bounded_time(
    long_job: Any, serve: Any, tmp_path: Path, number: signal.Signals
) -> None:
    node, earlier = serve(long_job.police), tmp_path / "out/joined.csv"
    long_job.killed = True
    earlier.parent.mkdir()
    earlier.write_text("of an earlier job")

    def lose() -> None:
        long_job.police.wait_for("job_proposed")
        time.sleep(0.3)
        node.send(number)

    threading.Thread(target=lose).start()
    began = time.monotonic()
    ending = long_job.ask("match", "--learns", "both", "--format", "csv", "--out", str(earlier))
    assert time.monotonic() - began < 15
    ending.fails(6, "peer-lost", "broke before the dialogue was over|gave no sign of life")
    assert earlier.read_text() == "of an earlier job"
    assert list(earlier.parent.iterdir()) == [earlier]
    assert long_job.insurer.left == set()


def asks(two: Any) -> list[str]:
    settings = str(two.insurer.file)
    return ["match", "--settings", settings, "--peer", "police", "--learns", "both", "--json"]


def test_an_asker_that_is_killed_half_way_leaves_a_node_that_answers_the_next(
    long_job: Any, start: Any, serve: Any
) -> None:
    node, asker = serve(long_job.police), start(*asks(long_job))
    long_job.killed = True
    long_job.police.wait_for("job_proposed")
    time.sleep(0.3)
    asker.send(signal.SIGKILL)
    assert asker.end().status == -signal.SIGKILL
    ended = long_job.police.wait_for("call_ended")
    assert (ended["code"], ended["peer"]) == ("peer-lost", "insurer")
    assert long_job.ask("count", "--set", "person").report["sets"][0]["matches"] == 1
    assert long_job.police.left == set()
    node.send(signal.SIGTERM)
    ending = node.end()
    assert (ending.status, ending.err) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_asker_that_is_interrupted_says_so_and_tells_the_node(
    long_job: Any, start: Any, number: signal.Signals
) -> None:
    with long_job.answering() as ends:
        asker = start(*asks(long_job))
        long_job.insurer.wait_for("call_began")
        time.sleep(0.7)
        asker.send(number)
        ending = asker.end(10)
        ending.fails(130, "interrupted", "^interrupted; nothing was learnt$")
    assert ending.err == INTERRUPTED
    assert [end.code for end in ends] == ["interrupted"]
    assert (long_job.insurer.left, long_job.police.left) == (set(), set())


# --- a node is told to stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_node_that_is_told_to_stop_ends_well(two: Any, serve: Any, number: int) -> None:
    node = serve(two.police)
    node.send(number)
    ending = node.end(10)
    assert (ending.status, ending.out, ending.err) == (0, "", "")
    assert two.police.events("node_stopped")


def test_a_running_job_is_finished_before_a_node_stops(long_job: Any, serve: Any) -> None:
    node = serve(long_job.police)

    def stop() -> None:
        long_job.police.wait_for("job_proposed")
        node.send(signal.SIGTERM)

    threading.Thread(target=stop).start()
    assert long_job.ask("count", "--set", "person").status == 0
    ending = node.end(10)
    assert (ending.status, ending.err) == (0, "")
    assert [event["code"] for event in long_job.police.events("call_ended")] == ["done"]


def test_a_node_that_is_told_twice_ends_at_once(long_job: Any, serve: Any) -> None:
    node, ended = serve(long_job.police), list[float]()
    long_job.killed = True

    def stop() -> None:
        long_job.police.wait_for("job_proposed")
        node.send(signal.SIGTERM)
        time.sleep(0.3)
        node.send(signal.SIGTERM)
        began = time.monotonic()
        ended.append(node.process.wait(10))
        ended.append(time.monotonic() - began)

    stopper = threading.Thread(target=stop)
    stopper.start()
    long_job.ask("match", "--learns", "both").fails(6, "peer-lost", "broke before|stopped")
    stopper.join()
    status, seconds = ended
    assert (status, node.end().err) == (130, INTERRUPTED)
    assert seconds < 3
    assert long_job.police.left <= {""}


# --- a full disk


@contextmanager
def full(bytes_of_a_file: int) -> Iterator[None]:
    """The system refuses to write more to any file of this process, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_of_a_file, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


ROOM = 1_000_000
"""Bytes of a file, for the store and a log of a few jobs, but not for what the tests join."""


def test_a_disk_that_is_full_of_results_is_one_sentence(two: Any) -> None:
    rows = "C-2,440524188001010014,11010519491231002X,,粤BD12345,,800.50\n" * 30_000
    two.insurer.rows.write_text(two.insurer.rows.read_text("utf-8") + rows, "utf-8")
    with two.answering(), full(ROOM):
        ending = two.ask("match", "--format", "csv", "--set", "person")
    ending.fails(9, "local", "^joined.csv cannot be written: File too large$")
    assert two.insurer.left == set()


def test_a_node_whose_disk_is_full_of_results_tells_a_word(two: Any, serve: Any) -> None:
    numbers = (secrets.token_hex(16) for _ in range(60_000))  # which cannot be compressed
    rows = "".join(f"R-{number},11010519491231002x,,,,violation\n" for number in numbers)
    two.police.rows.write_text(two.police.rows.read_text("utf-8") + rows, "utf-8")
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({ROOM}, 10**9))"
    node = serve(two.police, before=limit)
    ending = two.ask("match", "--learns", "peer", "--set", "person")
    ending.fails(7, "local", "^police lacks disk space or a permission; its operator")
    (failed,) = two.police.events("job_failed")
    assert failed["why"] == "joined.parquet cannot be written: File too large"
    assert two.police.left == set()
    assert two.ask("count", "--set", "person").status == 0
    node.send(signal.SIGTERM)
    assert node.end().status == 0


def test_a_log_that_cannot_be_written_keeps_us_from_asking(two: Any) -> None:
    two.insurer.change('log = "greenlane.log"', 'log = "/dev/full"')
    ending = two.ask("count")
    ending.fails(
        9, "local", "^/dev/full: the log cannot be written: No space left on device; no job"
    )


def test_a_node_begins_no_job_while_its_log_cannot_be_written(two: Any, serve: Any) -> None:
    log = two.police.folder / "greenlane.log"
    log.write_text("\n" * (ROOM - 250), "utf-8")
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({ROOM}, 10**9))"
    node = serve(two.police, before=limit)
    for _ in range(2):
        two.ask("count", "--set", "person").fails(7, "local", "^police lacks disk space")
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (10**9, 10**9))
    assert two.ask("count", "--set", "person").status == 0
    node.send(signal.SIGTERM)
    ending = node.end()
    assert ending.status == 0
    assert ending.err.count("\n") == 1, "told once, on stderr"
    assert "greenlane.log: the log cannot be written: File too large" in ending.err
    lines = [line for line in log.read_text("utf-8").splitlines() if line]
    whole = [line for line in lines if line.startswith("{") and line.endswith("}")]
    assert len(lines) - len(whole) == 1, "the line on which the disk was full, and no other"
    assert two.police.left == set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
@pytest.mark.parametrize("way", ["version", "check", "serve"])
def test_a_full_disk_behind_stdout_is_one_sentence(
    two: Any, start: Callable[..., Any], way: str
) -> None:
    where = () if way == "version" else ("--settings", str(two.insurer.file))
    to_full = "import os, sys; os.dup2(os.open('/dev/full', os.O_WRONLY), 1)"
    ending = start(way, *where, before=to_full).end()
    assert ending.status == 9
    assert ending.err == "greenlane: the operating system says: No space left on device\n"


def test_rows_are_whole_or_not_there_on_a_file_system_where_each_file_has_a_name(
    two: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def named(path: Any, flags: int, *mode: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(95, "Operation not supported")
        return real(path, flags, *mode)

    monkeypatch.setattr(results.os, "open", named)
    with two.answering():
        ending = two.ask("match", "--learns", "both")
    assert ending.status == 0
    assert (two.insurer.left, two.police.left) == ({"", "joined.parquet"},) * 2
