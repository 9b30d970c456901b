"""Whole jobs of two programs: a CSV file on each side, a result file on one, two processes.

Every run gets the same files: rows of 18 digits, half of them in common, in random order.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from watching import Run, Watch

from parties.settings_file import load
from parties.tickets.trial import write_trial

ROLES = ("insurer", "police")
"""The receiver and the sender."""
GREENLANE = (sys.executable, "-m", "parties")
RECORD = ("record_no", "record_type", "event_time")
"""Columns of a record, which the sender may disclose."""
TWO_PROGRAMS = Path(__file__).parents[2] / "examples" / "two_programs.py"

SETTINGS = """
[node]
name = "{role}"
role = "{role}"
listen = "127.0.0.1:{port}"
certificate = "tls/node.pem"
key = "tls/node.key"
results = "results"
log = "greenlane.log"
threads = 1

[operators]
authority = "tls/authority.pem"

[source]
format = "csv"
paths = ["{rows}"]

[identifiers.id]
kind = "text"
columns = ["id"]

[peers.{other}]
address = "127.0.0.1:{other_port}"
ca = "tls/{other}.pem"
disclose = {disclose}
daily_elements = 1_000_000_000
daily_sets = 20_000
"""

SPU_SIDE = """
import sys
import spu.libspu.link as link
import spu.psi as psi
rank, unique, curve, rows, result, *addresses = sys.argv[1:]
parties = link.Desc()
for number, address in enumerate(addresses):
    parties.add_party(f"party-{number}", address)
line = link.create_brpc(parties, int(rank))
csv = psi.SourceType.SOURCE_TYPE_FILE_CSV
if curve == "none":
    protocol = psi.PsiProtocolConfig(
        protocol=psi.PsiProtocol.PROTOCOL_RR22,
        receiver_rank=0,
        broadcast_result=False,
        rr22_params=psi.Rr22Rarams(low_comm_mode=False),
    )
else:
    protocol = psi.PsiProtocolConfig(
        protocol=psi.PsiProtocol.PROTOCOL_ECDH,
        receiver_rank=0,
        broadcast_result=False,
        ecdh_params=psi.EcdhParams(curve=getattr(psi.EllipticCurveType, curve)),
    )
config = psi.PsiExecuteConfig(
    protocol_conf=protocol,
    input_params=psi.InputParams(
        type=csv, path=rows, selected_keys=["id"], keys_unique=unique == "unique"
    ),
    output_params=psi.OutputParams(type=csv, path=result, disable_alignment=True),
    join_conf=psi.ResultJoinConfig(type=psi.ResultJoinType.JOIN_TYPE_INNER_JOIN),
)
psi.psi_execute(config, line)
line.stop_link()
"""

MADE_UP = """
import sys
from pathlib import Path
import numpy as np
folder, rows, columns = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
random = np.random.default_rng(rows)
# An odd factor makes different numbers of different ones modulo 2^59, which has 18 digits.
numbers = np.arange(2 * rows - rows // 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
numbers %= np.uint64(1 << 59)
for name, mine in (("receiver", numbers[:rows]), ("sender", numbers[-rows:])):
    mine = random.permutation(mine)
    with (folder / f"{name}-{rows}.csv").open("w") as file:
        if name == "sender" and columns:
            file.write(",".join(["id", *columns]) + "\\n")
            file.writelines(
                f"{number:018d},R{row:09d},accident,2026-{row % 12 + 1:02d}-08 09:{row % 60:02d}\\n"
                for row, number in enumerate(mine.tolist())
            )
        else:
            file.write("id\\n")
            file.writelines(f"{number:018d}\\n" for number in mine.tolist())
"""
"""In a process of its own: a child begins with its parent's peak of memory."""


@dataclass(frozen=True, slots=True)
class Files:
    """The rows of both sides, and how many the result must have."""

    receiver: Path
    sender: Path
    common: int


def run_greenlane(
    folder: Path,
    files: Files,
    protocol: str,
    program: Sequence[str] = GREENLANE,
    disclosed: Sequence[str] = (),
    times: int = 1,
) -> Run:
    """Runs `serve` as the sender and `match` as the receiver, under one ticket.

    Args:
        folder: of both nodes.
        files: what they read.
        protocol: by which they match.
        program: another one, if told.
        disclosed: columns of the sender that the receiver learns for matches.
        times: how many matches, one after the other; all of them count.
    """
    ports = dict(zip(ROLES, free_ports(), strict=True))
    rows = dict(zip(ROLES, (files.receiver, files.sender), strict=True))
    for role, other in (ROLES, ROLES[::-1]):
        text = SETTINGS.format(
            role=role,
            other=other,
            port=ports[role],
            other_port=ports[other],
            rows=rows[role],
            disclose=json.dumps(disclosed if role == "police" else []),
        )
        (folder / role / "greenlane.toml").write_text(text, encoding="utf-8")
    nodes = (load(folder / role / "greenlane.toml") for role in ROLES)
    write_trial(*nodes, datetime.now(UTC))
    insurer, police = (str(folder / role / "greenlane.toml") for role in ROLES)
    result = folder / "joined.csv"
    with Watch(folder) as watch:
        sender = watch.start(*program, "serve", "--settings", police, "--json")
        watch.until_said(sender, b"listen")
        receivers = []
        for _ in range(times):
            result.unlink(missing_ok=True)
            receiver = watch.start(
                *(*program, "match", "--settings", insurer, "--peer", "police", "--json"),
                *("--protocol", protocol, "--format", "csv", "--out", str(result)),
            )
            watch.until_ended(receiver)
            receivers.append(receiver)
        os.kill(sender, signal.SIGTERM)
        watch.until_ended(sender)
    must_have(result, files.common)
    report = json.loads(watch.said(receiver))
    run = watch.run(receiver, sender, report["said_bytes"] + report["heard_bytes"])
    return replace(run, cpu=(sum(watch.took(each)[1] for each in receivers), run.cpu[1]))


def run_psi(folder: Path, files: Files) -> Run:
    """Runs the example in which engineers carry a dialogue of `psi` over a line of their own."""
    port, result = str(free_ports()[0]), folder / "common.csv"
    sides = (("sender", files.sender, ()), ("receiver", files.receiver, (str(result),)))
    with Watch(folder) as watch:
        sender, receiver = (
            watch.start(sys.executable, str(TWO_PROGRAMS), role, port, str(rows), "id", *out)
            for role, rows, out in sides
        )
        watch.until_ended(receiver)
        watch.until_ended(sender)
    must_have(result, files.common)
    return watch.run(receiver, sender, None)


def run_spu(python: Path, folder: Path, files: Files, curve: str | None, *, unique: bool) -> Run:
    """Runs both parties of spu; the first is the receiver.

    Args:
        python: of the environment with spu.
        folder: for what it leaves.
        files: what it reads.
        curve: on which it runs ECDH; None for RR22.
        unique: whether it is told that no key stands in two rows.
    """
    addresses = [f"127.0.0.1:{port}" for port in free_ports()]
    result, none = folder / "spu.csv", folder / "none.csv"
    keys = "unique" if unique else "unknown"

    def start(rank: int, rows: Path, out: Path) -> int:
        options = (str(rank), keys, curve or "none", str(rows), str(out), *addresses)
        return watch.start(str(python), "-c", SPU_SIDE, *options)

    with Watch(folder) as watch:
        receiver = start(0, files.receiver, result)
        sender = start(1, files.sender, none)
        watch.until_ended(receiver)
        watch.until_ended(sender)
    must_have(result, files.common)
    return watch.run(receiver, sender, None)


def must_have(result: Path, rows: int) -> None:
    """Ends the comparison if a result does not have as many rows as were planted; removes it."""
    with result.open("rb") as file:
        had = sum(1 for _ in file) - 1
    result.unlink()
    if had != rows:
        raise SystemExit(f"{result.name}: {had} rows, {rows} were planted")


# --- what they need


def found(folder: Path) -> None:
    """Makes two nodes that know each other; their settings are written for each run."""
    for role, other in (ROLES, ROLES[::-1]):
        known = ["--peer", str(folder / other)] if (folder / other).exists() else []
        command = [*GREENLANE, "init", role, str(folder / role), *known]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def made_up(folder: Path, rows: int, columns: Sequence[str] = ()) -> Files:
    """Makes the files of both sides; the sender's with columns of a record, if any are named."""
    subprocess.run([sys.executable, "-c", MADE_UP, str(folder), str(rows), *columns], check=True)
    receiver, sender = (folder / f"{side}-{rows}.csv" for side in ("receiver", "sender"))
    return Files(receiver, sender, common=rows // 2)


def free_ports() -> list[int]:
    """Finds two ports that are free now; the programs take them a moment later."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in ROLES]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
