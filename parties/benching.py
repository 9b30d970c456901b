"""Times a protocol: two processes, one a role, that meet over loopback TLS or over a pipe."""

from __future__ import annotations

import multiprocessing
import re
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Queue
from typing import Any, Final

from parties import logs
from parties.certificates import create_authority, issue
from parties.channel import Ended, Identity, Node, Peer
from parties.errors import PeerLost
from parties.settings import PeerSettings
from parties.threads import use
from psi import PROTOCOLS, Dialogue, Elements, Output, Parameters, Result
from psi.dialogue import HEAR

SESSION: Final = "0" * 32
DOMAIN: Final = "bench"


@dataclass(frozen=True, slots=True)
class Bench:
    """What is to be timed.

    Attributes:
        protocol: its name in `psi.protocols`.
        receiver: elements of the receiver.
        sender: elements of the sender; half of the smaller set is in common.
        threads: of the kernels, for each side.
        in_memory: whether the sides meet over a pipe of this machine instead of TLS.
    """

    protocol: str
    receiver: int
    sender: int
    threads: int
    in_memory: bool

    @property
    def common(self) -> int:
        """How many elements both sides hold."""
        return min(self.receiver, self.sender) // 2


def measure(bench: Bench) -> dict[str, Any]:
    """Runs the protocol once and returns what it took.

    Seconds and CPU seconds are from the first message to the result, once both sides hold their
    elements. Peak memory is of the whole process, the Python interpreter included.

    Raises:
        PeerLost: a side ended without a result.
    """
    spawn = multiprocessing.get_context("spawn")  # gRPC does not survive a fork
    with tempfile.TemporaryDirectory(prefix="greenlane-bench-") as folder:
        ours, theirs = spawn.Pipe()
        sides = {}
        for role, end in (("sender", theirs), ("receiver", ours)):
            report, back = spawn.Pipe(duplex=False)
            process = spawn.Process(
                target=_side, args=(bench, role, end, back, Path(folder)), daemon=True
            )
            process.start()
            back.close()
            sides[role] = (process, report)
        ours.close()
        theirs.close()
        taken = {}
        for role, (process, report) in sides.items():
            try:
                taken[role] = report.recv()
            except EOFError:
                raise PeerLost(f"the {role} of the bench ended without a result") from None
            process.join()
    receiver, sender = taken["receiver"], taken["sender"]
    return {
        "protocol": bench.protocol,
        "receiver_size": bench.receiver,
        "sender_size": bench.sender,
        "threads": bench.threads,
        "in_memory": bench.in_memory,
        "seconds": receiver["seconds"],
        "receiver_cpu_seconds": receiver["cpu"],
        "sender_cpu_seconds": sender["cpu"],
        "receiver_sent_bytes": receiver["sent"],
        "sender_sent_bytes": sender["sent"],
        "receiver_peak_mb": receiver["peak"],
        "sender_peak_mb": sender["peak"],
        "matches": receiver["matches"],
        "expected": bench.common,
    }


def _side(bench: Bench, role: str, line: Connection, report: Connection, folder: Path) -> None:
    """One process: makes its elements, meets the other side, reports."""
    logs.set_up(folder / f"{role}.log")
    use(bench.threads)
    converse = _dialogue(bench, role)
    meet: Callable[..., tuple[Any, int, float, float]] = _pipe if bench.in_memory else _tls
    result, sent, seconds, cpu = meet(role, converse, line, folder)
    report.send(
        {
            "matches": result.cardinality if isinstance(result, Result) else None,
            "sent": sent,
            "seconds": round(seconds, 4),
            "cpu": round(cpu, 4),
            "peak": _peak_mb(),
        }
    )


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
    elements = Elements.hash((f"{i:018d}" for i in range(start, start + size)), DOMAIN)
    receiver, sender = PROTOCOLS[bench.protocol]
    most = max(bench.receiver, bench.sender)
    parameters = Parameters(bench.protocol, Output.RECEIVER, DOMAIN, max_elements=most)
    side = (receiver if role == "receiver" else sender)(elements, parameters)
    return side.converse


def _pipe(
    role: str, converse: Callable[[], Dialogue[Any]], line: Connection, _: Path
) -> tuple[Any, int, float, float]:
    line.send_bytes(b"ready")
    line.recv_bytes()
    # A reader of its own, since both sides may say at once more than a pipe holds.
    arrived: Queue[bytes | None] = Queue()
    threading.Thread(target=_read, args=(line, arrived), daemon=True).start()
    sent, began, cpu = 0, time.monotonic(), time.process_time()
    dialogue, heard = converse(), None
    while True:
        try:
            want = dialogue.send(heard)
        except StopIteration as stop:
            return stop.value, sent, time.monotonic() - began, time.process_time() - cpu
        if want is not HEAR:
            line.send_bytes(want)
            sent, heard = sent + len(want), None
        elif (heard := arrived.get()) is None:
            raise PeerLost("the other side of the bench ended early")


def _read(line: Connection, arrived: Queue[bytes | None]) -> None:
    while True:
        try:
            arrived.put(line.recv_bytes())
        except (EOFError, OSError):
            arrived.put(None)
            return


def _tls(
    role: str, converse: Callable[[], Dialogue[Any]], line: Connection, folder: Path
) -> tuple[Any, int, float, float]:
    files = {who: Identity(folder / f"{who}.pem", folder / f"{who}.key") for who in _NODES}
    if role == "sender":
        for who in _NODES:
            authority = Identity(folder / f"{who}-ca.pem", folder / f"{who}-ca.key")
            create_authority(who, authority)
            issue(who, files[who], authority)
        return _answer(converse, files["sender"], line, folder)
    port = line.recv()
    peer = PeerSettings("sender", f"127.0.0.1:{port}", "sender", ca=folder / "sender-ca.pem")
    node = Peer(files["receiver"], peer)
    began, cpu = time.monotonic(), time.process_time()
    result = node.call(converse(), SESSION)
    taken = time.monotonic() - began, time.process_time() - cpu
    line.send("done")
    return result, node.carried.said_bytes, *taken


def _answer(
    converse: Callable[[], Dialogue[Any]], identity: Identity, line: Connection, folder: Path
) -> tuple[Any, int, float, float]:
    ended = list[Ended]()
    caller = PeerSettings("receiver", "127.0.0.1:1", "receiver", ca=folder / "receiver-ca.pem")
    node = Node("127.0.0.1:0", identity, [caller], lambda _, __: converse(), on_end=ended.append)
    began, cpu = time.monotonic(), time.process_time()
    line.send(node.start())
    line.recv()
    taken = time.monotonic() - began, time.process_time() - cpu
    node.stop(grace=5)
    return None, ended[0].carried.said_bytes, *taken


_NODES: Final = ("receiver", "sender")
