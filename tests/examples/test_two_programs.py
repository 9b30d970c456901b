"""The example of a line of one's own: two programs, each with a file, and what a bad peer does."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "examples" / "two_programs.py"
MINE = ["浙A12345", "粤BD12345", "沪C00001", '"quoted, with a comma"']
THEIRS = ['"quoted, with a comma"', "京A88888", "粤BD12345"]


def program(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def file(path: Path, plates: list[str]) -> Path:
    path.write_text("\n".join(["plate", *plates]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_two_programs_find_what_stands_in_both_files(tmp_path: Path, port: int) -> None:
    out = tmp_path / "common.csv"
    receiver = program("receiver", port, file(tmp_path / "claims.csv", MINE), "plate", out)
    sender = program("sender", port, file(tmp_path / "accidents.csv", THEIRS), "plate")
    assert sender.communicate(timeout=60) == ("", "")
    assert receiver.communicate(timeout=60) == ("2 of 4\n", "")
    assert out.read_text(encoding="utf-8").splitlines() == [
        '"plate"',
        '"粤BD12345"',
        '"quoted, with a comma"',
    ]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (struct.pack("<I", 5) + b"noise", "psi.errors.MalformedMessage"),
        (struct.pack("<I", 1 << 31), "ConnectionError: a message of 2147483648 bytes"),
        (struct.pack("<I", 9) + b"cut", "ConnectionError: the other program has ended"),
        (b"", "ConnectionError: the other program has ended"),
    ],
)
def test_a_bad_peer_ends_a_program(tmp_path: Path, port: int, said: bytes, error: str) -> None:
    out = tmp_path / "common.csv"
    with socket.create_server(("127.0.0.1", port)) as listening:
        receiver = program("receiver", port, file(tmp_path / "claims.csv", MINE), "plate", out)
        line, _ = listening.accept()
        with line:
            line.sendall(said)
            line.shutdown(socket.SHUT_WR)
            printed, told = receiver.communicate(timeout=60)
    assert (receiver.returncode, printed, out.exists()) == (1, "", False)
    assert error in told.splitlines()[-1]
