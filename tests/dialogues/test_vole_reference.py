"""The reference of the VOLE match: its roles on the wire, and the law of each of its layers.

Roles are made by constructors from a `Case`; those of the toolkit meet those of the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import pytest
from reference import base_ot, code48, correlations, cot, dh, okvs, tags, vole
from reference import ristretto255 as group
from reference.aes_hashes import Hash, encrypt, label, sigma
from reference.blocks import (
    Bits,
    Blocks,
    combine,
    double,
    from_bytes,
    from_numbers,
    narrow,
    pack,
    times,
    to_number,
    to_numbers,
    unpack,
    widen,
)

from psi import Elements, Labels, Output, Parameters
from psi._core import Entropy
from psi.dialogue import HEAR, Dialogue
from psi.errors import CheckFailed, PeerError
from psi.matches import Result
from psi.protocols import vole as psi_vole
from psi.subprotocols import bins as psi_bins
from psi.subprotocols import okvs as psi_okvs
from psi.subprotocols import tags as psi_tags

SID = bytes(range(32))
DELTA = 0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3211


def entropy(seed: int) -> dh.Entropy:
    return dh.Entropy(bytes([seed]) * 32)


def random_blocks(seed: int, *shape: int) -> Blocks:
    return from_bytes(entropy(seed).bytes(16 * int(np.prod(shape))), *shape)


def random_bits(seed: int, count: int) -> Bits:
    return unpack(entropy(seed).bytes(count // 8))


# Roles


@dataclass(frozen=True)
class Case:
    """What both parties bring, and what is to be learnt.

    Attributes:
        ours: the receiver's records: for each identifier the labels.
        theirs: the sender's.
        widths: bytes of a label, of ours and of theirs.
        both: whether the sender learns too.
        told: whether the sender tells its records; otherwise only which elements match.
        back: whether the receiver tells its records, where both learn.
        exact: whether exact sizes are shown.
    """

    ours: vole.Records
    theirs: vole.Records
    widths: tuple[int, int] = (0, 0)
    both: bool = False
    told: bool = False
    back: bool = True
    exact: bool = False

    @property
    def digest(self) -> bytes:
        """Of the parameters, on which both agree."""
        output = b"both" if self.both else b"receiver"
        return dh.parameters_digest([b"vole", output, b"test", b"", b"100000", b"1024"])

    @property
    def due(self) -> tuple[Learnt, Learnt]:
        """What the two sides learn."""
        names = set(self.ours) & set(self.theirs)
        theirs = {n: self.theirs[n] if self.told else [b""] for n in names}
        return theirs, {n: self.ours[n] for n in names} if self.both else None


Learnt: TypeAlias = vole.Records | None
Constructor: TypeAlias = Callable[[Case], vole.Dialogue[Learnt]]
"""A role's dialogue: it yields what it says, and None to hear; it returns what it has learnt."""


def reference_receiver(case: Case) -> vole.Dialogue[Learnt]:
    party = dh.Party(case.ours, entropy(1), case.widths[0], told=case.back)
    options = {"both": case.both, "exact": case.exact}
    return vole.Receiver(party, case.digest, "test", **options).converse()


def reference_sender(case: Case) -> vole.Dialogue[Learnt]:
    party = dh.Party(case.theirs, entropy(2), case.widths[1])
    options = {"both": case.both, "exact": case.exact, "told": case.told}
    return vole.Sender(party, case.digest, "test", **options).converse()


def plain(dialogue: Dialogue[Result | None], ids: list[str]) -> vole.Dialogue[Learnt]:
    """A dialogue of the toolkit in the form of the reference: records by identifier are learnt."""
    answer: bytes | None = None
    while True:
        try:
            want = dialogue.send(answer)
        except StopIteration as stop:
            result = stop.value
            break
        answer = yield None if want is HEAR else want
    if result is None:
        return None
    rows = iter(row.tobytes() for row in result.matches.labels)
    pairs = zip(result.matches.positions, result.matches.records, strict=True)
    return {ids[at]: [next(rows) for _ in range(records)] for at, records in pairs}


def labels_of(records: vole.Records, width: int) -> Labels:
    positions = [i for i, listed in enumerate(records.values()) for _ in listed]
    block = np.frombuffer(b"".join(b"".join(listed) for listed in records.values()), np.uint8)
    return Labels(np.array(positions, np.uint32), block.reshape(len(positions), width))


def agreed(case: Case) -> Parameters:
    output = Output.BOTH if case.both else Output.RECEIVER
    parameters = Parameters("vole", output, "test", max_elements=100_000)
    assert parameters.digest() == case.digest
    return parameters


def psi_receiver(case: Case) -> vole.Dialogue[Learnt]:
    ids = list(case.ours)
    role = psi_vole.Receiver(
        Elements.hash(ids, "test"),
        agreed(case),
        labels_of(case.ours, case.widths[0]) if case.back else None,
        exact=case.exact,
        entropy=Entropy.from_seed_for_tests(bytes([1]) * 32),
    )
    return plain(role.converse(), ids)


def psi_sender(case: Case) -> vole.Dialogue[Learnt]:
    ids = list(case.theirs)
    role = psi_vole.Sender(
        Elements.hash(ids, "test"),
        agreed(case),
        labels_of(case.theirs, case.widths[1]) if case.told else None,
        exact=case.exact,
        entropy=Entropy.from_seed_for_tests(bytes([2]) * 32),
    )
    return plain(role.converse(), ids)


# Another implementation of a role is one more line here.
RECEIVERS: dict[str, Constructor] = {"reference": reference_receiver, "psi": psi_receiver}
SENDERS: dict[str, Constructor] = {"reference": reference_sender, "psi": psi_sender}
MIXED = [("psi", "reference"), ("reference", "psi")]


def names(start: int, count: int, step: int = 1) -> vole.Records:
    return {f"x{i}": [b""] for i in range(start, start + count * step, step)}


PLAIN = {
    "both empty": Case({}, {}),
    "one against none": Case(names(0, 1), {}),
    "none against one": Case({}, names(0, 1)),
    "one common": Case(names(0, 1), names(0, 1)),
    "classes": Case(names(0, 64), names(32, 65)),
    "exact": Case(names(0, 130), names(0, 70, 2), exact=True),
    "few, exact": Case(names(0, 3), names(1, 3), exact=True),
    "two hundred": Case(names(0, 200), names(0, 200, 2)),
    "more keys than the smallest bin": Case(names(0, 1100), names(1000, 200)),
    "both learn": Case(names(0, 5), names(3, 90), both=True),
    "both learn, of elements": Case(names(0, 90), names(87, 5), both=True, back=False),
    "both learn, of many": Case(names(0, 90), names(87, 200), both=True, back=False),
}

OURS = {"a": [b"11", b"22"], "b": [b"33"], "c": [b"44"]}
THEIRS = {"c": [b"ccc"], "x": [b"xxx"], "a": [b"aa1", b"aa2", b"aa3"]}
TOLD = {
    "records": Case(OURS, THEIRS, (2, 3), told=True),
    "records, both ways": Case(OURS, THEIRS, (2, 3), told=True, both=True),
    "records, back alone": Case(OURS, names(0, 4) | {"b": [b""]}, (2, 0), both=True),
    "numbers of records": Case(names(0, 4), {"x1": [b"", b""], "y": [b""]}, told=True),
}


CASES = PLAIN | TOLD
BACK = ("both learn", "both learn, of elements", "records, both ways")
# Every case with the toolkit in both roles; with the reference in one, which takes a second, those
# that differ in what is said.
TURNS = [(case, "psi", "psi") for case in CASES]
TURNS += [(case, *pair) for case, pair in product(BACK, MIXED)]
TURNS += [(case, *MIXED[0]) for case in ("both empty", "exact", "numbers of records")]
TURNS += [(case, *MIXED[1]) for case in ("more keys than the smallest bin", "records, back alone")]


@pytest.mark.parametrize(("case", "receiver", "sender"), TURNS)
def test_both_roles_give_the_plain_intersection(case, receiver, sender):
    case = CASES[case]
    assert vole.match(RECEIVERS[receiver](case), SENDERS[sender](case)) == case.due


@pytest.mark.parametrize(("receiver", "sender"), MIXED)
def test_a_set_of_three_bins_needs_a_second_chunk(receiver, sender):
    case = Case(names(0, 36_000), names(35_900, 300))
    assert vole.match(RECEIVERS[receiver](case), SENDERS[sender](case)) == case.due


@pytest.mark.parametrize("case", ["two hundred", "records, both ways", "both learn, of elements"])
def test_messages_come_in_one_order_and_have_one_length_in_both(case):
    """Of the reference's and of the toolkit's roles: number by number who says what."""
    case = CASES[case]
    runs = []
    for name in ("reference", "psi"):
        said: list[tuple[str, str, int]] = []
        sides = {"receiver": RECEIVERS[name](case), "sender": SENDERS[name](case)}
        learnt = vole.match(*(listened(side, role, said) for role, side in sides.items()))
        assert learnt == case.due
        runs.append(said)
    assert len(runs[0]) > 10
    for role in ("receiver", "sender"):
        first, second = ([each for each in run if each[0] == role] for run in runs)
        assert first == second


def listened(
    dialogue: vole.Dialogue[Any], role: str, said: list[tuple[str, str, int]]
) -> vole.Dialogue[Any]:
    """The same dialogue; who says what, and of which length, is noted."""
    heard = None
    while True:
        try:
            want = dialogue.send(heard)
        except StopIteration as stop:
            return stop.value
        if want:
            name = vole.wire.Message.FromString(want).WhichOneof("body")
            said.append((role, name, len(want)))
        heard = yield want


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """153 bins of up to 1,024 elements, four to a message, and a hundred tags to another."""
    monkeypatch.setattr(okvs, "MEAN", 16)
    monkeypatch.setattr(vole, "MESSAGE", 51_200)
    monkeypatch.setattr(vole, "PIECE", 100)
    monkeypatch.setattr(psi_okvs, "BIN", 16)
    monkeypatch.setattr(psi_bins, "MESSAGE", 51_200)
    monkeypatch.setattr(psi_tags, "PIECE", 100)
    psi_okvs.shape.cache_clear()
    yield
    psi_okvs.shape.cache_clear()


MANY = Case(names(0, 2300), names(2000, 400))


@pytest.mark.usefixtures("small")
def test_many_bins_chunks_and_pieces():
    """Requests run ahead, several bins go in one message, and all else comes in pieces."""
    receiver = vole.Receiver(dh.Party(MANY.ours, entropy(1)), MANY.digest, "test")
    assert vole.match(receiver.converse(), psi_sender(MANY)) == MANY.due
    kinds = [vole.wire.Message.FromString(m).WhichOneof("body") for m in receiver.said]
    assert len(receiver.batches) == kinds.count("vole_request") == 5
    assert kinds.index("masked_bin") < len(kinds) - 1 - kinds[::-1].index("vole_request")
    assert receiver.shape.bins == 153
    assert receiver.shape.cells == 1568
    assert kinds.count("masked_bin") == 39  # four bins of 12,544 bytes in each but the last
    kinds = [vole.wire.Message.FromString(m).WhichOneof("body") for m in receiver.heard]
    assert kinds.count("tag_bin") == 5


@pytest.mark.usefixtures("small")
def test_many_bins_chunks_and_pieces_of_the_toolkits_receiver():
    sender = vole.Sender(dh.Party(MANY.theirs, entropy(2)), MANY.digest, "test")
    assert vole.match(psi_receiver(MANY), sender.converse()) == MANY.due


@pytest.mark.parametrize("kind", ["masked_bin", "tag_bin", "tag_counts", "vole_correction"])
def test_a_flipped_bit_never_ends_in_a_result(kind):
    case = PLAIN["classes"]

    def flipped(dialogue: vole.Dialogue[Any]) -> vole.Dialogue[Any]:
        heard = None
        while True:
            try:
                want = dialogue.send(heard)
            except StopIteration as stop:
                return stop.value
            message = vole.wire.Message.FromString(want or b"")
            if want and message.WhichOneof("body") == kind:
                body = getattr(message, kind)
                field = body.DESCRIPTOR.fields[1].name
                data = bytearray(getattr(body, field))
                data[len(data) // 2] ^= 1
                setattr(body, field, bytes(data))
                want = message.SerializeToString(deterministic=True)
            heard = yield want

    # From the reference, or from the toolkit, whichever hears of it first.
    with pytest.raises((ValueError, PeerError), match=r"decoy|transcripts|counts|same messages"):
        vole.match(flipped(reference_receiver(case)), flipped(psi_sender(case)))


@pytest.mark.parametrize(("group", "number"), [(0, 0), (17, 1), (31, 1)])
def test_a_receiver_with_other_choices_in_one_group_is_refused(group, number, monkeypatch):
    """Its sums are made to agree as well as it can: it would have to guess four bits of Delta."""
    stream = entropy(2)
    stream.bytes(64)  # the sender's nonce and the seed of its decoys; then comes its Delta
    delta = int.from_bytes(stream.bytes(16), "little")
    assert delta >> 4 * group & 15, "these bits are zero: no choice in this group has any effect"
    honest = cot.Receiver.extend

    def extend(self: cot.Receiver, extension: int, choices: Bits) -> tuple[bytes, Blocks]:
        said, rows = honest(self, extension, choices)
        if extension != number:
            return said, rows
        changed = bytearray(said)
        changed[group * len(choices) // 8] ^= 1
        return bytes(changed), rows

    monkeypatch.setattr(cot.Receiver, "extend", extend)
    case = PLAIN["few, exact"]  # no padding is drawn before Delta
    with pytest.raises(CheckFailed):
        vole.match(reference_receiver(case), psi_sender(case))


# Blocks and hashes


def test_aes_is_that_of_fips_197():
    """Appendix C.1."""
    plain = from_bytes(bytes.fromhex("00112233445566778899aabbccddeeff"), 1)
    due = "69c4e0d86a7b0430d8cdb78070b4c55a"
    assert encrypt(bytes(range(16)), plain).tobytes().hex() == due


def test_the_hashes_are_their_formulas():
    x = random_blocks(1, 5)
    key = sha256(b"greenlane/vole/1/label" + SID).digest()[:16]
    swapped = from_numbers((n >> 64) | ((n ^ n >> 64) % 2**64) << 64 for n in to_numbers(x))
    assert (sigma(x) == swapped).all()
    hashed = Hash(SID, "label")
    assert (hashed.mmo(x) == (encrypt(key, x) ^ x)).all()
    assert (hashed.ccr(x) == (encrypt(key, swapped) ^ swapped)).all()


def product_of_polynomials(a: int, b: int) -> int:
    wide = 0
    for i in range(128):
        wide ^= (a << i) * (b >> i & 1)
    for i in range(254, 127, -1):
        if wide >> i & 1:
            wide ^= (1 << 128 | 0b1000_0111) << i - 128
    return wide


def test_the_field_is_that_of_its_modulus():
    numbers = [0, 1, 2, 1 << 63, 1 << 64, 1 << 127, 2**128 - 1, *to_numbers(random_blocks(2, 5))]
    a = from_numbers(numbers)
    assert to_number(double(from_numbers([1 << 127]))) == 0b1000_0111
    for b in numbers:
        assert to_numbers(times(a, b)) == [product_of_polynomials(n, b) for n in numbers]
    assert to_numbers(double(a)) == to_numbers(times(a, 2))
    rows = random_blocks(3, 128, 1)
    total = 0
    for k, row in enumerate(to_numbers(rows)):
        total ^= product_of_polynomials(row, 1 << k)
    assert to_numbers(combine(list(rows))) == [total]


def test_values_of_some_bytes_stand_low_in_blocks():
    assert to_numbers(widen(b"abcdefghi", 9)) == [int.from_bytes(b"abcdefghi", "little")]
    assert narrow(widen(b"abcdef", 3), 3) == b"abcdef"
    assert pack(unpack(b"\x01\x80")) == b"\x01\x80"
    assert unpack(b"\x01\x80").tolist() == [1] + [0] * 14 + [1]


# ristretto255, with the vectors of RFC 9496, appendix A


def lines(text: str) -> list[str]:
    return text.split()


MULTIPLES = lines("""
0000000000000000000000000000000000000000000000000000000000000000
e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76
6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919
94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259
da80862773358b466ffadfe0b3293ab3d9fd53c5ea6c955358f568322daf6a57
e882b131016b52c1d3337080187cf768423efccbb517bb495ab812c4160ff44e
f64746d3c92b13050ed8d80236a7f0007c3b3f962f5ba793d19a601ebb1df403
44f53520926ec81fbd5a387845beb7df85a96a24ece18738bdcfa6a7822a176d
903293d8f2287ebe10e2374dc1a53e0bc887e592699f02d077d5263cdd55601c
02622ace8f7303a31cafc63f8fc48fdc16e1c8c8d234b2f0d6685282a9076031
20706fd788b2720a1ed2a5dad4952b01f413bcf0e7564de8cdc816689e2db95f
bce83f8ba5dd2fa572864c24ba1810f9522bc6004afe95877ac73241cafdab42
e4549ee16b9aa03099ca208c67adafcafa4c3f3e4e5303de6026e3ca8ff84460
aa52e000df2e16f55fb1032fc33bc42742dad6bd5a8fc0be0167436c5948501f
46376b80f409b29dc2b5f6f0c52591990896e5716f41477cd30085ab7f10301e
e0c418f7c8d9c4cdd7395b93ea124f3ad99021bb681dfc3302a9d99a2e53e64e
""")

NO_ELEMENTS = lines("""
00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
0100000000000000000000000000000000000000000000000000000000000000
01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20
c34c4e1826e5d403b78e246e88aa051c36ccf0aafebffe137d148a2bf9104562
c940e5a4404157cfb1628b108db051a8d439e1a421394ec4ebccb9ec92a8ac78
47cfc5497c53dc8e61c91d17fd626ffb1c49e2bca94eed052281b510b1117a24
f1c6165d33367351b0da8f6e4511010c68174a03b6581212c71c0e1d026c3c72
87260f7a2f12495118360f02c26a470f450dadf34a413d21042b43b9d93e1309
26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371
4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f
de6a7b00deadc788eb6b6c8d20c0ae96c2f2019078fa604fee5b87d6e989ad7b
bcab477be20861e01e4a0e295284146a510150d9817763caf1a6f4b422d67042
2a292df7e32cababbd9de088d1d1abec9fc0440f637ed2fba145094dc14bea08
f4a9e534fc0d216c44b218fa0c42d99635a0127ee2e53c712f70609649fdff22
8268436f8c4126196cf64b3c7ddbda90746a378625f9813dd9b8457077256731
2810e5cbc2cc4d4eece54f61c6f69758e289aa7ab440b3cbeaa21995c2f4232b
3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e
a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220
d483fe813c6ba647ebbfd3ec41adca1c6130c2beeee9d9bf065c8d151c5f396e
8a2e1d30050198c65a54483123960ccc38aef6848e1ec8f5f780e8523769ba32
32888462f8b486c68ad7dd9610be5192bbeaf3b443951ac1a8118419d9fa097b
227142501b9d4355ccba290404bde41575b037693cef1f438c47f8fbf35d1165
5c37cc491da847cfeb9281d407efc41e15144c876e0170b499a96a22ed31e01e
445425117cb8c90edcbc7c1cc0e74f747f2c1efa5630a967c64f287792a48a4b
ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
""")

FROM_UNIFORM_BYTES = """
5d1be09e3d0c82fc538112490e35701979d99e06ca3e2b5b54bffe8b4dc772c1
4d98b696a1bbfb5ca32c436cc61c16563790306c79eaca7705668b47dffe5bb6
3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46

f116b34b8f17ceb56e8732a60d913dd10cce47a6d53bee9204be8b44f6678b27
0102a56902e2488c46120e9276cfe54638286b9e4b3cdb470b542d46c2068d38
f26e5b6f7d362d2d2a94c5d0e7602cb4773c95a2e5c31a64f133189fa76ed61b

8422e1bbdaab52938b81fd602effb6f89110e1e57208ad12d9ad767e2e25510c
27140775f9337088b982d83d7fcf0b2fa1edffe51952cbe7365e95c86eaf325c
006ccd2a9e6867e6a2c5cea83d3302cc9de128dd2a9a57dd8ee7b9d7ffe02826

ac22415129b61427bf464e17baee8db65940c233b98afce8d17c57beeb7876c2
150d15af1cb1fb824bbd14955f2b57d08d388aab431a391cfc33d5bafb5dbbaf
f8f0c87cf237953c5890aec3998169005dae3eca1fbb04548c635953c817f92a

165d697a1ef3d5cf3c38565beefcf88c0f282b8e7dbd28544c483432f1cec767
5debea8ebb4e5fe7d6f6e5db15f15587ac4d4d4a1de7191e0c1ca6664abcc413
ae81e7dedf20a497e10c304a765c1767a42d6e06029758d2d7e8ef7cc4c41179

a836e6c9a9ca9f1e8d486273ad56a78c70cf18f0ce10abb1c7172ddd605d7fd2
979854f47ae1ccf204a33102095b4200e5befc0465accc263175485f0e17ea5c
e2705652ff9f5e44d3e841bf1c251cf7dddb77d140870d1ab2ed64f1a9ce8628

2cdc11eaeb95daf01189417cdddbf95952993aa9cb9c640eb5058d09702c7462
2c9965a697a3b345ec24ee56335b556e677b30e6f90ac77d781064f866a3c982
80bd07262511cdde4863f8a7434cef696750681cb9510eea557088f76d9e5065

edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
1200000000000000000000000000000000000000000000000000000000000000
304282791023b73128d277bdcb5c7746ef2eac08dde9f2983379cb8e5ef0517f

edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
304282791023b73128d277bdcb5c7746ef2eac08dde9f2983379cb8e5ef0517f

0000000000000000000000000000000000000000000000000000000000000080
ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
304282791023b73128d277bdcb5c7746ef2eac08dde9f2983379cb8e5ef0517f

0000000000000000000000000000000000000000000000000000000000000000
1200000000000000000000000000000000000000000000000000000000000080
304282791023b73128d277bdcb5c7746ef2eac08dde9f2983379cb8e5ef0517f
"""


def test_multiples_of_the_generator_are_those_of_the_rfc():
    total = group.IDENTITY
    for i, due in enumerate(MULTIPLES):
        assert group.encode(group.multiply(i, group.GENERATOR)).hex() == due
        assert group.encode(total).hex() == due
        assert group.encode(group.decode(bytes.fromhex(due))).hex() == due
        total = group.add(total, group.GENERATOR)


@pytest.mark.parametrize("data", [*NO_ELEMENTS, "", MULTIPLES[1][2:], MULTIPLES[1] + "00"])
def test_what_is_no_element_is_refused(data):
    with pytest.raises(ValueError, match=r"^not"):
        group.decode(bytes.fromhex(data))


def test_elements_from_uniform_bytes_are_those_of_the_rfc():
    for paragraph in FROM_UNIFORM_BYTES.strip().split("\n\n"):
        first, second, due = map(bytes.fromhex, paragraph.split())
        assert group.encode(group.from_uniform_bytes(first + second)) == due


def test_the_group_has_its_order():
    element = group.from_uniform_bytes(entropy(4).bytes(64))
    whole = group.multiply(group.ORDER - 1, element)
    assert group.encode(whole) == group.encode(group.negate(element))
    assert group.encode(group.add(whole, element)) == group.encode(group.IDENTITY)
    a, b = base_ot.draw_scalar(entropy(5)), base_ot.draw_scalar(entropy(6))
    sides = group.multiply(a + b, element), group.multiply(a, group.multiply(b, element))
    assert group.encode(sides[0]) == group.encode(
        group.add(group.multiply(a, element), group.multiply(b, element))
    )
    assert group.encode(sides[1]) == group.encode(group.multiply(a * b, element))


# Base OTs and correlated OTs


@pytest.fixture(scope="module")
def base() -> tuple[Blocks, Blocks]:
    """Both keys of each OT, and the chosen one."""
    secret = base_ot.draw_scalar(entropy(7))
    choice, chosen = base_ot.choose(SID, DELTA, base_ot.offer(secret), entropy(8))
    return base_ot.both_keys(SID, secret, choice), chosen


def test_who_chooses_has_one_key_of_each_pair(base):
    pairs, chosen = base
    for i in range(128):
        assert (pairs[i, DELTA >> i & 1] == chosen[i]).all()
        assert (pairs[i, 1 - (DELTA >> i & 1)] != chosen[i]).any()
    assert len(set(to_numbers(pairs))) == 256


def test_points_that_are_none_are_refused():
    for offered in (bytes(32), bytes.fromhex(NO_ELEMENTS[-1])):
        with pytest.raises(ValueError, match=r"identity|not an element"):
            base_ot.choose(SID, DELTA, offered, entropy(8))
    secret = base_ot.draw_scalar(entropy(7))
    for choice in (bytes(128 * 64 - 1), bytes.fromhex(NO_ELEMENTS[-1]) * 256):
        with pytest.raises(ValueError, match=r"not 128|not an element"):
            base_ot.both_keys(SID, secret, choice)


@pytest.fixture(scope="module")
def ots(base) -> tuple[cot.Receiver, cot.Sender]:
    receiver = cot.Receiver(SID, base[0], entropy(9))
    assert len(receiver.trees) == 4096
    return receiver, cot.Sender(SID, DELTA, base[1], receiver.trees)


def test_seeds_and_what_is_said_of_them_are_their_formulas(base, ots):
    """One group, node by node from its root; then one extension, block by block."""
    sides = [Hash(SID, label) for label in ("cot/left", "cot/right")]
    said = from_bytes(ots[0].trees, 32, 4, 2)
    g = 11
    nodes = to_numbers(from_bytes(entropy(9).bytes(16 * 32), 32))[g : g + 1]
    for level in range(1, 5):
        nodes = [to_number(sides[c].mmo(from_numbers([n]))) for n in nodes for c in (0, 1)]
        for c in (0, 1):
            total = to_number(base[0][4 * g + 4 - level, 1 - c])
            for node in nodes[c::2]:
                total ^= node
            assert to_number(said[g, level - 1, c]) == total
    choices = random_bits(10, 256)
    masked, t = ots[0].extend(3, choices)
    for m in (0, 1):
        counter = from_numbers([(3 << 64) + m])
        streams = [to_number(encrypt(n.to_bytes(16, "little"), counter)) for n in nodes]
        total = to_number(from_bytes(pack(choices), 2)[m])
        for stream in streams:
            total ^= stream
        assert to_number(from_bytes(masked, 32, 2)[g, m]) == total
        for i in (0, 77, 127):
            row = to_number(t[128 * m + i]) >> 4 * g & 15
            for x, stream in enumerate(streams):
                row ^= x * (stream >> i & 1)
            assert row == 0


@pytest.mark.parametrize(("number", "count"), [(0, 128), (1, 5760), (2**32 - 1, 256)])
def test_rows_differ_by_delta_where_the_choice_is_one(ots, number, count):
    choices = random_bits(10, count)
    said, t = ots[0].extend(number, choices)
    assert len(said) == 32 * count // 8
    q = ots[1].extend(number, said, count)
    assert (q == t ^ choices[:, None] * from_numbers([DELTA])).all()
    assert len(set(to_numbers(t))) == count


def test_extensions_with_other_numbers_have_nothing_in_common(ots):
    one, two = (set(to_numbers(ots[0].extend(n, random_bits(10, 128))[1])) for n in (1, 2))
    assert not one & two


# Correlations


@pytest.mark.parametrize("width", [64, 72, 128])
def test_correlations_hold_over_chunks_that_are_asked_for_ahead(ots, width):
    receiver = correlations.Receiver(SID, width, ots[0], entropy(11))
    sender = correlations.Sender(SID, width, DELTA, ots[1], entropy(12))
    requests = [receiver.request(), receiver.request()]
    later = 4 * (5760 + 256) + 32
    assert [len(r) for r in requests] == [4 * (816 * width + 256) + 32 + later, later]
    for request in requests:
        correction = sender.answer(request)
        assert len(correction) == 117_504
        receiver.absorb(correction)
    assert receiver.available() == sender.available() == 2 * 51_408
    a, c = (np.concatenate(p) for p in zip(*(receiver.take(51_404) for _ in "ab"), strict=True))
    b = np.concatenate([sender.take(51_404) for _ in "ab"])
    assert (c == b ^ times(a, DELTA)).all()
    assert max(to_numbers(a)) >> width == 0
    assert len(set(to_numbers(a))) == len(set(to_numbers(b))) == len(a)
    with pytest.raises(IndexError):
        receiver.take(9)
    with pytest.raises(IndexError):
        sender.take(9)


def test_only_the_leaf_at_the_position_differs():
    positions = np.arange(816) * 37 % 128
    roots, q, b = random_blocks(13, 816), random_blocks(14, 816, 7), random_blocks(15, 816)
    values = random_blocks(16, 816)
    bits = 1 - (positions[:, None] >> np.arange(6, -1, -1) & 1).astype(np.uint64)
    t = q ^ bits[..., None] * from_numbers([DELTA])
    leaves, correction = correlations.grow(correlations.Keys(SID, 3), DELTA, roots, q, b)
    ours = correlations.regrow(
        correlations.Keys(SID, 3), positions, t, b ^ times(values, DELTA), correction
    )
    due = leaves.copy()
    due[np.arange(816), positions] ^= times(values, DELTA)
    assert (ours == due).all()
    assert len(set(to_numbers(leaves))) == 816 * 128


def test_trees_are_those_of_the_paper():
    """One tree, leaf by leaf from its root."""
    tree = Hash(SID, label("tree", 3))

    def ccr(node: int) -> int:
        return to_number(tree.ccr(from_numbers([node])))

    roots = random_blocks(13, 816)
    leaves, _ = correlations.grow(
        correlations.Keys(SID, 3),
        DELTA,
        roots,
        np.zeros((816, 7, 2), np.uint64),
        np.zeros((816, 2), np.uint64),
    )
    for leaf in (0, 1, 2, 63, 64, 85, 126, 127):
        path = [leaf >> 6 - level & 1 for level in range(7)]
        node = to_number(roots[5]) ^ path[0] * DELTA
        for side in path[1:6]:
            node = node ^ ccr(node) if side else ccr(node)
        assert to_number(leaves[5, leaf]) == ccr(node ^ path[6])


def test_leaves_take_turns_in_lanes_of_eight():
    numbered = np.zeros((816, 128, 2), np.uint64)
    numbered[..., 0], numbered[..., 1] = np.arange(816)[:, None], np.arange(128)
    vector = correlations.vector(numbered)
    for j, leaf in [(0, 0), (7, 0), (0, 1), (8, 0), (803, 77), (815, 127)]:
        assert vector[j // 8 * 1024 + leaf * 8 + j % 8].tolist() == [j, leaf]


def test_random_words_are_those_of_rand_chacha():
    """Known answers of rand_chacha 0.10 through `Entropy::below` and `Shuffle::draw`."""
    words = correlations.words(bytes([7]) * 32)
    assert [correlations.below(3 + 1000 * i, words) for i in range(8)] == [
        0, 440, 685, 2694, 541, 2317, 4017, 2950,
    ]  # fmt: skip
    words = correlations.words(bytes([7]) * 32)
    drawn = (correlations.below(2**32 - 1 - i, words).to_bytes(4, "little") for i in range(100_000))
    assert sha256(b"".join(drawn)).hexdigest() == (
        "b3c660b40b94d2290294920999407e17ca4c0e6e952137573185e46e677572dd"
    )
    words = correlations.words(sha256(b"greenlane/vole/1/code" + bytes([9]) * 32).digest())
    for due in (
        "ca375397c607e38873449e0841561cbc77d7c9276b32df29a2e3a9f21a0c5f3e",
        "5b928c87abf335a3a34132ca22d097e54b03dd4b1a75ffe907ce9cf9a301fdf7",
    ):
        slots = correlations.permutation(104_448, words)
        assert sha256(slots.astype("<u4").tobytes()).hexdigest() == due


def test_numbers_below_a_bound_are_drawn_again_where_they_would_not_be_uniform():
    """2^64 = 1 modulo 3, so a product whose low half is 0 is one too many."""
    assert correlations.below(3, iter([0, 2**63])) == 1
    assert correlations.below(4, iter([0])) == 0


def test_the_code_is_sums_orders_and_checks():
    code, x = correlations.Code(SID), random_blocks(17, 104_448)
    words = correlations.words(sha256(b"greenlane/vole/1/code" + SID).digest())
    now = to_numbers(x)
    for _ in range(2):
        slots, total, scattered = correlations.permutation(104_448, words), 0, [0] * 104_448
        for number, slot in zip(now, slots, strict=True):
            total ^= number
            scattered[slot] = total
        now = scattered
    rows, due = code48.systematic_rows(), []
    for k, i in product(range(2176), range(24)):
        total = now[24 * k + i]
        for j in range(24):
            if rows[i] >> 24 + j & 1:
                total ^= now[52_224 + 24 * k + j]
        due.append(total)
    out = code.compress(x)
    assert to_numbers(out) == due
    assert (code.compress(x ^ random_blocks(18, 104_448)) != out).any()
    y = random_blocks(18, 104_448)
    assert (code.compress(x ^ y) == out ^ code.compress(y)).all()


def test_the_blocks_are_the_extended_quadratic_residue_code():
    """Self-dual, and with the weights of MacWilliams and Sloane, chapter 19, section 3."""
    g = code48.generator_polynomial()
    assert g.bit_length() == 24
    assert g & 1
    rows = code48.systematic_rows()
    assert [row % 2**24 for row in rows] == [1 << i for i in range(24)]
    for a, b in product(rows, rows):
        assert (a & b).bit_count() % 2 == 0
    halves = []
    for half in (rows[:12], rows[12:]):
        sums = [0]
        for row in half:
            sums += [total ^ row for total in sums]
        halves.append(np.array(sums, np.uint64))
    counts = np.zeros(49, np.int64)
    for total in halves[0]:
        counts += np.bincount(np.bitwise_count(halves[1] ^ total), minlength=49)
    weights = {0: 1, 12: 17_296, 16: 535_095, 20: 3_995_376, 24: 7_681_680}
    weights |= {48 - weight: count for weight, count in weights.items()}
    assert {w: int(counts[w]) for w in np.flatnonzero(counts)} == weights


def test_the_polynomial_of_the_code_divides_and_is_the_smaller_of_two():
    """x^47 - 1 = (x - 1) g g', and g' is g read backwards."""
    g = code48.generator_polynomial()
    other = int(f"{g:024b}"[::-1], 2)
    assert g < other
    total = 0
    for i, j in product(range(24), range(24)):
        total ^= (g >> i & other >> j & 1) << i + j
    assert total ^ total << 1 == 1 << 47 | 1


# Oblivious key-value stores


def elements(count: int) -> list[bytes]:
    return [sha256(i.to_bytes(4, "little")).digest() for i in range(count)]


@pytest.mark.parametrize("count", [16_385, 32_769, 40_000])
def test_a_bin_is_as_large_as_the_tail_needs(count):
    """In whole numbers: the sum of C(n, k) (bins - 1)^(n - k) for k > c, against bins^n."""
    form = okvs.shape(count)
    bins, term, tail = form.bins, 1, 0
    assert bins == -(-count // 16_384)
    for k in range(count, form.capacity - 1, -1):
        # `tail` is the sum above k.
        if k <= form.capacity:
            fits = bins * tail << 43 <= bins**count
            assert fits is (k == form.capacity), k
        tail += term
        term = term * k * (bins - 1) // (count - k + 1)
    assert bins * tail << 43 > bins**count


def test_shapes_of_some_sizes():
    """128, 1024 and 1025; the last set of one bin and the first of two; 2^20."""
    cells = {128: 493, 1024: 493, 1025: 494, 16_384: 6938, 16_385: 3733, 1 << 20: 7387}
    assert {n: okvs.shape(n).third for n in cells} == cells
    assert okvs.shape(64).cells == 3 * 493 + 56
    assert [okvs.value_width(n) for n in (128, 1 << 23, (1 << 23) + 1)] == [64, 64, 72]


def test_rows_are_their_formulas():
    form = okvs.Shape(3, 20_000, 7001)
    for width in (64, 72, 128):
        rows = okvs.rows(elements(3), SID, form, width)
        for i, element in enumerate(elements(3)):
            (h,) = to_numbers(Hash(SID, "row").mmo(from_bytes(element[:16], 1)))
            (g,) = to_numbers(Hash(SID, "value").mmo(from_numbers([h])))
            (d,) = to_numbers(Hash(SID, "dense").mmo(from_numbers([h])))
            f = [h >> 32 * k & 0xFFFF_FFFF for k in range(4)]
            assert rows.bins[i] == f[0] * 3 >> 32
            assert rows.cells[i].tolist() == [k * 7001 + (f[k + 1] * 7001 >> 32) for k in range(3)]
            assert to_number(rows.values[i]) == g % 2**width
            assert rows.dense[i] == (g >> 72 if width <= 72 else d % 2**56)


def spread(count: int, form: okvs.Shape, width: int = 64) -> okvs.Rows:
    return okvs.rows(elements(count), SID, form, width)


@pytest.mark.parametrize("count", [0, 1, 2, 264, 1024])
@pytest.mark.parametrize("width", [64, 72, 128])
def test_every_key_decodes_to_its_value_and_others_do_not(count, width):
    form = okvs.shape(count)
    rows, all_rows = spread(count, form, width), spread(count + 50, form, width)
    cells = okvs.encode(rows, form)
    assert len(cells) == form.cells
    assert max(to_numbers(cells)) >> width == 0
    decoded = okvs.decode(cells, all_rows)
    assert ((decoded == all_rows.values).all(1) == (np.arange(count + 50) < count)).all()


@pytest.mark.parametrize("third", [10, 15, 20, 30])
def test_rows_that_cannot_be_peeled_are_solved(third):
    form = okvs.Shape(1, 60, third)
    rows = spread(60, form)
    peeled, left = okvs._peel(rows.cells.tolist(), 3 * third)
    assert len(peeled) + len(left) == 60
    assert (len(left) > 0) == (third < 30)
    assert (okvs.decode(okvs.encode(rows, form), rows) == rows.values).all()


def test_what_a_bin_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="room"):
        okvs.encode(spread(61, okvs.Shape(1, 60, 30)), okvs.Shape(1, 60, 30))
    with pytest.raises(ValueError, match="dense"):
        okvs.encode(spread(60, okvs.Shape(1, 60, 1)), okvs.Shape(1, 60, 1))


def test_every_row_is_in_one_bin():
    form = okvs.shape(40_000)
    rows = spread(2000, form)
    found = [rows.of(bin) for bin in range(form.bins)]
    assert sorted(np.concatenate([at for at, _ in found])) == list(range(2000))
    assert all((here.values == rows.values[at]).all() for at, here in found)
    assert all(500 < len(at) < 850 for at, _ in found)


# Tags


def test_forms_of_some_sizes():
    """T, then what is said: 40 + 3 + 14 bits for 128 x 128 elements, less the 7 of the count."""
    sizes = {(128, 128): (57, 56), (128, 129): (58, 56), (1 << 20, 1 << 20): (83, 64)}
    sizes[64, 64] = (55, 56)  # no high part, and a bit to spare
    sizes[1 << 24, 1 << 24] = (91, 72)
    assert {n: (tags.form(*n).bits, tags.form(*n).low) for n in sizes} == sizes
    for receiver, sender in product([64, 65, 127, 128, 1000, 10**6], repeat=2):
        form = tags.form(receiver, sender)
        assert 2 ** (form.bits - 43) >= receiver * sender
        assert 2**form.high <= sender


@pytest.mark.parametrize(("receiver", "sender"), [(64, 64), (128, 128), (300, 1000), (64, 127)])
def test_tags_come_back_ascending(receiver, sender):
    form = tags.form(receiver, sender)
    listed = tags.tags(to_numbers(random_blocks(19, sender)), form)
    unary, lows = tags.encode(listed, form)
    assert (len(unary), len(lows)) == (-(-form.unary // 8), sender * form.low // 8)
    assert tags.decode(unary, lows, form) == sorted(listed)


def test_the_counts_are_ones_for_tags_and_a_zero_for_each_high_part():
    form = tags.Form(4, 10, 8)
    unary, lows = tags.encode([0x3FF, 0x001, 0x102, 0x101], form)
    assert unpack(unary).tolist() == [1, 0, 1, 1, 0, 0, 1, 0]
    assert lows == b"\x01\x01\x02\xff"
    for wrong in (b"\x4f", b"\x4c", b"\x4d\x00", b""):
        with pytest.raises(ValueError, match=r"counts|whole"):
            tags.decode(wrong, lows, form)
    assert tags.tags([0xFFF << 116], form) == [0x3FF]
