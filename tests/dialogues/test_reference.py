"""The toolkit says byte for byte what the reference says, and both learn the same."""

from __future__ import annotations

import pytest
from reference import dh
from wiretap import BACK, OURS, RECEIVER, SENDER, SENT, THEIRS, Heard, listen, parameters

from psi import Labels, Output
from psi.wire.v1.messages_pb2 import Message

pytestmark = pytest.mark.usefixtures("small_bins")


def party(names: list[str], labels: Labels | None, seed: int) -> dh.Party:
    if labels is None:
        return dh.Party({n: [b""] for n in names}, dh.Entropy(bytes([seed]) * 32), told=False)
    records: dict[str, list[bytes]] = {name: [] for name in names}
    for position, row in zip(labels.positions, labels.block, strict=True):
        records[names[position]].append(row.tobytes())
    return dh.Party(records, dh.Entropy(bytes([seed]) * 32), labels.width)


def digest(output: Output) -> bytes:
    agreed = parameters(output)
    fields = [b"dh", output.value.encode(), b"test", b"", b"1000", b"1024"]
    assert agreed.digest() == dh.parameters_digest(fields)
    return agreed.digest()


def said(heard: Heard) -> dict[str, bytes]:
    """What was said, by message and field, with bins joined and the reference's names."""
    fields: dict[str, bytes] = {}
    for role, data in heard.messages:
        message = Message.FromString(data)
        name = message.WhichOneof("body")
        way = {"entry_bin": ", forward" if role is SENDER else ", back"}.get(name, "")
        if name in ("hello", "transcript_digest"):
            continue
        for field, value in getattr(message, name).ListFields():
            if field.name == "session":
                fields[f"{name}.session"] = value
            elif field.name != "bin":
                key = f"{name}.{field.name}{way}"
                fields[key] = fields.get(key, b"") + value
    return fields


def by_name(result, names: list[str]):
    if result is None or result.matches is None:
        return result and result.cardinality
    labels = iter(row.tobytes() for row in result.matches.labels)
    pairs = zip(result.matches.positions, result.matches.records, strict=True)
    return {names[position]: [next(labels) for _ in range(n)] for position, n in pairs}


@pytest.mark.parametrize(
    ("output", "back"), [*((output, BACK) for output in Output), (Output.BOTH, None)]
)
def test_every_byte_said_is_that_of_the_reference(output, back):
    heard = listen(output, exact=False, labels=(back, SENT))
    reference = dh.match(
        party(OURS, back, 1), party(THEIRS, SENT, 2), output.value, digest(output), "test"
    )
    assert said(heard) == reference.said
    assert by_name(heard.results[RECEIVER], OURS) == reference.receiver
    assert by_name(heard.results[SENDER], THEIRS) == reference.sender
    for role in (RECEIVER, SENDER):
        body = Message.FromString(heard.said(role)[-1]).transcript_digest
        halves = heard.said(RECEIVER)[:-1], heard.said(SENDER)[:-1]
        assert body.digest == dh.transcript_digest(role.name.lower(), *halves)


@pytest.mark.parametrize(
    ("ours", "theirs", "output"),
    [
        ([""], [], Output.BOTH),
        (list("ab"), list("ba"), Output.RECEIVER),
        (list("abcdefg"), list("gx"), Output.BOTH),
        (list("abcdefg"), list("gxb"), Output.CARDINALITY),
    ],
)
def test_the_reference_gives_the_plain_intersection(ours, theirs, output):
    """A label is the name of its record's owner."""
    receiver, sender = (
        dh.Party({n: [n.encode().ljust(2)] for n in names}, dh.Entropy(bytes([i]) * 32), 2)
        for i, names in enumerate((ours, theirs))
    )
    run = dh.match(receiver, sender, output.value, bytes(32), "d")
    common = {n: [n.encode().ljust(2)] for n in ours if n in theirs}
    assert run.receiver == (len(common) if output is Output.CARDINALITY else common)
    assert run.sender == (common if output is Output.BOTH else None)
