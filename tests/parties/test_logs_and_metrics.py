"""The log: whole JSON lines, and no job without it. The metrics: counted from the log."""

from __future__ import annotations

import json
import os
import resource
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from parties import logs, metrics
from parties.errors import LocalFault


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    logs.set_up(None)


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_each_event_is_one_json_line_with_level_and_time(tmp_path: Path) -> None:
    path = tmp_path / "deep/down/greenlane.log"
    logs.set_up(path)
    logs.Log(peer="police").bind(end="calling").info("call_began", of=tmp_path)
    logs.Log().warning("文", lines="a\nb")
    first, second = map(json.loads, lines(path))
    assert first.pop("timestamp").endswith("Z")
    assert first == {"event": "call_began", "peer": "police", "end": "calling", "level": "info"} | {
        "of": repr(tmp_path)
    }
    assert second["lines"] == "a\nb"
    assert "文" in path.read_text(encoding="utf-8")


def test_a_log_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "greenlane.log"
    for event in ("one", "two"):
        logs.set_up(path)
        logs.Log().info(event)
    assert [json.loads(line)["event"] for line in lines(path)] == ["one", "two"]


def test_without_a_file_the_log_is_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(None)
    logs.Log().info("hello")
    said = capsys.readouterr()
    assert said.out == ""
    assert json.loads(said.err)["event"] == "hello"
    logs.must_be_writable()


def test_a_log_that_cannot_be_opened_is_a_fault_of_this_machine(tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match="the log cannot be opened: Is a directory"):
        logs.set_up(tmp_path)


@pytest.mark.parametrize("complain", [False, True])
def test_a_log_on_a_full_disk_keeps_jobs_from_beginning_until_it_can_be_written(
    tmp_path: Path, complain: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "greenlane.log"
    logs.set_up(path, complain=complain)
    log = logs.Log()
    log.info("one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, before[1]))
    try:
        log.info("two")
        log.info("three")
        with pytest.raises(
            LocalFault, match=r"greenlane.log: the log cannot be written: File too la"
        ):
            logs.must_be_writable()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    said = capsys.readouterr().err
    assert said.count("\n") == complain
    assert said.startswith("greenlane: ") == complain
    log.info("four")
    logs.must_be_writable()
    one, torn, four = lines(path)
    assert (json.loads(one)["event"], json.loads(four)["event"]) == ("one", "four")
    assert len(torn) == 10


def test_the_file_is_closed_with_the_next_one(tmp_path: Path) -> None:
    logs.set_up(tmp_path / "greenlane.log")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        logs.set_up(tmp_path / "greenlane.log")
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_metrics_are_counted_from_the_log_and_show_names_and_numbers_only(tmp_path: Path) -> None:
    logs.set_up(tmp_path / "greenlane.log", counted=True)
    log = logs.Log(peer="a-peer", session="ab" * 16)
    ended = {"said_bytes": 10, "heard_bytes": 20, "seconds": 0.5}
    log.info("call_ended", end="calling", code="done", **ended)
    log.info("call_ended", end="calling", code="peer-lost", **ended)
    log.info("job_done", way="match", matches=[5])
    log.info("something", matches=[7])
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    metrics.serve(f"127.0.0.1:{port}")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        page = response.read().decode()
    ours = [
        line for line in page.splitlines() if 'peer="a-peer"' in line and "_created" not in line
    ]
    assert 'greenlane_calls_total{code="done",end="calling",peer="a-peer"} 1.0' in ours
    assert 'greenlane_calls_total{code="peer-lost",end="calling",peer="a-peer"} 1.0' in ours
    assert 'greenlane_said_bytes_total{end="calling",peer="a-peer"} 20.0' in ours
    assert 'greenlane_heard_bytes_total{end="calling",peer="a-peer"} 40.0' in ours
    assert 'greenlane_call_seconds_count{end="calling",peer="a-peer"} 2.0' in ours
    assert 'greenlane_jobs_total{peer="a-peer",way="match"} 1.0' in ours
    assert "ab" * 16 not in page, "a session is a label that never repeats"


def test_a_port_that_is_taken_is_a_fault_of_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(LocalFault, match=f"cannot serve metrics at {address}: Address already"):
            metrics.serve(address)
