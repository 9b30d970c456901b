"""Tickets: every way in which one can be wrong is refused by its name, and nothing else happens."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as some
from people import BODY, DAY, NODES, NORMALISER, NOW, Authority, People, changed, forged, spliced

from parties import canonical
from parties.errors import CertificateError, TicketRefused
from parties.refusals import SENTENCES
from parties.tickets import Asked, SignedTicket, Ticket, Trust, Verified, permits, verify
from parties.tickets.signing import DOMAIN, Key, sign
from parties.tickets.ticket import LONGEST, LONGEST_VALID, MOST_RUNS, WAYS, stages_of
from parties.tickets.trust import Side
from parties.tickets.verifying import EARLIEST, examine

KEYS = [
    ("insurer", "analyst"),
    ("insurer", "compliance"),
    ("police", "approver"),
    ("police", "investigator"),
]
"""Party and duty."""
APPROVER = 6
"""The place of the approver's signature for a run among all eight."""


@pytest.fixture(scope="module")
def people() -> People:
    return People()


@pytest.fixture(scope="module")
def data(people: People) -> bytes:
    return people.signed()


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(TicketRefused) as refused:
        act()
    error = refused.value
    assert error.code in TicketRefused.CODES
    assert error.exit_code == 7
    assert str(error)
    return error.code


def put(place: int, name: str, value: object, values: dict[str, Any]) -> None:
    values["signatures"][place][name] = value


def as_values(ticket: Ticket) -> Any:
    return json.loads(canonical.encode(ticket.values()))


# --- the form


def test_a_ticket_is_read_as_it_was_written(people: People, data: bytes) -> None:
    signed = SignedTicket.decode(data)
    assert signed.encode() == data
    assert as_values(signed.ticket) == BODY
    assert signed.ticket.digest == hashlib.sha256(canonical.encode(BODY)).hexdigest()
    assert signed.missing() == ()
    verified = verify(data, people.trust, NOW, ())
    assert verified.ticket == signed.ticket
    assert [(s.key.party, s.key.stage, s.key.duty) for s in verified.signers] == [
        (party, stage, duty)
        for party in ("insurer", "police")
        for stage in ("disclosure", "run")
        for p, duty in KEYS
        if p == party
    ]
    persons = {(s.key.duty, s.operator.person, s.approval) for s in verified.signers}
    assert persons == {
        ("analyst", "wu", ""),
        ("compliance", "sun", ""),
        ("investigator", "0117", ""),
        ("approver", "0004", "A-17"),
    }


def body(**changes: Any) -> dict[str, Any]:
    return BODY | changes


def test_the_widest_ticket_is_one() -> None:
    sets = [{"name": f"s{n:02}", "domain": "greenlane/1/plate"} for n in range(64)]
    wide = body(
        purpose="目" * 1000,
        legal_basis="x" * 1000,
        case="x" * 128,
        sets=sets,
        learns={
            "insurer": {"columns": []},
            "police": {"columns": [f"{n:03}" + "x" * 125 for n in range(256)]},
        },
        max_elements={"insurer": 1 << 30, "police": 1},
        floor=1 << 30,
        runs=MOST_RUNS,
        inquiries=1 << 30,
        rules=[f"{n:064x}" for n in range(64)],
        not_after="2028-12-01T07:00:00Z",
    )
    assert as_values(Ticket.of(wide)) == wide
    assert len(SignedTicket(Ticket.of(wide)).encode()) < LONGEST


def test_columns_may_be_named_in_any_script() -> None:
    columns = sorted(["claim no", "理赔号", "Größe"])
    assert Ticket.of(body(learns={"police": {"columns": columns}})).learns["police"] == tuple(
        columns
    )


STRANGE: list[Any] = [None, True, -1, 1.5, "", "x\n", "\u202e", "\ud800", " x", [], [None], {}]
MALFORMED: list[dict[str, Any]] = [
    body(format=2),
    body(format=True),
    body(id="00112233445566778899AABBCCDDEEFF"),
    body(id="00" * 15),
    body(id="00" * 17),
    body(purpose="x" * 1001),
    body(legal_basis="x" * 1001),
    body(case="x" * 129),
    body(insurer="Acme"),
    body(insurer=NODES["police"]),
    body(police="a" * 64),
    body(sets=BODY["sets"][::-1]),
    body(sets=BODY["sets"] + BODY["sets"][-1:]),
    body(sets=[{"name": "plate", "domain": "greenlane/1/plate", "more": 1}]),
    body(sets=[{"name": "plate"}]),
    body(sets=[{"name": "Plate", "domain": "greenlane/1/plate"}]),
    body(sets=[{"name": "plate", "domain": "greenlane/1/plate+"}]),
    body(sets=[{"name": "plate", "domain": "plate"}]),
    body(sets=[{"name": "plate", "domain": "greenlane/1/plate/" + "+".join(["x"] * 17)}]),
    body(sets=[{"name": f"s{n:02}", "domain": "greenlane/1/plate"} for n in range(65)]),
    body(ways=[]),
    body(ways=["match", "count"]),
    body(ways=["count", "count"]),
    body(ways=["count", "steal"]),
    body(protocols=[]),
    body(protocols=["vole", "dh"]),
    body(protocols=["dh", "dh"]),
    body(protocols=["DH"]),
    body(protocols=["x" * 65]),
    body(protocols=[f"p{n:02}" for n in range(65)]),
    body(learns={}),
    body(learns={"both": {"columns": []}}),
    body(learns={"police": {"columns": [], "rows": []}}),
    body(learns={"police": {}}),
    body(learns={"police": {"columns": ["b", "a"]}}),
    body(learns={"police": {"columns": ["a", "a"]}}),
    body(learns={"police": {"columns": ["x" * 129]}}),
    body(learns={"police": {"columns": [""]}}),
    body(learns={"police": {"columns": ["a\u202eb"]}}),
    body(learns={"police": {"columns": [f"{n:03}" for n in range(257)]}}),
    body(max_elements={"insurer": 1}),
    body(max_elements={"insurer": 0, "police": 1}),
    body(max_elements={"insurer": 1, "police": (1 << 30) + 1}),
    body(max_elements={"insurer": 1, "police": True}),
    body(floor=(1 << 30) + 1),
    body(runs=0),
    body(runs=MOST_RUNS + 1),
    body(runs=10**400),
    body(inquiries=0),
    body(inquiries=(1 << 30) + 1),
    body(ways=["count"]),
    body(ways=["inquire"]),
    body(rules=["0b"]),
    body(rules=["0b" * 32] * 2),
    body(rules=[f"{n:064x}" for n in range(65)]),
    body(normaliser="0A" * 32),
    body(not_before="2026-11-30T07:00:00+00:00"),
    body(not_before="2026-11-30 07:00:00Z"),
    body(not_before="2026-11-30T07:00:00.5Z"),
    body(not_before="2026-11-31T07:00:00Z"),
    body(not_before="2026-11-30T07:00:60Z"),
    body(not_before="0000-11-30T07:00:00Z"),
    body(not_before="２026-11-30T07:00:00Z"),
    body(not_after=BODY["not_before"]),
    body(not_after="2026-11-30T06:59:59Z"),
    body(not_after="2028-12-01T07:00:01Z"),
    body(more=1),
    *(body(**{name: value}) for name in BODY for value in STRANGE),
    *({k: v for k, v in BODY.items() if k != name} for name in BODY),
]
FINE = [("rules", []), ("floor", 0)]


def test_every_other_form_is_malformed_and_the_sentence_says_where() -> None:
    count = 0
    for values in MALFORMED:
        if any(values.get(name) == value and type(value) is not bool for name, value in FINE):
            continue
        with pytest.raises(TicketRefused, match=r"^this is no ticket: [a-z]") as refused:
            Ticket.of(values)
        assert refused.value.code == "ticket-malformed", values
        assert refused.value.__context__ is None, "a traceback shows what was written"
        count += 1
    assert count > 250


@pytest.mark.parametrize("values", [None, [], "x", 1])
def test_what_is_no_object_is_malformed(values: Any) -> None:
    assert code_of(lambda: Ticket.of(values)) == "ticket-malformed"


def test_two_years_are_two_audits() -> None:
    assert timedelta(days=731) < LONGEST_VALID < timedelta(days=733)


FILES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no ticket": lambda v: v.pop("ticket"),
    "no signatures": lambda v: v.pop("signatures"),
    "more": lambda v: v.update(more=1),
    "signatures no list": lambda v: v.update(signatures={}),
    "nine": lambda v: v["signatures"].append(v["signatures"][0]),
    "one twice": lambda v: v["signatures"].__setitem__(1, v["signatures"][0]),
    "out of order": lambda v: v["signatures"].reverse(),
    "party": lambda v: v["signatures"][0].update(party="court"),
    "duty of the other": lambda v: v["signatures"][0].update(duty="approver"),
    "duty of nobody": lambda v: v["signatures"][0].update(duty="auditor"),
    "stage": lambda v: v["signatures"][0].update(stage="all"),
    "time": lambda v: v["signatures"][0].update(at="today"),
    "approval of another": lambda v: v["signatures"][0].update(approval="A-17"),
    "no approval": lambda v: v["signatures"][4].update(approval=""),
    "long approval": lambda v: v["signatures"][4].update(approval="x" * 129),
    "no certificate": lambda v: v["signatures"][0].update(certificate=""),
    "certificate no base64": lambda v: v["signatures"][0].update(certificate="x" * 5),
    "certificate a number": lambda v: v["signatures"][0].update(certificate=5),
    "other base64": lambda v: v["signatures"][0].update(signature="A" * 85 + "B=="),
    "short signature": lambda v: v["signatures"][0].update(signature="A" * 84),
    "intermediates": lambda v: v["signatures"][0].update(intermediates=["AAAA"] * 4),
    "an entry": lambda v: v["signatures"][0].update(more=1),
    "lacks an entry": lambda v: v["signatures"][0].pop("at"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_of_another_form_is_malformed(people: People, data: bytes, case: str) -> None:
    other = changed(data, FILES[case])
    assert other != data
    assert code_of(lambda: verify(other, people.trust, NOW, ())) == "ticket-malformed"


def test_a_file_that_is_too_long_is_not_even_parsed(people: People) -> None:
    long = b'{"signatures":' + b"[" * LONGEST
    assert code_of(lambda: SignedTicket.decode(long)) == "ticket-malformed"
    columns = [f"{n:03}" + "目" * 120 for n in range(256)]
    ticket = Ticket.of(body(learns={"police": {"columns": columns}}))
    assert code_of(lambda: SignedTicket(ticket).encode()) == "ticket-malformed"


# --- any byte


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_no_byte_of_a_signed_ticket_can_be_another(people: People) -> None:
    """Of a file with a chain by an intermediate, at every place."""
    office = Authority.new("office", people.police)
    clerk = people.person("police", "approver", "0004", by=office, between=[office])
    data = people.signed(("run",), instead={("police", "approver"): clerk})
    assert verify(data, people.trust, NOW, ())
    codes = set()
    for place in range(len(data)):
        # Mostly another digit or letter, so that not only the reading refuses it.
        flipped = data[:place] + bytes([data[place] ^ (1 << place % 3)]) + data[place + 1 :]
        codes.add(code_of(partial(verify, flipped, people.trust, NOW, ())))
    assert codes == {"ticket-malformed", "ticket-forged", "ticket-other-peer"}


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("part", ["certificate", "signature"])
def test_no_byte_of_what_a_signature_brings_can_be_another(
    people: People, data: bytes, part: str
) -> None:
    text = json.loads(data)["signatures"][3][part]
    for place in range(len(text) * 3 // 4 - 2):
        spliced_text = spliced(text, place, 0x80 >> place % 8)
        other = changed(data, partial(put, 3, part, spliced_text))
        assert code_of(partial(verify, other, people.trust, NOW, ())) == "ticket-forged"


def test_a_file_cut_short_or_longer_is_malformed(people: People, data: bytes) -> None:
    for other in (b"", data[:-1], data + b"\n", b"\n" + data, data + data):
        assert code_of(partial(verify, other, people.trust, NOW, ())) == "ticket-malformed"


# --- noise


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(some.binary(max_size=200) | some.dictionaries(some.text(), JSON).map(canonical.encode))
def test_noise_is_malformed_and_nothing_else(noise: bytes) -> None:
    assert code_of(lambda: SignedTicket.decode(noise)) == "ticket-malformed"


@settings(max_examples=500, deadline=None)
@given(some.data())
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_a_ticket_with_anything_in_any_place_is_refused_or_the_same(
    people: People, data: bytes, draw: some.DataObject
) -> None:
    values = json.loads(data)
    at: Any = values
    while True:
        keys = sorted(at) if isinstance(at, dict) else range(len(at))
        key = draw.draw(some.sampled_from(list(keys)))
        if not isinstance(at[key], dict | list) or not at[key] or draw.draw(some.booleans()):
            break
        at = at[key]
    before = copy.deepcopy(at[key])
    at[key] = draw.draw(JSON | some.text("0123456789abcdef+/=", max_size=100))
    other = canonical.encode(values)
    if canonical.encode({"": before}) == canonical.encode({"": at[key]}):
        assert verify(other, people.trust, NOW, ())
    elif other != data and values["signatures"]:
        with pytest.raises(TicketRefused):
            verify(other, people.trust, NOW, ())


# --- signatures


def unsigned(duty: str, stage: str) -> Callable[[People], bytes]:
    party = "insurer" if duty in ("analyst", "compliance") else "police"
    return lambda people: people.signed(without=[(party, stage, duty)])


def resigned(party: str, duty: str, **options: Any) -> Callable[[People], bytes]:
    """Signed by a person whose certificate is another."""
    options = {"role": duty, "person": "0099"} | options

    def make(people: People) -> bytes:
        at = options.pop("at", NOW - DAY)
        by = options.pop("by", None)
        person = people.person(party, by=by and by(people), **options)  # type: ignore[arg-type]
        approval = "A-17" if duty == "approver" else ""
        return forged(people.signed(), (party, "run", duty), person, at, approval)

    return make


def same_key(one: tuple[str, str], other: tuple[str, str]) -> Callable[[People], bytes]:
    """Two certificates with two names, and one key."""

    def make(people: People) -> bytes:
        key = people.signers[one].key
        person = people.person(other[0], other[1], "0099", key=key)  # type: ignore[arg-type]
        approval = "A-17" if other[1] == "approver" else ""
        return forged(people.signed(), (other[0], "run", other[1]), person, NOW - DAY, approval)

    return make


def same_person(party: str, duty: str, person: str, *stages: str) -> Callable[[People], bytes]:
    """Two certificates with two keys, and one name."""

    def make(people: People) -> bytes:
        second = people.person(party, duty, person)  # type: ignore[arg-type]
        data = people.signed()
        for stage in stages:
            approval = "A-17" if duty == "approver" else ""
            data = forged(data, (party, stage, duty), second, NOW - DAY, approval)
        return data

    return make


def other_ticket(people: People) -> bytes:
    """Signatures of a ticket under another."""
    signed = SignedTicket.decode(people.signed())
    return signed._replace(ticket=Ticket.of(body(runs=5))).encode()


def other_stage(people: People) -> bytes:
    """A signature for a run passed off as one for disclosure."""
    signed = SignedTicket.decode(people.signed(("run",)))
    moved = [each._replace(key=each.key._replace(stage="disclosure")) for each in signed.signatures]
    return SignedTicket(signed.ticket, tuple(sorted((*signed.signatures, *moved)))).encode()


def other_words(**changes: Any) -> Callable[[People], bytes]:
    """The approver's signature with something else beside it."""

    def make(people: People) -> bytes:
        return changed(people.signed(), lambda v: v["signatures"][APPROVER].update(changes))

    return make


def swapped(people: People) -> bytes:
    """The signatures of two, exchanged."""

    def swap(values: dict[str, Any]) -> None:
        one, two = values["signatures"][:2]
        one["signature"], two["signature"] = two["signature"], one["signature"]

    return changed(people.signed(), swap)


def stray_authority(people: People) -> bytes:
    """A signature without the authority that it came with."""
    office = Authority.new("office", people.police)
    clerk = people.person("police", "approver", "0004", by=office, between=[office])
    data = people.signed(instead={("police", "approver"): clerk})
    return changed(data, lambda v: v["signatures"][APPROVER]["intermediates"].clear())


def other_intermediate(people: People) -> bytes:
    """Another certificate of the same authority in the place of the one that was signed with."""
    office = Authority.new("office", people.police)
    again = Authority.new("office", people.police, key=office.key)
    clerk = people.person("police", "approver", "0004", by=office, between=[office])
    data = people.signed(instead={("police", "approver"): clerk})
    text = base64.b64encode(again.certificate.public_bytes(Encoding.DER)).decode()
    return changed(data, partial(put, APPROVER, "intermediates", [text]))


WRONG: dict[str, tuple[Callable[[People], bytes], str]] = {
    **{
        f"not signed for a run by {duty}": (unsigned(duty, "run"), "ticket-unsigned")
        for _, duty in KEYS
    },
    "signed by nobody": (lambda people: people.signed(()), "ticket-unsigned"),
    "signed for disclosure alone": (
        lambda people: people.signed(("disclosure",)),
        "ticket-unsigned",
    ),
    "signed under another ticket": (other_ticket, "ticket-forged"),
    "a run passed off as disclosure": (other_stage, "ticket-forged"),
    "another approval": (other_words(approval="A-18"), "ticket-forged"),
    "another time of signing": (other_words(at="2026-11-29T12:00:00Z"), "ticket-forged"),
    "signatures exchanged": (swapped, "ticket-forged"),
    "an intermediate left out": (stray_authority, "ticket-forged"),
    "another certificate of an intermediate": (other_intermediate, "ticket-forged"),
    "approver of the insurer": (
        resigned(
            "police",
            "approver",
            name="urn:greenlane:operator:acme:approver:x",
            by=lambda p: p.insurer,
        ),
        "ticket-forged",
    ),
    "approver of the insurer, by the police's authority": (
        resigned("police", "approver", name="urn:greenlane:operator:acme:approver:x"),
        "ticket-forged",
    ),
    "compliance of the police": (
        resigned("insurer", "compliance", name="urn:greenlane:operator:city-police:compliance:x"),
        "ticket-forged",
    ),
    "investigator as approver": (
        resigned("police", "approver", role="investigator"),
        "ticket-forged",
    ),
    "analyst as compliance": (resigned("insurer", "compliance", role="analyst"), "ticket-forged"),
    "an auditor": (resigned("insurer", "analyst", role="auditor"), "ticket-forged"),
    "an administrator": (resigned("police", "investigator", role="administrator"), "ticket-forged"),
    "of another node": (
        resigned("police", "approver", name="urn:greenlane:operator:other-police:approver:0004"),
        "ticket-forged",
    ),
    "by the other side's authority": (
        resigned("police", "approver", by=lambda p: p.insurer),
        "ticket-forged",
    ),
    "by nobody's authority": (
        resigned("police", "approver", by=lambda p: Authority.new("police-authority")),
        "ticket-forged",
    ),
    "a certificate expired when it signed": (
        resigned("insurer", "analyst", end=NOW - 2 * DAY),
        "ticket-forged",
    ),
    "a certificate not valid yet when it signed": (
        resigned("insurer", "analyst", begin=NOW),
        "ticket-forged",
    ),
    "a name of no operator": (resigned("insurer", "analyst", name="wu"), "ticket-forged"),
    "signed tomorrow": (resigned("insurer", "analyst", at=NOW + DAY), "ticket-early"),
    "one key under two names": (
        same_key(("police", "approver"), ("police", "investigator")),
        "ticket-one-person",
    ),
    "one key under two names at the insurer": (
        same_key(("insurer", "analyst"), ("insurer", "compliance")),
        "ticket-one-person",
    ),
    "one key on both sides": (
        same_key(("insurer", "analyst"), ("police", "investigator")),
        "ticket-one-person",
    ),
    "one person with two certificates": (
        same_person("police", "investigator", "0004", "run"),
        "ticket-one-person",
    ),
    "one person at two duties of two stages": (
        same_person("insurer", "compliance", "wu", "disclosure"),
        "ticket-one-person",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_ticket_that_is_signed_wrongly_is_refused_by_name(people: People, case: str) -> None:
    make, code = WRONG[case]
    data = make(people)
    for _ in range(2):  # whether it is remembered or not
        assert code_of(lambda: verify(data, people.trust, NOW, ())) == code


def test_what_is_missing_is_said(people: People) -> None:
    data = people.signed(without=[("police", "run", "approver"), ("insurer", "run", "analyst")])
    with pytest.raises(TicketRefused, match="signed by the insurer's analyst for run, the police"):
        verify(data, people.trust, NOW, ())


def test_other_people_may_sign_at_another_stage(people: People) -> None:
    data = people.signed()
    for party, duty in KEYS:
        person = people.person(party, duty, f"second-{duty}")  # type: ignore[arg-type]
        approval = "A-17" if duty == "approver" else ""
        data = forged(data, (party, "disclosure", duty), person, NOW - DAY, approval)
    assert len(verify(data, people.trust, NOW, ()).signers) == 8


def test_a_certificate_that_has_expired_since_has_signed(people: People) -> None:
    make = resigned("insurer", "analyst", end=NOW - DAY + timedelta(hours=1))
    assert verify(make(people), people.trust, NOW, ())


def test_a_signers_clock_may_be_an_hour_ahead(people: People) -> None:
    data = people.signed(at=NOW + timedelta(hours=1))
    assert verify(data, people.trust, NOW, ())
    later = people.signed(at=NOW + timedelta(hours=1, seconds=1))
    assert code_of(lambda: verify(later, people.trust, NOW, ())) == "ticket-early"


def test_a_signature_is_at_most_a_quarter_older_than_the_ticket_begins(people: People) -> None:
    """Its time is what its signer says: the key of one who left long ago signs nothing more."""
    begins = SignedTicket.decode(people.signed()).ticket.not_before
    assert verify(people.signed(at=begins - EARLIEST), people.trust, NOW, ())
    older = people.signed(at=begins - EARLIEST - timedelta(seconds=1))
    assert code_of(lambda: verify(older, people.trust, NOW, ())) == "ticket-forged"


def test_a_ticket_has_its_time(people: People, data: bytes) -> None:
    ticket = SignedTicket.decode(data).ticket
    second = timedelta(seconds=1)
    early = people.signed(at=ticket.not_before - DAY)
    for good in (ticket.not_before, ticket.not_after):
        assert verify(early, people.trust, good, ())
    for at, code in (
        (ticket.not_before - second, "ticket-early"),
        (ticket.not_after + second, "ticket-expired"),
        (ticket.not_before, None),
    ):
        if code:
            assert code_of(partial(verify, early, people.trust, at, ())) == code
        else:
            verify(early, people.trust, at, ())


def test_what_was_revoked_is_refused_though_it_was_fine_before(people: People, data: bytes) -> None:
    verified = verify(data, people.trust, NOW, ())
    assert code_of(lambda: verify(data, people.trust, NOW, {BODY["id"]})) == "ticket-revoked"
    for signer in verified.signers:
        revoked = {signer.operator.fingerprint}
        assert code_of(partial(verify, data, people.trust, NOW, revoked)) == "ticket-signer-revoked"
    assert verify(data, people.trust, NOW, {"00" * 16, "sha256:" + "00" * 32})


@pytest.mark.parametrize("party", ["insurer", "police"])
def test_a_ticket_between_other_nodes_is_refused(people: People, party: Any) -> None:
    data = people.signed()
    sides = people.trust._asdict() | {party: Side("another", people.trust.side(party).authorities)}
    assert code_of(lambda: verify(data, Trust(**sides), NOW, ())) == "ticket-other-peer"


def test_what_is_remembered_is_of_the_same_trust(people: People, data: bytes) -> None:
    assert verify(data, people.trust, NOW, ())
    others = People()
    assert code_of(lambda: verify(data, others.trust, NOW, ())) == "ticket-forged"
    assert verify(data, people.trust, NOW, ())


def test_a_known_ticket_is_not_read_again(people: People, data: bytes) -> None:
    verify(data, people.trust, NOW, ())
    before = examine.cache_info()
    for _ in range(3):  # other objects of the same content
        again = verify(bytes(bytearray(data)), People.trust.fget(people), NOW, ())  # type: ignore[attr-defined]
    after = examine.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (3, 0)
    assert again is verify(data, people.trust, NOW, ())


# --- signing


def test_signing_refuses_what_verifying_would(people: People) -> None:
    empty = SignedTicket(Ticket.of(BODY))
    approver, analyst = people.signers["police", "approver"], people.signers["insurer", "analyst"]

    def by(person: Any, signed: SignedTicket = empty, **options: Any) -> SignedTicket:
        values: dict[str, Any] = {"stage": "run", "at": NOW} | options
        return sign(signed, values["stage"], person.key, person.chain, values["at"],
                    values.get("approval", ""))  # fmt: skip

    assert code_of(lambda: by(approver)) == "ticket-malformed"
    assert code_of(lambda: by(analyst, approval="A-17")) == "ticket-malformed"
    assert code_of(lambda: by(approver, approval="A\n17")) == "ticket-malformed"
    once = by(approver, approval="A-17")
    assert code_of(lambda: by(approver, once, approval="A-17")) == "ticket-one-person"
    twin = people.person("police", "investigator", "0004")
    assert code_of(lambda: by(twin, once)) == "ticket-one-person"
    assert code_of(lambda: by(twin, once, stage="disclosure")) == "ticket-one-person"
    auditor = people.person("police", "auditor", "0004")
    assert code_of(lambda: by(auditor)) == "ticket-forged"
    elsewhere = people.person(
        "police", "x", "y", name="urn:greenlane:operator:rural-police:investigator:1"
    )
    assert code_of(lambda: by(elsewhere)) == "ticket-other-peer"
    wrong = people.person("insurer", "x", "y", name="urn:greenlane:operator:acme:approver:1")
    assert code_of(lambda: by(wrong, approval="A-17")) == "ticket-forged"
    stranger = people.person("insurer", "analyst", "wu")
    stranger.key = ed25519.Ed25519PrivateKey.generate()
    assert code_of(lambda: by(stranger)) == "ticket-forged"
    assert code_of(lambda: by(analyst, at=NOW + 365 * DAY)) == "ticket-expired"
    expired = people.person("insurer", "analyst", "wu", end=NOW - DAY)
    with pytest.raises(CertificateError, match="not valid now"):
        by(expired)


def test_a_signature_is_domain_separated_and_of_all_beside_it(people: People) -> None:
    signed = SignedTicket.decode(people.signed())
    one = signed.signatures[0]
    said = one.signed(signed.ticket.digest)
    assert DOMAIN == b"greenlane/ticket/1/signature\n"
    assert said.startswith(DOMAIN)
    assert json.loads(said.removeprefix(DOMAIN)) == {
        "ticket": signed.ticket.digest,
        "party": "insurer",
        "stage": "disclosure",
        "duty": "analyst",
        "at": "2026-11-30T12:00:00Z",
        "approval": "",
        "certificates": [hashlib.sha256(each).hexdigest() for each in one.certificates],
    }


# --- what a ticket permits


ASKED = Asked(
    insurer=NODES["insurer"],
    police=NODES["police"],
    way="match",
    sets=[("plate", "greenlane/1/plate")],
    protocols=["vole"],
    learners=["police"],
    columns={"police": ["claim_no"]},
    sizes={"insurer": 1_000_000, "police": 50_000},
    normaliser=NORMALISER,
)
FORBIDDEN: dict[str, tuple[dict[str, Any], str]] = {
    "another insurer": ({"insurer": "other"}, "ticket-other-peer"),
    "another police": ({"police": "other"}, "ticket-other-peer"),
    "sides exchanged": (
        {"insurer": NODES["police"], "police": NODES["insurer"]},
        "ticket-other-peer",
    ),
    "another set": ({"sets": [("vin", "greenlane/1/vin")]}, "ticket-other-set"),
    "one set too many": (
        {"sets": [*ASKED.sets, ("vin", "greenlane/1/vin")]},
        "ticket-other-set",
    ),
    "another kind": ({"sets": [("plate", "greenlane/1/vin")]}, "ticket-other-set"),
    "another version of the kind": ({"sets": [("plate", "greenlane/2/plate")]}, "ticket-other-set"),
    "another protocol": ({"protocols": ["dh", "vole-malicious"]}, "ticket-other-protocol"),
    "another learner": (
        {"learners": ["insurer"], "columns": {}},
        "ticket-other-learner",
    ),
    "both learn": ({"learners": ["insurer", "police"]}, "ticket-other-learner"),
    "another column": ({"columns": {"police": ["claim_no", "name"]}}, "ticket-other-columns"),
    "columns of who does not learn": (
        {"columns": {"insurer": ["record_no"]}},
        "ticket-other-columns",
    ),
    "columns of a count": ({"way": "count"}, "ticket-other-columns"),
    "columns of a list": ({"way": "list"}, "ticket-other-columns"),
    "too many of the insurer": ({"sizes": {"insurer": 1_000_001}}, "ticket-too-large"),
    "too many of the police": ({"sizes": {"police": 50_001}}, "ticket-too-large"),
    "another normaliser": ({"normaliser": "0b" * 32}, "ticket-other-normaliser"),
}


@pytest.mark.parametrize("case", FORBIDDEN)
def test_a_ticket_refuses_by_name_what_it_does_not_allow(
    people: People, data: bytes, case: str
) -> None:
    changes, code = FORBIDDEN[case]
    verified = verify(data, people.trust, NOW, ())
    permits(verified, ASKED)
    assert code_of(lambda: permits(verified, ASKED._replace(**changes))) == code


@pytest.mark.parametrize("way", WAYS)
def test_a_way_that_is_not_named_is_refused(people: People, way: Any) -> None:
    ways = sorted(set(WAYS) - {way})
    data = people.signed(ways=ways, inquiries=100 if "inquire" in ways else 0)
    verified = verify(data, people.trust, NOW, ())
    assert code_of(lambda: permits(verified, ASKED._replace(way=way))) == "ticket-other-way"


def test_less_than_what_is_allowed_is_allowed(people: People, data: bytes) -> None:
    verified = verify(data, people.trust, NOW, ())
    changes: dict[str, Any]
    for changes in (
        {"sizes": {}, "columns": {}},
        {"way": "count", "columns": {}, "protocols": ["dh"]},
        {"way": "list", "columns": {"police": []}},
        {"way": "inquire", "protocols": [], "sizes": {"police": 3}},
        {"sets": [(each["name"], each["domain"]) for each in BODY["sets"]]},
    ):
        permits(verified, ASKED._replace(**changes))


DETAIL: list[tuple[str, bool, bool]] = [
    ("count", False, False),
    ("list", False, True),
    ("match", False, True),
    ("match", True, True),
    ("inquire", False, False),
    ("inquire", True, True),
]


@pytest.mark.parametrize(("way", "columns", "detail"), DETAIL)
def test_detail_needs_the_keys_of_disclosure(
    people: People, way: Any, columns: bool, detail: bool
) -> None:
    assert stages_of(way, columns=columns) == (("run", "disclosure") if detail else ("run",))
    asked = ASKED._replace(way=way, columns={"police": ["claim_no"]} if columns else {})
    keys = [(party, "disclosure", duty) for party, duty in KEYS]
    permits(verify(people.signed(), people.trust, NOW, ()), asked)
    for lacking in [keys, *([key] for key in keys)]:
        data = people.signed(without=lacking)
        verified = verify(data, people.trust, NOW, ())
        if detail:
            assert code_of(partial(permits, verified, asked)) == "ticket-unsigned"
        else:
            permits(verified, asked)


def test_a_ticket_that_tells_no_detail_needs_no_second_keys(people: People) -> None:
    changes: dict[str, Any] = {
        "ways": ["count"],
        "inquiries": 0,
        "learns": {"police": {"columns": []}},
    }
    verified = verify(people.signed(("run",), **changes), people.trust, NOW, ())
    assert verified.missing == ()
    more = verify(people.signed(("run",)), people.trust, NOW, ())
    assert {key.stage for key in more.missing} == {"disclosure"}
    assert Key("police", "disclosure", "approver") in more.missing


def test_every_code_has_its_sentence_for_the_other_node() -> None:
    assert set(TicketRefused.CODES) <= set(SENTENCES)
    of_tickets = {code for code in SENTENCES if code.startswith("ticket-")}
    of_use = {"ticket-spent", "ticket-stage", "ticket-other-input"}
    assert of_tickets == {*TicketRefused.CODES, *of_use}, "which the books refuse"
    refused: set[str] = {code for _, code in (*WRONG.values(), *FORBIDDEN.values())}
    refused |= {"ticket-malformed", "ticket-expired", "ticket-revoked", "ticket-signer-revoked"}
    refused |= {"ticket-floor", "ticket-missing", "ticket-other-way"}
    refused |= {"ticket-refused", "ticket-unknown", "ticket-twice"}  # of the inbox
    assert refused == set(TicketRefused.CODES)


def test_a_verified_ticket_is_a_value(people: People, data: bytes) -> None:
    verified = verify(data, people.trust, NOW, ())
    assert isinstance(verified, Verified)
    assert verified.digest == SignedTicket.decode(data).ticket.digest
