"""Times a protocol: a process for each role, which meet over TLS or in memory, or one for both."""

from __future__ import annotations

import gc
import multiprocessing
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parties import logs
from parties.certificates import create_authority, issue
from parties.channel import Ended, Identity, Node, Peer
from parties.errors import PeerLost
from parties.machine import keep_memory, use
from parties.passing import Passage, Slots
from parties.settings import PeerSettings
from psi import PROTOCOLS, Dialogue, Elements, Output, Parameters, Result, Side, converse
from psi.dialogue import HEAR

DOMAIN: Final = "bench"


@dataclass(frozen=True, slots=True)
class Bench:
    """What is to be timed.

    Attributes:
        protocol: its name in `psi.protocols`.
        receiver: elements of the receiver.
        sender: elements of the sender; half of the smaller set is in common.
        threads: of the kernels, for each side.
        meeting: over mutual "tls" on the loopback, through "memory" of this machine, or in one
            process in which the sides take "turns", so that their CPU is the protocol's alone.
        runs: how often, each a session of its own; medians are told.
    """

    protocol: str
    receiver: int
    sender: int
    threads: int
    meeting: Literal["tls", "memory", "turns"]
    runs: int = 1

    @property
    def common(self) -> int:
        """How many elements both sides hold."""
        return min(self.receiver, self.sender) // 2


def measure(bench: Bench) -> dict[str, Any]:
    """Runs the protocol and returns what it took.

    Seconds and CPU seconds are from the first message to the result, once both sides hold their
    elements; medians over all runs. Peak memory is of the whole process, the Python interpreter
    included, and `base_mb` of it was there before the first message.

    Raises:
        PeerLost: a side ended without a result.
    """
    taken = _measured_in_turns(bench) if bench.meeting == "turns" else _measured_apart(bench)
    receiver, sender = taken["receiver"], taken["sender"]
    return {
        "protocol": bench.protocol,
        "receiver_size": bench.receiver,
        "sender_size": bench.sender,
        "threads": bench.threads,
        "meeting": bench.meeting,
        "runs": bench.runs,
        "seconds": receiver["seconds"],
        "receiver_cpu_seconds": receiver["cpu"],
        "sender_cpu_seconds": sender["cpu"],
        "receiver_sent_bytes": receiver["sent"],
        "sender_sent_bytes": sender["sent"],
        "receiver_peak_mb": receiver["peak"],
        "sender_peak_mb": sender["peak"],
        "receiver_base_mb": receiver["base"],
        "sender_base_mb": sender["base"],
        "matches": receiver["matches"],
        "expected": bench.common,
    }


_SPAWN: Final = multiprocessing.get_context("spawn")
"""gRPC does not survive a fork."""


def _measured_apart(bench: Bench) -> dict[str, dict[str, Any]]:
    """What each side took, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="greenlane-bench-") as folder:
        ours, theirs = _SPAWN.Pipe()
        slots = (Slots(_SPAWN), Slots(_SPAWN)) if bench.meeting == "memory" else None
        reports = {
            role: _started(_side, bench, role, end, slots, Path(folder))
            for role, end in (("sender", theirs), ("receiver", ours))
        }
        ours.close()
        theirs.close()
        return {role: _reported(f"the {role} of the bench", *reports[role]) for role in reports}


def _measured_in_turns(bench: Bench) -> dict[str, dict[str, Any]]:
    """What both sides took in one process; its memory and seconds are those of both."""
    taken: dict[str, dict[str, Any]] = _reported("the bench", *_started(_both_sides, bench))
    return taken


def _started(target: Callable[..., None], *arguments: object) -> tuple[BaseProcess, Connection]:
    """Starts a process that reports at its end, and returns where the report will come."""
    report, back = _SPAWN.Pipe(duplex=False)
    process = _SPAWN.Process(target=target, args=(*arguments, back), daemon=True)
    process.start()
    back.close()
    return process, report


def _reported(who: str, process: BaseProcess, report: Connection) -> Any:
    try:
        taken = report.recv()
    except EOFError:
        raise PeerLost(f"{who} ended without a result") from None
    process.join()
    return taken


def _both_sides(bench: Bench, report: Connection) -> None:
    """One process: makes the elements of both sides, lets them take turns, reports."""
    use(bench.threads)
    converses = [_dialogue(bench, role) for role in _NODES]
    base = _forget_peak()
    runs = [_in_turns(*(converse() for converse in converses)) for _ in range(bench.runs)]
    sides = zip(_NODES, zip(*runs, strict=True), strict=True)
    report.send({role: _told(list(taken), base) for role, taken in sides})


def _in_turns(*dialogues: Dialogue[Any]) -> list[_Run]:
    """Runs the receiver's and the sender's dialogue against each other."""
    clocks, began = [_Clock(), _Clock()], time.monotonic()
    sides = (Side(clock.run(dialogue)) for clock, dialogue in zip(clocks, dialogues, strict=True))
    results = converse(*sides)
    seconds = time.monotonic() - began
    return [
        _Run(result, clock.sent, seconds, clock.cpu)
        for result, clock in zip(results, clocks, strict=True)
    ]


class _Clock:
    """What a dialogue says and takes while it is its turn."""

    def __init__(self) -> None:
        self.sent, self.cpu = 0, 0.0

    def run(self, dialogue: Dialogue[Any]) -> Dialogue[Any]:
        heard: bytes | None = None
        while True:
            before = time.process_time()
            try:
                want = dialogue.send(heard)
            except StopIteration as stop:
                return stop.value
            finally:
                self.cpu += time.process_time() - before
            if want is not HEAR:
                self.sent += len(want)
            heard = yield want


def _side(
    bench: Bench,
    role: str,
    line: Connection,
    slots: tuple[Slots, Slots] | None,
    folder: Path,
    report: Connection,
) -> None:
    """One process: makes its elements, meets the other side, reports."""
    logs.set_up(folder / f"{role}.log")
    use(bench.threads)
    converse = _dialogue(bench, role)
    if slots:
        memory = Passage(line, *(slots if role == "receiver" else reversed(slots)))
        base = _forget_peak()
        taken = [_in_memory(converse(), memory) for _ in range(bench.runs)]
    else:
        base = _forget_peak()
        taken = _tls(role, converse, line, folder, bench.runs)
    report.send(_told(taken, base))


def _told(taken: list[_Run], base: float) -> dict[str, Any]:
    """What is told of one side's runs."""
    result = taken[-1].result
    return {
        "matches": result.cardinality if isinstance(result, Result) else None,
        "sent": taken[-1].sent,
        "seconds": round(median(run.seconds for run in taken), 4),
        "cpu": round(median(run.cpu for run in taken), 4),
        "peak": _peak_mb(),
        "base": base,
    }


@dataclass(frozen=True, slots=True)
class _Run:
    """One session, as one side took it."""

    result: Any
    sent: int
    seconds: float
    cpu: float


def _forget_peak() -> float:
    """Starts the peak anew from the memory in use, which is returned, in MiB."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    keep_memory()  # anew: nothing yet
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak_mb()


def _peak_mb() -> float:
    """Peak memory since this program was started; `ru_maxrss` would include the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kilobytes = re.search(r"VmHWM:\s+(\d+)", status)
    return round(int(kilobytes[1]) / 1024, 1) if kilobytes else 0.0


def _dialogue(bench: Bench, role: str) -> Callable[[], Dialogue[Any]]:
    size, start = (
        (bench.receiver, 0) if role == "receiver" else (bench.sender, bench.receiver - bench.common)
    )
    # Texts as long as a resident ID; the sender's first are the receiver's last.
    numbers = pa.array(np.arange(start, start + size)).cast(pa.large_string())
    elements = Elements.hash(pc.utf8_lpad(numbers, 18, "0"), DOMAIN)
    protocol = PROTOCOLS[bench.protocol]
    most = max(bench.receiver, bench.sender)
    parameters = Parameters(bench.protocol, Output.RECEIVER, DOMAIN, max_elements=most)
    kind = protocol.receiver if role == "receiver" else protocol.sender
    side = kind(elements, parameters, exact=True)
    return side.converse


def _in_memory(dialogue: Dialogue[Any], line: Passage) -> _Run:
    line.send(b"")
    if line.receive() is None:  # both are ready
        raise PeerLost("the other side of the bench ended before it began")
    sent, began, cpu = 0, time.monotonic(), time.process_time()
    heard = None
    while True:
        try:
            want = dialogue.send(heard)
        except StopIteration as stop:
            taken = time.monotonic() - began, time.process_time() - cpu
            return _Run(stop.value, sent, *taken)
        if want is not HEAR:
            line.send(want)
            sent, heard = sent + len(want), None
        elif (heard := line.receive()) is None:
            raise PeerLost("the other side of the bench ended early")


def _tls(
    role: str, converse: Callable[[], Dialogue[Any]], line: Connection, folder: Path, runs: int
) -> list[_Run]:
    files = {who: Identity(folder / f"{who}.pem", folder / f"{who}.key") for who in _NODES}
    if role == "sender":
        for who in _NODES:
            authority = Identity(folder / f"{who}-ca.pem", folder / f"{who}-ca.key")
            create_authority(who, authority)
            issue(who, files[who], authority)
        return _answer(converse, files["sender"], line, folder)
    port = line.recv()
    peer = PeerSettings("sender", f"127.0.0.1:{port}", "sender", ca=folder / "sender-ca.pem")
    taken = []
    for number in range(runs):
        node = Peer(files["receiver"], peer)
        began, cpu = time.monotonic(), time.process_time()
        result = node.call(converse(), f"{number:032x}")
        spent = time.monotonic() - began, time.process_time() - cpu
        taken.append(_Run(result, node.carried.said_bytes, *spent))
    line.send("done")
    return taken


def _answer(
    converse: Callable[[], Dialogue[Any]], identity: Identity, line: Connection, folder: Path
) -> list[_Run]:
    began, taken = list[tuple[float, float]](), list[_Run]()

    def start(_: str, __: str) -> Dialogue[Any]:
        began.append((time.monotonic(), time.process_time()))
        return converse()

    def end(ended: Ended) -> None:
        seconds, cpu = began[-1]
        spent = time.monotonic() - seconds, time.process_time() - cpu
        taken.append(_Run(None, ended.carried.said_bytes, *spent))

    caller = PeerSettings("receiver", "127.0.0.1:1", "receiver", ca=folder / "receiver-ca.pem")
    node = Node("127.0.0.1:0", identity, [caller], start, on_end=end)
    line.send(node.start())
    line.recv()
    node.stop(grace=5)
    return taken


_NODES: Final = ("receiver", "sender")
