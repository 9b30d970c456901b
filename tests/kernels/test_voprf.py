"""The function of inquiries and its tables: RFC 9497's vectors, the reference, and wrong calls."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference import ristretto255, table, voprf
from secrecy import check_it_shows_nothing

from psi import Elements, _core, tables

VECTORS = Path(__file__).parents[1] / "vectors"
RFC_9497 = json.loads((VECTORS / "rfc9497.json").read_text())["suites"]
CASES = [(suite, vector) for suite in RFC_9497 for vector in suite["vectors"]]
SEED = b"\7" * 32
WRAPPING = b"\1" * 32


def entropy() -> _core.Entropy:
    return _core.Entropy.from_seed_for_tests(SEED)


@cache
def key() -> _core.VoprfKey:
    return _core.VoprfKey.draw(entropy())


def secret() -> int:
    """The scalar behind `key`, as the reference draws it: 64 bytes modulo the order."""
    return int.from_bytes(entropy().bytes(64), "little") % ristretto255.ORDER


def suites() -> list[tuple[_core.VoprfSuite, voprf.Suite]]:
    return [
        (_core.VoprfSuite.verifiable(), voprf.Suite(1)),
        (_core.VoprfSuite.partial(b"2026-11"), voprf.Suite(2, b"2026-11")),
    ]


def elements(count: int, start: int = 0) -> bytes:
    return b"".join(sha256(b"%d" % i).digest() for i in range(start, start + count))


def rows(block: bytes, width: int = 32) -> list[bytes]:
    return [block[at : at + width] for at in range(0, len(block), width)]


@pytest.mark.parametrize(("suite", "vector"), CASES)
def test_the_reference_is_rfc_9497(suite: dict[str, Any], vector: dict[str, Any]) -> None:
    def listed(name: str) -> list[bytes]:
        return [bytes.fromhex(text) for text in vector[name].split(",")]

    ours = voprf.Suite(suite["mode"], bytes.fromhex(vector.get("Info", "")))
    secret = ours.derive_key(bytes.fromhex(suite["seed"]), bytes.fromhex(suite["keyInfo"]))
    assert secret.to_bytes(32, "little").hex() == suite["skSm"]
    blinds = [int.from_bytes(each, "little") for each in listed("Blind")]
    blinded = [ours.blind(*each) for each in zip(listed("Input"), blinds, strict=True)]
    assert blinded == listed("BlindedElement")
    evaluated = ours.evaluate(secret, blinded)
    assert evaluated == listed("EvaluationElement")
    if suite["mode"]:
        r = int.from_bytes(bytes.fromhex(vector["Proof"]["r"]), "little")
        proof = ours.prove(secret, blinded, evaluated, r)
        assert proof.hex() == vector["Proof"]["proof"]
        ours.verify(bytes.fromhex(suite["pkSm"]), blinded, evaluated, proof)
    outputs = map(ours.finalize, listed("Input"), blinds, evaluated)
    assert list(outputs) == listed("Output")


@pytest.mark.parametrize(("ours", "theirs"), suites())
def test_the_reference_accepts_what_the_core_answers(
    ours: _core.VoprfSuite, theirs: voprf.Suite
) -> None:
    asked = [theirs.blind(element, 5 + i) for i, element in enumerate(rows(elements(3)))]
    points, proof = key().evaluate(ours, b"".join(asked), entropy())
    assert rows(points) == theirs.evaluate(secret(), asked)
    theirs.verify(key().public(), asked, rows(points), proof)
    with pytest.raises(voprf.VerifyError):
        theirs.verify(key().public(), asked, rows(points)[::-1], proof)


@pytest.mark.parametrize(("ours", "theirs"), suites())
def test_the_core_accepts_what_the_reference_answers_and_finds_its_entries(
    ours: _core.VoprfSuite, theirs: voprf.Suite
) -> None:
    block = elements(3)
    blinds = _core.VoprfBlinds.draw(ours, block, entropy())
    asked = rows(blinds.points())
    answered = theirs.evaluate(secret(), asked)
    proof = theirs.prove(secret(), asked, answered, 12345)
    outputs = blinds.finalize(ours, b"".join(answered), proof, key().public())
    known = _core.Evaluations(key(), ours)
    known.evaluate(block[:64], b"", entropy())
    shard = tables.Shard.read(
        tables.build(known, Elements(block[:64]), np.empty(0, np.uint32), None, 2, entropy())
    )
    found, _ = shard.find(outputs, np.arange(3, dtype=np.uint32), np.zeros(3, np.uint32))
    assert found.tolist() == [1, 1, 0]


@pytest.mark.parametrize("label", [None, 0, 9])
def test_the_reference_reads_a_shard_of_the_core(label: int | None) -> None:
    ours, theirs = suites()[0]
    block, known = elements(50), _core.Evaluations(key(), ours)
    known.evaluate(block, b"", entropy())
    positions = np.array([i for i in range(50) for _ in range(i % 3 + 1)], np.uint32)
    told = np.frombuffer(elements(4 * len(positions)), np.uint8)
    labels = (
        None if label is None else told[: len(positions) * label].reshape(len(positions), label)
    )
    records = np.empty(0, np.uint32) if label is None else positions
    data = tables.build(known, Elements(block), records, labels, 120, entropy())
    shard = table.read(data)
    for i, element in enumerate(rows(block)):
        product = ristretto255.multiply(secret(), theirs.hash_to_group(element))
        output = theirs.output(element, ristretto255.encode(product))
        own = [] if labels is None else list(labels[positions == i])
        for number in range(4):
            if labels is None:
                assert table.look(shard, output, number) == (int(number == 0), b"")
            elif number < len(own):
                assert table.look(shard, output, number) == (len(own), own[number].tobytes())
            else:
                assert table.look(shard, output, number) == (0, bytes(label or 0))


def test_a_sealed_key_opens_under_the_same_words_alone() -> None:
    sealed = key().seal(WRAPPING, b"context", entropy())
    assert _core.VoprfKey.unseal(WRAPPING, b"context", sealed).public() == key().public()
    assert sealed != key().seal(WRAPPING, b"context", _core.Entropy.from_os())
    for wrapping, context, data in [
        (bytes(32), b"context", sealed),
        (WRAPPING, b"other", sealed),
        (WRAPPING, b"context", sealed[:-1]),
        (WRAPPING, b"context", b""),
        (WRAPPING, b"context", sealed[:30] + bytes([sealed[30] ^ 1]) + sealed[31:]),
    ]:
        with pytest.raises(_core.CheckError):
            _core.VoprfKey.unseal(wrapping, context, data)


def test_secrets_show_nothing() -> None:
    suite = _core.VoprfSuite.verifiable()
    check_it_shows_nothing(key(), {"draw", "evaluate", "public", "seal", "unseal"})
    blinds = _core.VoprfBlinds.draw(suite, elements(1), entropy())
    check_it_shows_nothing(blinds, {"draw", "points", "finalize"})
    names = {"read", "missing", "evaluate", "build"}
    check_it_shows_nothing(_core.Evaluations(key(), suite), names)
    outputs = _core.VoprfOutputs()
    wanted = _core.Wanted(outputs, b"", b"", bytes(32))
    check_it_shows_nothing(wanted, {"places", "open"})
    check_it_shows_nothing(outputs, {"extend"})


def test_wrong_calls_are_sentences() -> None:
    suite, known = _core.VoprfSuite.verifiable(), _core.Evaluations(key(), suites()[0][0])
    with pytest.raises(ValueError, match="points: length 33, expected 32"):
        key().evaluate(suite, bytes(33), entropy())
    with pytest.raises(ValueError, match="points: point 0 is not valid"):
        key().evaluate(suite, bytes(32), entropy())
    with pytest.raises(ValueError, match="bin 0 has not been evaluated"):
        known.build(elements(1), b"", b"", None, bytes(32), (4, 1), entropy())
    with pytest.raises(ValueError, match="shape: does not agree with itself"):
        known.build(elements(1), b"", b"", None, bytes(32), (5, 1), entropy())
    with pytest.raises(ValueError, match="positions: index 0 in a batch of 0"):
        _core.Wanted(_core.VoprfOutputs(), bytes(4), bytes(4), bytes(32))
    with pytest.raises(ValueError, match="info: length 65536, expected 65535"):
        _core.VoprfSuite.partial(bytes(1 << 16))
