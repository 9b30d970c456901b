"""What a protocol costs on this machine: measured once, in about a second, and kept.

The planner needs seconds of this machine, not of the one on which somebody wrote a number down.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Any, Final

from psi import PROTOCOLS, Elements, Labels, Output, Parameters, Side, _core, converse
from psi.planner import Cost
from psi.subprotocols.decoys import DECOYS

FILE: Final = "calibration.json"
_FORM: Final = 2
"""Of the file; another one is measured anew."""
_SIZES: Final = {
    "dh": 192,
    "vole": 1 << 15,
    "vole-malicious": 1 << 15,
    "vole-stationary": 1 << 15,
}
"""Elements of the smaller runs: some 50 ms each, enough for the clock and short to wait for."""
_GROWTH: Final = 3
"""How much larger one side is in the runs that tell what an element of it costs."""


def costs(folder: Path, threads: int, names: Collection[str]) -> dict[str, Cost]:
    """Reads the costs of some protocols from the folder; measures what is not there, and leaves it.

    Args:
        folder: of this node's results; a file in it that does not fit is made anew.
        threads: of the kernels; 0 for all cores.
        names: of the protocols. One that is not among them is not worth waiting for.
    """
    machine = [_core.VERSION, threads or os.cpu_count(), *os.uname()[1::3]]
    path = folder / FILE
    kept = _read(path, machine)
    if missing := [name for name in names if name not in kept]:
        kept |= {name: _measure(name) for name in missing}
        _write(path, machine, kept)
    return {name: kept[name] for name in names}


def _write(path: Path, machine: list[Any], costs: dict[str, Cost]) -> None:
    values = {name: cost._asdict() for name, cost in sorted(costs.items())}
    # A disk that is full or not ours is no reason not to match: it is then measured again.
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps({"form": _FORM, "machine": machine, "costs": values}, indent=2) + "\n",
            encoding="utf-8",
        )


def _read(path: Path, machine: list[Any]) -> dict[str, Cost]:
    """What is kept of this machine; nothing if a part of it does not fit."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if (
            kept["form"] != _FORM
            or kept["machine"] != machine
            or not set(kept["costs"]) <= set(PROTOCOLS)
        ):
            return {}
        costs = {name: Cost(**values) for name, values in kept["costs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return costs if all(_is_sane(cost) for cost in costs.values()) else {}


def _is_sane(cost: Cost) -> bool:
    values = (cost.fixed, cost.receiver, cost.sender)
    return all(isinstance(value, float) and 0 <= value < 1e3 for value in values)


def _measure(name: str) -> Cost:
    """Runs in memory: both sides small, then one of them larger."""
    size = _SIZES[name]
    _seconds(name, size, size)  # what only a first run pays is not measured
    small = _least(name, size, size)
    step = size * (_GROWTH - 1)
    receiver = max(0.0, _least(name, _GROWTH * size, size) - small) / step
    sender = max(0.0, _least(name, size, _GROWTH * size) - small) / step
    fixed = max(0.0, small - (size + DECOYS) * (receiver + sender))
    return Cost(fixed, receiver, sender)


def _least(name: str, receivers: int, senders: int) -> float:
    """The least of two runs: what else the machine does only makes a run longer."""
    return min(_seconds(name, receivers, senders) for _ in range(2))


def _seconds(name: str, receivers: int, senders: int) -> float:
    protocol = PROTOCOLS[name]
    parameters = Parameters(name, Output.RECEIVER, "calibration", max_elements=1 << 20)
    elements = [Elements(_made_up(count)) for count in (receivers, senders)]
    receiver = protocol.receiver(elements[0], parameters, exact=True)
    # With records, which is dearer: a node tells them unless it discloses no columns.
    labels = Labels.none(senders) if protocol.labels else None
    sender = protocol.sender(elements[1], parameters, labels, exact=True)
    # Of the processor: what else the machine does would make a small run longer than a large one,
    # and an element would then cost nothing.
    began = time.process_time()
    converse(Side(receiver.converse()), Side(sender.converse()))
    return time.process_time() - began


def _made_up(count: int) -> bytes:
    """Elements, ascending, whose first 16 bytes differ, as those of hashes do."""
    return b"".join(map(Struct(">8xQ16x").pack, range(count)))
