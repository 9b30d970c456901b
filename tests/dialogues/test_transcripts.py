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
from wiretap import (
    BACK,
    CHECKED,
    DH,
    OURS,
    PLAIN,
    SEALED,
    SENT,
    STATIONARY,
    THEIRS,
    Match,
    kind,
)

from psi import Labels

FOLDER = Path(__file__).parents[1] / "vectors" / "transcripts"
HOW = (
    "SHA-256 of each message of a run of psi.protocols.{protocol} in memory, recorded by "
    "tests/dialogues/test_transcripts.py. Entropy.from_seed_for_tests was given 32 bytes 1 by the "
    "receiver and 32 bytes 2 by the sender; domain 'test', no context, max_elements 1000. "
    "{reference}. These may change "
    "only with a change of the protocol that both sides make, and that raises its version."
)
REFERENCE = {
    "dh": "tests/dialogues/test_reference.py shows that the reference says the same",
    "vole": "tests/dialogues/test_vole_reference.py shows that the reference understands the same",
    "vole-malicious": "tests/dialogues/test_vole_malicious.py shows that the reference understands "
    "the same",
    "vole-stationary": "tests/dialogues/test_stationary_reference.py shows that the reference "
    "understands the same",
}
MATCHES = [*DH, PLAIN, SEALED, CHECKED, STATIONARY]


def record(match: Match) -> dict[str, object]:
    """The run as its file tells it."""
    sent = SENT if match.told else Labels.none(0)
    module = match.protocol.replace("-", "_")
    return {
        "source": HOW.format(protocol=module, reference=REFERENCE[match.protocol]),
        "output": match.output.value,
        "receiver": {
            "identifiers": OURS,
            "positions": BACK.positions.tolist(),
            "labels": BACK.block.tobytes().hex(),
        },
        "sender": {
            "identifiers": THEIRS,
            "positions": sent.positions.tolist(),
            "labels": sent.block.tobytes().hex(),
        },
        "messages": [
            {
                "said_by": role.name.lower(),
                "kind": kind(message),
                "bytes": len(message),
                "sha256": hashlib.sha256(message).hexdigest(),
            }
            for role, message in match.listen(exact=False).messages
        ],
    }


def file_of(match: Match) -> Path:
    return FOLDER / f"{match.protocol}_{match.output.value}.json".replace("-", "_")


@pytest.mark.parametrize("match", MATCHES, ids=str)
def test_the_bytes_on_the_wire_are_those_recorded(match):
    assert record(match) == json.loads(file_of(match).read_text())


@pytest.mark.parametrize("match", MATCHES, ids=str)
def test_only_entropy_makes_two_runs_differ(match):
    assert match.listen().messages == match.listen().messages
    assert match.listen().messages != match.listen(seeds=(1, 3)).messages


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in MATCHES:
        file_of(each).write_text(json.dumps(record(each), indent=1) + "\n")
