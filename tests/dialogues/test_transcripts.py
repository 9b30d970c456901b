"""With fixed entropy the bytes on the wire do not change unnoticed.

`python tests/dialogues/test_transcripts.py` writes the files anew. Do that only after a change that
is meant to change what nodes say to each other: nodes of before and after do not understand each
other then, so the protocol's version goes up, and the change log says why.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from wiretap import BACK, OURS, SENT, THEIRS, kind, listen

from psi import Output

FOLDER = Path(__file__).parents[1] / "vectors" / "transcripts"
HOW = (
    "SHA-256 of each message of a run of psi.protocols.dh in memory, recorded by "
    "tests/dialogues/test_transcripts.py. Entropy.from_seed_for_tests was given 32 bytes 1 by the "
    "receiver and 32 bytes 2 by the sender; domain 'test', no context, max_elements 1000. "
    "tests/dialogues/test_reference.py shows that the reference says the same. These may change "
    "only with a change of the protocol that both sides make, and that raises its version."
)


def record(output: Output) -> dict[str, object]:
    """The run as its file tells it."""
    return {
        "source": HOW,
        "output": output.value,
        "receiver": {
            "identifiers": OURS,
            "positions": BACK.positions.tolist(),
            "labels": BACK.block.tobytes().hex(),
        },
        "sender": {
            "identifiers": THEIRS,
            "positions": SENT.positions.tolist(),
            "labels": SENT.block.tobytes().hex(),
        },
        "messages": [
            {
                "said_by": role.name.lower(),
                "kind": kind(message),
                "bytes": len(message),
                "sha256": hashlib.sha256(message).hexdigest(),
            }
            for role, message in listen(output, exact=False).messages
        ],
    }


def file_of(output: Output) -> Path:
    return FOLDER / f"dh_{output.value}.json"


@pytest.mark.parametrize("output", Output)
def test_the_bytes_on_the_wire_are_those_recorded(output):
    assert record(output) == json.loads(file_of(output).read_text())


@pytest.mark.parametrize("output", Output)
def test_only_entropy_makes_two_runs_differ(output):
    assert listen(output).messages == listen(output).messages
    assert listen(output).messages != listen(output, seeds=(1, 3)).messages


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in Output:
        file_of(each).write_text(json.dumps(record(each), indent=1) + "\n")
