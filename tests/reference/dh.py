"""The Diffie-Hellman match on plain Python sets, slow and readable: the oracle of `psi`.

`match` runs both parties at once and returns all that they say. Its parts stand below in the order
in which it uses them. With the same seeds it says byte for byte what the toolkit says.

Sources: Jarecki, Kiayias, Krawczyk, ASIACRYPT 2014 (2HashDH); Jarecki, Liu, SCN 2010 (matching with
it); De Cristofaro, Gasti, Tsudik, CANS 2012 (cardinality by shuffling); RFC 8439
(ChaCha20-Poly1305); FIPS 180-4 (SHA-2). The ciphers are those of pycryptodome, the hashes those of
OpenSSL: neither is what the kernels use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256, sha512
from math import ceil, log2
from typing import Literal, TypeAlias

from blake3 import blake3
from Crypto.Cipher import ChaCha20, ChaCha20_Poly1305
from reference import curve25519

DST = b"GREENLANE-V01-CS01-with-curve25519_XMD:SHA-512_ELL2_NU_"
SHARED = OWN = 32
DECOYS = SHARED + OWN
LAMBDA = 40

Output: TypeAlias = Literal["receiver", "both", "cardinality"]


@dataclass
class Party:
    """What one party brings: for each identifier the labels of its records, in order.

    A receiver that is not to tell records, where both learn, tells one for each identifier instead,
    without a label.
    """

    records: dict[str, list[bytes]]
    entropy: Entropy
    label_width: int = 0
    told: bool = True


@dataclass
class Match:
    """What was said, by message and field with bins joined, and what both learnt.

    A learnt match is identifier to the other party's labels. With cardinality alone the receiver
    learns a number; a sender that learns nothing has None.
    """

    said: dict[str, bytes] = field(default_factory=dict)
    receiver: dict[str, list[bytes]] | int | None = None
    sender: dict[str, list[bytes]] | None = None


def match(receiver: Party, sender: Party, output: Output, parameters: bytes, domain: str) -> Match:
    """Runs the match; `parameters` is the digest on which both agree."""
    run = Match()
    # Both say a nonce, and how much they bring.
    labelled = output != "cardinality"
    r_total = size_class(len(receiver.records))
    both = output == "both"
    r_entries = size_class(count(receiver.records)) if both and receiver.told else 0
    s_total = size_class(count(sender.records) if labelled else len(sender.records))
    back_total = (r_entries or min(r_total, s_total)) if both else 0
    tag = tag_width(r_total, s_total, back_total)
    width = sender.label_width if labelled else 0
    back_width = receiver.label_width if both else 0
    sid = session_id(
        hello(parameters, receiver.entropy.bytes(32), 1, r_total, r_entries, back_width),
        hello(parameters, sender.entropy.bytes(32), 2, 0, s_total, width),
    )
    run.said["blinded_bin.session"] = sha256(b"greenlane/session/check" + sid).digest()[:16]

    # The receiver disguises, shuffles and blinds its elements.
    r_seed, s_seed = receiver.entropy.bytes(32), sender.entropy.bytes(32)
    order = receiver.entropy.shuffle(r_total)
    r_elements = [element(name, domain) for name in receiver.records]
    disguised = r_elements + shared_decoys(sid) + own_decoys(r_seed)
    while len(disguised) < r_total:
        disguised.append(receiver.entropy.bytes(32))
    a, b = draw_key(receiver.entropy), draw_key(sender.entropy)
    blinded = [blind(sid, e, a) for e in place(disguised, order)]
    run.said["blinded_bin.points"] = b"".join(blinded)

    # The sender evaluates them, and its own.
    s_elements = [element(name, domain) for name in sender.records]
    s_elements += shared_decoys(sid) + own_decoys(s_seed)
    s_outputs = [own_output(sid, e, b) for e in s_elements]
    sender.entropy.bytes(32 * (size_class(len(sender.records)) - len(s_elements)))  # padding
    evaluated = [evaluate(point, b) for point in blinded]
    if output == "cardinality":
        evaluated = place(evaluated, sender.entropy.shuffle(r_total))
    run.said["evaluated_bin.points"] = b"".join(evaluated)
    r_outputs = [evaluated_output(sid, point, a) for point in evaluated]

    # The sender says an entry for each record and each decoy.
    labels = list(sender.records.values()) if labelled else [[b""] for _ in sender.records]
    labels += [[label] for label in random_labels(DECOYS, width, sender.entropy)]
    entries = seal(s_outputs, labels, tag, width, 0, s_total, sender.entropy)
    run.said["entry_bin.entries, forward"] = b"".join(entries)

    # The receiver looks for its outputs; if it cannot know which they are, it shows its decoys.
    found = [open_entries(entries, o, tag, width, 0) for o in r_outputs]
    if output == "cardinality":
        run.said["decoy_seed.seed"] = r_seed
        for whose, decoys in (("shared", shared_decoys(sid)), ("receivers", own_decoys(r_seed))):
            tags = [derive(own_output(sid, e, b), 0, 0)[:tag] for e in decoys]
            run.said[f"decoy_tags.{whose}"] = b"".join(tags)
        run.receiver = sum(map(bool, found)) - SHARED
        return run
    by_row = [found[order[i]] for i in range(r_total)]
    run.receiver = {
        name: labels for name, labels in zip(receiver.records, by_row, strict=False) if labels
    }
    if output == "receiver":
        return run

    # The same way back, for the matches and the shared decoys; filled up to as many as there could
    # be, so that their number tells nothing.
    told = [i for i, name in enumerate(receiver.records) if name in run.receiver]
    back = [receiver.records[name] for name in run.receiver]
    told += range(len(receiver.records), len(receiver.records) + SHARED)
    back += [[label] for label in random_labels(SHARED, receiver.label_width, receiver.entropy)]
    outputs = [r_outputs[order[i]] for i in told]
    entries = seal(outputs, back, tag, receiver.label_width, 1, back_total, receiver.entropy)
    run.said["entry_bin.entries, back"] = b"".join(entries)
    opened = [open_entries(entries, o, tag, receiver.label_width, 1) for o in s_outputs]
    run.sender = {
        name: labels for name, labels in zip(sender.records, opened, strict=False) if labels
    }
    return run


def count(records: dict[str, list[bytes]]) -> int:
    """How many records a party has."""
    return sum(map(len, records.values()))


class Entropy:
    """A stream of random bytes from a seed: ChaCha20 with nonce 0, taken in words of 4 bytes."""

    def __init__(self, seed: bytes) -> None:
        self._stream = ChaCha20.new(key=seed, nonce=bytes(8))

    def bytes(self, count: int) -> bytes:
        """The next bytes; what is left of their last word is thrown away."""
        return self._stream.encrypt(bytes(-(-count // 4) * 4))[:count]

    def shuffle(self, rows: int) -> list[int]:
        """The slot of each row (Knuth, TAOCP 2, algorithm P)."""
        slots = list(range(rows))
        for i in range(rows - 1, 0, -1):
            j = int.from_bytes(self.bytes(8), "little") * (i + 1) >> 64
            slots[i], slots[j] = slots[j], slots[i]
        return slots


def place(rows: Sequence[bytes], slots: Sequence[int]) -> list[bytes]:
    """Puts row i into slot `slots[i]`."""
    placed = [b""] * len(rows)
    for row, slot in zip(rows, slots, strict=True):
        placed[slot] = row
    return placed


def parameters_digest(fields: Iterable[bytes]) -> bytes:
    """SHA-256 over the fields on which both agree, each behind its length."""
    framed = (len(f).to_bytes(8, "little") + f for f in (b"greenlane/parameters/1", *fields))
    return sha256(b"".join(framed)).digest()


def hello(parameters: bytes, nonce: bytes, *numbers: int) -> bytes:
    """What a side says of itself, as the session's identifier takes it."""
    return parameters + nonce + b"".join(number.to_bytes(8, "little") for number in numbers)


def session_id(receivers: bytes, senders: bytes) -> bytes:
    """32 bytes that no other session has, over both Hellos."""
    return sha256(b"greenlane/session/1" + receivers + senders).digest()


def transcript_digest(
    role: Literal["receiver", "sender"], receivers: Iterable[bytes], senders: Iterable[bytes]
) -> bytes:
    """What a side says last, over all messages of both sides but these last ones."""
    halves = (
        blake3(b"".join(len(m).to_bytes(8, "little") + m for m in said)).digest()
        for said in (receivers, senders)
    )
    return blake3(f"greenlane/transcript/1/{role}".encode() + b"".join(halves)).digest()


def element(identifier: str, domain: str) -> bytes:
    """An identifier, hashed in a domain."""
    block = sha512(b"greenlane/element/1/" + domain.encode()).digest()
    return sha256(block + identifier.encode()).digest()


def shared_decoys(sid: bytes) -> list[bytes]:
    """Elements that both parties add."""
    return _expand(b"greenlane/decoys/shared", sid, SHARED)


def own_decoys(seed: bytes) -> list[bytes]:
    """Elements that one party adds."""
    return _expand(b"greenlane/decoys/own", seed, OWN)


def _expand(label: bytes, seed: bytes, count: int) -> list[bytes]:
    return [sha256(label + seed + i.to_bytes(4, "little")).digest() for i in range(count)]


def random_labels(count: int, width: int, entropy: Entropy) -> list[bytes]:
    """The labels of decoys."""
    block = entropy.bytes(count * width)
    return [block[i * width : (i + 1) * width] for i in range(count)]


def size_class(size: int) -> int:
    """128, then each 5 % more, rounded up: the first with room for the size and the decoys."""
    bound = 128
    while bound < size + DECOYS:
        bound += ceil(bound * 5 / 100)
    return bound


def tag_width(r_elements: int, s_entries: int, r_entries: int) -> int:
    """Bytes of a tag: a wrong match among all pairs has at most 2^-LAMBDA."""
    pairs = (r_elements + s_entries) * s_entries + (s_entries + r_entries) * r_entries
    return ceil((LAMBDA + log2(pairs)) / 8)


def draw_key(entropy: Entropy) -> tuple[int, int]:
    """A secret scalar, and a multiple of 8 that undoes it in the subgroup of prime order."""
    while True:
        scalar = curve25519.clamp(entropy.bytes(32))
        inverse = 8 * pow(8 * scalar, -1, curve25519.ORDER)
        if inverse < 2**255:
            return scalar, inverse


def blind(sid: bytes, element: bytes, key: tuple[int, int]) -> bytes:
    """u([key] H(sid || element))."""
    point = curve25519.map_to_curve(sid + element, DST)
    return curve25519.encode(curve25519.multiply(key[0], point))


def evaluate(point: bytes, key: tuple[int, int]) -> bytes:
    """u([key] point)."""
    return curve25519.encode(curve25519.multiply(key[0], curve25519.decode(point)))


def own_output(sid: bytes, element: bytes, key: tuple[int, int]) -> bytes:
    """The pseudorandom function, by whoever holds its key."""
    return _output(sid, blind(sid, element, key))


def evaluated_output(sid: bytes, point: bytes, key: tuple[int, int]) -> bytes:
    """The same, by whoever has blinded with its own key and heard the evaluation."""
    return _output(sid, evaluate(point, (key[1], key[0])))


def _output(sid: bytes, point: bytes) -> bytes:
    return sha256(b"greenlane/dh/output" + sid + point).digest()


def derive(output: bytes, direction: int, number: int) -> bytes:
    """64 bytes for record `number` of an element: the tag in front, the sealing key behind."""
    counter = number.to_bytes(4, "little")
    return sha512(b"greenlane/entry" + bytes([direction]) + counter + output).digest()


def seal(
    outputs: Sequence[bytes],
    labels: Sequence[Sequence[bytes]],
    tag: int,
    width: int,
    direction: int,
    total: int,
    entropy: Entropy,
) -> list[bytes]:
    """Entries of all labels of all outputs, filled up with random ones, ascending."""
    entries = []
    for output, listed in zip(outputs, labels, strict=True):
        for number, label in enumerate(listed):
            derived = derive(output, direction, number)
            entries.append(derived[:tag])
            if width:
                cipher = ChaCha20_Poly1305.new(key=derived[32:], nonce=bytes(12))
                cipher.update(derived[:tag])
                entries[-1] += b"".join(cipher.encrypt_and_digest(label))
    row = tag + (width + 16 if width else 0)
    padding = entropy.bytes((total - len(entries)) * row)
    entries += [padding[at : at + row] for at in range(0, len(padding), row)]
    return sorted(entries)


def open_entries(
    entries: Sequence[bytes], output: bytes, tag: int, width: int, direction: int
) -> list[bytes]:
    """The labels of one output's records, in order; ValueError if one does not open."""
    by_tag = {entry[:tag]: entry[tag:] for entry in entries}
    labels: list[bytes] = []
    while (derived := derive(output, direction, len(labels)))[:tag] in by_tag:
        sealed = by_tag[derived[:tag]]
        if width:
            cipher = ChaCha20_Poly1305.new(key=derived[32:], nonce=bytes(12))
            cipher.update(derived[:tag])
            sealed = cipher.decrypt_and_verify(sealed[:width], sealed[width:])
        labels.append(sealed)
    return labels
