"""The match from vector OLE, slow and readable: the oracle of `psi.protocols.vole`.

`Receiver` and `Sender` speak the wire: `converse()` is a generator that yields the bytes of a
message that it says, and None where it wants to hear one. Either runs against the toolkit; `match`
runs the two against each other. What they compute stands in the other files of this folder, from
the bottom up: `ristretto255`, `base_ot`, `cot`, `code48`, `correlations`, `okvs`, `tags`.

Sources: Raghuraman and Rindal, CCS 2022; Rindal and Schoppmann, EUROCRYPT 2021 (PSI from VOLE). The
ciphers are those of pycryptodome, the hashes those of OpenSSL, the vectors those of numpy: none is
what the kernels use.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from hashlib import sha256
from itertools import islice
from math import ceil, log2
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from reference import base_ot, correlations, cot, dh, okvs, tags
from reference.aes_hashes import Hash, label
from reference.blocks import Blocks, from_numbers, narrow, times, to_numbers, widen

from psi.wire.v1 import messages_pb2 as wire

T = TypeVar("T")
Dialogue: TypeAlias = Generator[bytes | None, bytes | None, T]
Records: TypeAlias = dict[str, list[bytes]]
"""For each identifier the labels of its records."""

MESSAGE = 1 << 20
"""Bytes of masked cells, of counts or of entries in one message."""
PIECE = 1 << 17
"""Tags in one message."""
AHEAD = 2
"""Batches of chunks that are asked for before the first is used."""


class Role:
    """What both roles do.

    Args:
        party: what it brings.
        parameters: the digest on which both agree.
        domain: in which elements are hashed.
        both: whether the sender learns too.
        exact: whether the exact sizes are shown, instead of their classes.
    """

    number: int
    role: Literal["receiver", "sender"]
    supply: Any = correlations
    """Where correlations come from."""
    salt = b""
    """What the receiver adds to the session, where the profile has it."""

    def __init__(
        self,
        party: dh.Party,
        parameters: bytes,
        domain: str,
        *,
        both: bool = False,
        exact: bool = False,
    ) -> None:
        self.party, self.both, self.exact = party, both, exact
        self.parameters, self.domain = parameters, domain
        self.names, self.entropy = list(party.records), party.entropy
        self.said: list[bytes] = []
        self.heard: list[bytes] = []

    def shown(self, size: int) -> int:
        """The size that the other side sees."""
        return size + dh.DECOYS if self.exact else dh.size_class(size)

    def say(self, body: Any) -> Dialogue[None]:
        """Says a message."""
        field = next(f for f in wire.Message.DESCRIPTOR.fields if f.message_type is body.DESCRIPTOR)
        message = wire.Message(**{field.name: body}).SerializeToString(deterministic=True)
        self.said.append(message)
        yield message

    def hear(self, name: str) -> Dialogue[Any]:
        """Hears the message that is due."""
        data = yield None
        check(data is not None, "nothing came")
        message = wire.Message.FromString(data or b"")
        check(message.WhichOneof("body") == name, f"{name} is due")
        self.heard.append(data or b"")
        return getattr(message, name)

    def greet(self, elements: int, entries: int, label_width: int) -> Dialogue[None]:
        """Both say how much they bring; the receiver's sizes begin with r, the sender's with s."""
        ours = wire.Hello(
            parameters=self.parameters,
            nonce=self.entropy.bytes(32),
            role=self.number,
            elements=elements,
            entries=entries,
            label_width=label_width,
        )
        yield from self.say(ours)
        theirs = yield from self.hear("hello")
        check(theirs.parameters == self.parameters, "other parameters")
        check(theirs.role == 3 - self.number, "both have one role")
        receiver, sender = (ours, theirs) if self.number == 1 else (theirs, ours)
        self.sid = dh.session_id(
            *(
                dh.hello(h.parameters, h.nonce, h.role, h.elements, h.entries, h.label_width)
                for h in (receiver, sender)
            )
        )
        self.session = sha256(b"greenlane/session/check" + self.sid).digest()[:16]
        # A sender tells elements, of which nothing but tags will be said, or entries.
        self.told = sender.entries > 0
        self.r_size, self.s_size = receiver.elements, max(sender.elements, sender.entries)
        self.r_entries, self.s_entries = receiver.entries, sender.entries
        self.r_width, self.s_width = receiver.label_width, sender.label_width
        pairs = (self.r_size + sender.entries) * sender.entries
        # Entries on the way back: as many as there could be, so that their number tells nothing.
        self.back = (self.r_entries or min(self.r_size, self.s_size)) if self.both else 0
        pairs += (self.s_size + self.back) * self.back
        self.tag = ceil((dh.LAMBDA + log2(pairs)) / 8) if pairs else 0
        self.tags = tags.form(self.r_size, self.s_size)
        self.shape, self.width = okvs.shape(self.r_size), okvs.value_width(self.s_size)
        chunks = -(-self.shape.bins * self.shape.cells // self.supply.TAKEN)
        step = self.supply.BATCH
        self.batches = [range(at, min(at + step, chunks)) for at in range(0, chunks, step)]

    def disguised(self, total: int) -> okvs.Rows:
        """The rows of all elements: the real ones, both kinds of decoys, padding."""
        self.elements = elements = [dh.element(name, self.domain) for name in self.names]
        elements += dh.shared_decoys(self.sid) + dh.own_decoys(self.entropy.bytes(32))
        while len(elements) < total:
            elements.append(self.entropy.bytes(32))
        self.rows = okvs.rows(elements, self.sid, self.shape, self.width)
        return self.rows

    def groups(self) -> Iterator[range]:
        """The bins of each message of cells."""
        bins = self.shape.bins
        step = max(1, MESSAGE // (self.shape.cells * self.width // 8))
        for first in range(0, bins, step):
            yield range(first, min(first + step, bins))

    def hashed(self, use: str, blocks: Blocks) -> Blocks:
        """A block of each row under the key of its bin."""
        hashed = np.zeros_like(blocks)
        for bin in range(self.shape.bins):
            at, _ = self.rows.of(bin)
            hashed[at] = Hash(self.sid, label(use, bin)).mmo(blocks[at])
        return hashed

    def outputs(self, x: Blocks) -> list[int]:
        """The outputs of evaluated rows, 128 bits each."""
        return to_numbers(self.hashed("tag", x))

    def sealing(self, outputs: list[int]) -> list[bytes]:
        """The outputs with 32 bytes, as entries take them."""
        blocks = from_numbers(outputs)
        halves = [self.hashed(use, blocks) for use in ("seal", "seal2")]
        return [row.tobytes() for row in np.stack(halves, axis=1)]

    def telling(self, outputs: list[int]) -> list[int]:
        """What tags are cut from: where entries are sealed too, a hash of each output."""
        return to_numbers(self.hashed("told", from_numbers(outputs))) if self.both else outputs

    def say_entries(self, entries: list[bytes]) -> Dialogue[None]:
        """Says entries, all of one width."""
        rows = max(1, MESSAGE // len(entries[0])) if entries else 1
        for bin, start in enumerate(range(0, len(entries), rows)):
            part = b"".join(entries[start : start + rows])
            yield from self.say(wire.EntryBin(bin=bin, entries=part))

    def hear_entries(self, count: int, label_width: int) -> Dialogue[list[bytes]]:
        """Hears as many entries."""
        width = self.tag + (label_width + 16 if label_width else 0)
        entries = yield from self.hear_pieces("entry_bin", "entries", "bin", count * width)
        return [entries[at : at + width] for at in range(0, len(entries), width)]

    def say_pieces(
        self, kind: Any, field: str, number: str, data: bytes, piece: int
    ) -> Dialogue[None]:
        """Says bytes in numbered pieces."""
        for i, start in enumerate(range(0, len(data), piece)):
            yield from self.say(kind(**{number: i, field: data[start : start + piece]}))

    def hear_pieces(self, name: str, field: str, number: str, length: int) -> Dialogue[bytes]:
        """Hears so many bytes in numbered pieces."""
        data, i = b"", 0
        while len(data) < length:
            body = yield from self.hear(name)
            check(getattr(body, number) == i, f"{name} {i} is due")
            check(bool(getattr(body, field)), f"{name} {i} is empty")
            data, i = data + getattr(body, field), i + 1
        check(len(data) == length, f"{name}: too long")
        return data

    def close(self) -> Dialogue[None]:
        """Both compare what they said and heard; the receiver speaks first."""
        ours, theirs = list(self.said), list(self.heard)
        halves = (ours, theirs) if self.role == "receiver" else (theirs, ours)
        other: Literal["receiver", "sender"] = "sender" if self.role == "receiver" else "receiver"
        last = wire.TranscriptDigest(digest=dh.transcript_digest(self.role, *halves))
        if self.role == "receiver":
            yield from self.say(last)
        heard = yield from self.hear("transcript_digest")
        check(heard.digest == dh.transcript_digest(other, *halves), "the transcripts differ")
        if self.role == "sender":
            yield from self.say(last)


class Receiver(Role):
    """The party that learns which of its elements the other holds, and their labels."""

    number, role = 1, "receiver"

    def converse(self) -> Dialogue[Records]:
        """Runs the role; returns its matches."""
        total = self.shown(len(self.names))
        tells = self.both and self.party.told
        entries = self.shown(dh.count(self.party.records)) if tells else 0
        yield from self.greet(total, entries, self.party.label_width if self.both else 0)
        outputs = yield from self.evaluate(self.disguised(total))
        if self.told:
            heard = yield from self.hear_entries(self.s_entries, self.s_width)
            rows = self.sealing(outputs)
            found = [dh.open_entries(heard, row, self.tag, self.s_width, 0) for row in rows]
        else:
            listed = set((yield from self.hear_tags()))
            ours = tags.tags(self.telling(outputs), self.tags)
            found = [[b""] if t in listed else [] for t in ours]
        check_decoys(found, len(self.names))
        matches = learnt(self.names, found)
        if self.both:
            yield from self.confirm(outputs, matches)
        yield from self.close()
        return matches

    def evaluate(self, rows: okvs.Rows) -> Dialogue[list[int]]:
        """The outputs of all rows."""
        secret = base_ot.draw_scalar(self.entropy)
        point = base_ot.offer(secret)
        yield from self.say(wire.BaseOtOffer(point=point, session=self.session, salt=self.salt))
        choice = yield from self.hear("base_ot_choice")
        keys = base_ot.both_keys(self.sid, secret, choice.points)
        ots = cot.Receiver(self.sid, keys, self.entropy)
        yield from self.say(wire.CotTrees(corrections=self.trees(ots)))
        vole = self.supply.Receiver(self.sid, self.width, ots, self.entropy)
        to_ask, to_absorb = iter(self.batches), iter(self.batches)
        for batch in islice(to_ask, AHEAD):
            yield from self.ask(vole, batch)

        x = np.zeros_like(rows.values)
        for group in self.groups():
            while vole.available() < len(group) * self.shape.cells:
                correction = yield from self.hear("vole_correction")
                check(correction.chunk == next(to_absorb).start, "another correction is due")
                vole.absorb(correction.corrections)
                for batch in islice(to_ask, 1):
                    yield from self.ask(vole, batch)
            masked, salt = b"", self.salted(group)
            for bin in group:
                at, here = rows.of(bin)
                cells = okvs.encode(here, self.shape)
                a, c = vole.take(self.shape.cells)
                masked += narrow(a ^ cells, self.width // 8)
                x[at] = okvs.decode(c, here)
            yield from self.say(wire.MaskedBin(bin=group.start, cells=masked, salt=salt))
        yield from self.checked(vole)
        return self.outputs(x)

    def ask(self, vole: correlations.Receiver, batch: range) -> Dialogue[None]:
        """Asks for a batch of chunks."""
        request = b"".join(vole.request() for _ in batch)
        yield from self.say(wire.VoleRequest(chunk=batch.start, corrections=request))

    def trees(self, ots: cot.Receiver) -> bytes:
        """What is said of the trees of transfers."""
        return ots.trees

    def salted(self, group: range) -> bytes:
        """What is added to the outputs of these bins: nothing."""
        return b""

    def checked(self, vole: Any) -> Dialogue[None]:
        """Compares what both sides have: nothing."""
        yield from ()

    def hear_tags(self) -> Dialogue[list[int]]:
        """The sender's tags, ascending."""
        form = self.tags
        unary = yield from self.hear_pieces("tag_counts", "unary", "piece", -(-form.unary // 8))
        lows = yield from self.hear_pieces("tag_bin", "tags", "bin", form.count * form.low // 8)
        return tags.decode(unary, lows, form)

    def confirm(self, outputs: list[int], matches: Records) -> Dialogue[None]:
        """The same way back, for the matches and the shared decoys."""
        width, real = self.r_width, len(self.names)
        told = [i for i, name in enumerate(self.names) if name in matches]
        told += range(real, real + dh.SHARED)
        labels = [self.party.records[name] for name in matches]
        labels += [[label] for label in dh.random_labels(dh.SHARED, width, self.entropy)]
        sealing = self.sealing(outputs)
        rows = [sealing[i] for i in told]
        sealed = dh.seal(rows, labels, self.tag, width, 1, self.back, self.entropy)
        yield from self.say_entries(sealed)


class Sender(Role):
    """The party whose set is asked about.

    Args:
        told: whether its records are told, with their labels; otherwise nothing but the match is.
    """

    number, role = 2, "sender"

    def __init__(self, *arguments: Any, told: bool = False, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.tells = told

    def converse(self) -> Dialogue[Records | None]:
        """Runs the role; returns its matches if it is to learn them."""
        total, records = self.shown(len(self.names)), self.shown(dh.count(self.party.records))
        if self.tells:
            yield from self.greet(0, records, self.party.label_width)
        else:
            yield from self.greet(total, 0, 0)
        outputs = yield from self.evaluate(self.disguised(total))
        rows = self.sealing(outputs)
        if self.tells:
            labels = list(self.party.records.values())
            decoys = dh.random_labels(dh.DECOYS, self.s_width, self.entropy)
            labels += [[label] for label in decoys] + [[]] * (total - len(labels) - dh.DECOYS)
            entries = dh.seal(rows, labels, self.tag, self.s_width, 0, records, self.entropy)
            yield from self.say_entries(entries)
        else:
            yield from self.say_tags(outputs)
        matches = None
        if self.both:
            heard = yield from self.hear_entries(self.back, self.r_width)
            found = [dh.open_entries(heard, row, self.tag, self.r_width, 1) for row in rows]
            check_decoys(found, len(self.names))
            matches = learnt(self.names, found)
        yield from self.close()
        return matches

    def evaluate(self, rows: okvs.Rows) -> Dialogue[list[int]]:
        """The outputs of all rows."""
        offered = yield from self.offered()
        check(offered.session == self.session, "the receiver heard another Hello")
        delta = int.from_bytes(self.entropy.bytes(16), "little")
        choice, keys = base_ot.choose(self.sid, delta, offered.point, self.entropy)
        yield from self.say(wire.BaseOtChoice(points=choice))
        trees = yield from self.hear("cot_trees")
        ots = self.opened(delta, keys, trees.corrections)
        vole = self.supply.Sender(self.sid, self.width, delta, ots, self.entropy)
        batches = iter(self.batches)
        for batch in islice(batches, AHEAD):
            yield from self.answer(vole, batch)

        absorbed, used = 0, 0
        x = np.zeros_like(rows.values)
        for group in self.groups():
            used += len(group) * self.shape.cells
            # The receiver has absorbed as many batches, and asked for one more after each.
            while absorbed * self.supply.BATCH * self.supply.TAKEN < used:
                for batch in islice(batches, 1):
                    yield from self.answer(vole, batch)
                absorbed += 1
            heard = yield from self.hear("masked_bin")
            check(heard.bin == group.start, "another bin is due")
            self.hear_salt(group, heard.salt)
            masked = widen(heard.cells, self.width // 8).reshape(len(group), -1, 2)
            check(masked.shape[1] == self.shape.cells, "a bin is not whole")
            for bin, cells in zip(group, masked, strict=True):
                at, here = rows.of(bin)
                b = vole.take(self.shape.cells) ^ times(cells, delta)
                x[at] = okvs.decode(b, here) ^ times(here.values, delta)
        yield from self.checked(vole)
        return self.outputs(x)

    def offered(self) -> Dialogue[Any]:
        """Hears what the receiver offers."""
        return (yield from self.hear("base_ot_offer"))

    def opened(self, delta: int, keys: Blocks, trees: bytes) -> cot.Sender:
        """Rebuilds the trees of transfers."""
        return cot.Sender(self.sid, delta, keys, trees)

    def hear_salt(self, group: range, salt: bytes) -> None:
        """Takes what the receiver adds to the outputs of these bins: nothing."""
        check(not salt, "a salt")

    def checked(self, vole: Any) -> Dialogue[None]:
        """Compares what both sides have: nothing."""
        yield from ()

    def answer(self, vole: correlations.Sender, batch: range) -> Dialogue[None]:
        """Hears what is asked for a batch of chunks, and answers."""
        request = yield from self.hear("vole_request")
        check(request.chunk == batch.start, "another request is due")
        # Where a batch has several chunks, nothing is said for those after its first.
        requests = [request.corrections] + [b""] * (len(batch) - 1)
        correction = b"".join(map(vole.answer, requests))
        yield from self.say(wire.VoleCorrection(chunk=batch.start, corrections=correction))

    def say_tags(self, outputs: list[int]) -> Dialogue[None]:
        """All tags."""
        unary, lows = tags.encode(tags.tags(self.telling(outputs), self.tags), self.tags)
        yield from self.say_pieces(wire.TagCounts, "unary", "piece", unary, MESSAGE)
        piece = PIECE * self.tags.low // 8
        yield from self.say_pieces(wire.TagBin, "tags", "bin", lows, piece)


def learnt(names: list[str], found: list[list[bytes]]) -> Records:
    """What was found of one's own elements."""
    return {name: labels for name, labels in zip(names, found, strict=False) if labels}


def check_decoys(found: list[list[bytes]], real: int) -> None:
    """Each shared decoy has one record; nothing else behind the real elements has any."""
    due = [1] * dh.SHARED + [0] * (len(found) - real - dh.SHARED)
    check(list(map(len, found[real:])) == due, "a decoy came out wrong")


def check(holds: bool, otherwise: str) -> None:
    """ValueError if something does not hold."""
    if not holds:
        raise ValueError(otherwise)


def match(receiver: Dialogue[T], sender: Dialogue[T]) -> tuple[T, T]:
    """Runs two dialogues against each other; ValueError if neither can go on."""
    sides, results = (receiver, sender), dict[int, T]()
    boxes: tuple[deque[bytes | None], ...] = (deque([None]), deque([None]))
    while len(results) < 2:
        check(any(boxes), "both wait")
        for i, box in enumerate(boxes):
            while box:
                try:
                    want = sides[i].send(box.popleft())
                    while want is not None:
                        boxes[1 - i].append(want)
                        want = sides[i].send(None)
                except StopIteration as stop:
                    results[i] = stop.value
    return results[0], results[1]
