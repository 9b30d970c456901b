"""Receipts: read whatever the bytes are, bound to a run, and compared field by field."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from booked import NOON, Booked, forged, receipt_of, run
from hypothesis import given, settings
from hypothesis import strategies as st

from parties import canonical
from parties.audit import receipt as receipts
from parties.audit.agreeing import agree, contradict
from parties.audit.chain import stamp
from parties.audit.heads import LONGEST_CERTIFICATE
from parties.audit.inquiries import (
    MOST,
    MOST_NAMES,
    InquiryReceipt,
    outcome_of,
    sessions_in,
    transcript_of,
)
from parties.audit.receipt import Receipt, SetReceipt, read, read_answer, sign
from parties.credentials import Credentials
from parties.errors import AuditRefused, exit_code
from psi.errors import ApiMisuse

SESSION = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def police(tmp_path_factory: pytest.TempPathFactory) -> Booked:
    return Booked(tmp_path_factory.mktemp("police"), "police")


@pytest.fixture(scope="module")
def insurer(tmp_path_factory: pytest.TempPathFactory) -> Booked:
    return Booked(tmp_path_factory.mktemp("insurer"), "insurer")


def refused(work: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(AuditRefused) as caught:
        work(*arguments)
    assert exit_code(caught.value) == 8
    return caught.value.code


def test_a_receipt_is_read_as_it_was_signed(police: Booked) -> None:
    receipt = receipt_of(SESSION, "police")
    signed = sign(receipt, police.credentials)
    assert read(signed.data) == signed
    assert signed.receipt == receipt
    assert signed.certificate == police.credentials.leaf
    assert len(signed.digest) == 64


def test_a_run_that_failed_needs_no_transcript_and_a_node_no_ticket(police: Booked) -> None:
    receipt = receipt_of(SESSION, "police", outcome="peer-lost", transcript="", sets=())
    receipt = receipt._replace(ticket="", ticket_digest="", stage="")
    assert read(sign(receipt, police.credentials).data).receipt == receipt


def test_the_largest_receipt_is_read(police: Booked) -> None:
    most = (1 << 63) - 1
    sets = tuple(
        SetReceipt(f"{number:064}", "p" * 64, most, most, most)
        for number in range(receipts.MOST_SETS)
    )
    receipt = receipt_of(SESSION, "police", sets=sets, learns="both")
    assert len(sign(receipt, police.credentials).data) < receipts.LONGEST_RECEIPT - (1 << 14)


# Certificates are read that no authority would make.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_a_receipt_with_one_bit_changed_anywhere_is_refused(police: Booked) -> None:
    data = sign(receipt_of(SESSION, "police"), police.credentials).data
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        assert refused(read, changed) in (
            "receipt-malformed",
            "receipt-forged",
        )


def test_a_receipt_of_another_name_than_its_certificate_is_forged(insurer: Booked) -> None:
    values = receipt_of(SESSION, "police").as_values()
    assert refused(lambda: read(forged(values, insurer.credentials))) == "receipt-forged"


def test_we_sign_no_receipt_in_another_name(insurer: Booked) -> None:
    with pytest.raises(ApiMisuse, match="would not be read"):
        sign(receipt_of(SESSION, "police"), insurer.credentials)


def test_a_signature_of_something_else_is_none_of_a_receipt(
    police: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(receipts, "DOMAIN", b"greenlane/audit/1/head\n")
        data = sign(receipt_of(SESSION, "police"), police.credentials).data
    assert refused(lambda: read(data)) == "receipt-forged"


WRONG: dict[str, tuple[Any, ...]] = {
    "session": ("", "0" * 31, "A" * 32, 5, None),
    "ticket": ("-", "x" * 65, "a b", None),
    "ticket_digest": ("ab", "AB" * 32, None),
    "insurer": ("", "a_b", "police", None),
    "police": ("", "Police", ["police"]),
    "way": ("look", "", None, ["count"]),
    "stage": ("Stage", None),
    "learns": ("us", "", None),
    "sets": (None, {}, [None], [[]], ["plate"], [{}], [{"name": "plate"}]),
    "said_bytes": (-1, 1 << 63, True, 1.5, "1", None),
    "heard_bytes": (-1, 1 << 63, True, None),
    "transcript": ("", "cd", None),
    "started": ("", "2026-02-31T12:00:00.000000Z", "2024-11-30T12:00:00Z", None),
    "ended": ("2024-11-30T11:59:59.999999Z", "2024-11-30T25:00:00.000000Z", 7),
    "outcome": ("", "Done", None),
    "signer": ("us", "", None),
    "place": (None, {}, [], {"hash": "00" * 32, "number": -1}, {"hash": "", "number": 1}),
    "format": (0, 2, True, None, "1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_every_field_has_its_form(police: Booked, name: str) -> None:
    good = receipt_of(SESSION, "police").as_values()
    assert set(WRONG) == set(good)
    for wrong in WRONG[name]:
        if isinstance(wrong, float):
            continue  # canonical JSON has none
        data = forged(good | {name: wrong}, police.credentials)
        assert refused(read, data) == "receipt-malformed", wrong
    lacking = {key: value for key, value in good.items() if key != name}
    assert refused(lambda: read(forged(lacking, police.credentials))) == "receipt-malformed"


@pytest.mark.parametrize(
    "change",
    [{"name": "Plate"}, {"protocol": ""}, {"insurer": None}, {"police": -1}, {"found": True}],
)
def test_every_set_has_its_form(police: Booked, change: dict[str, Any]) -> None:
    values = receipt_of(SESSION, "police", learns="both").as_values()
    values["sets"][0] |= change
    assert refused(lambda: read(forged(values, police.credentials))) == "receipt-malformed"


def test_a_set_is_named_once_and_there_are_so_many(police: Booked) -> None:
    for sets in (2 * [SetReceipt("plate", "dh", 1, 1)], 65 * [SetReceipt("plate", "dh", 1, 1)]):
        values = receipt_of(SESSION, "police", sets=tuple(sets)).as_values()
        assert refused(read, forged(values, police.credentials)) == "receipt-malformed"


@pytest.mark.parametrize("learns", ["insurer", "police", "nobody"])
def test_a_number_that_one_party_alone_has_learnt_is_not_told_to_the_other(
    police: Booked, learns: str
) -> None:
    sets = (SetReceipt("plate", "dh", 128, 1024, 7),)
    with pytest.raises(ApiMisuse, match="would not be read"):
        sign(receipt_of(SESSION, "police", learns=learns, sets=sets), police.credentials)
    sign(receipt_of(SESSION, "police", learns="both", sets=sets), police.credentials)


@given(st.binary(max_size=200))
def test_no_bytes_are_read_as_anything_but_a_receipt(data: bytes) -> None:
    assert refused(lambda: read(data)) == "receipt-malformed"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1 << 64) | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_values_that_are_signed_raise_anything_but_a_refusal(
    police: Booked, data: st.DataObject
) -> None:
    good = receipt_of(SESSION, "police").as_values()
    names = data.draw(st.lists(st.sampled_from(sorted(good)), min_size=1, max_size=3))
    values = good | {name: data.draw(VALUES) for name in names}
    with suppress(AuditRefused):
        assert read(forged(values, police.credentials)).receipt.as_values() == values


@settings(max_examples=100, deadline=None)
@given(outer=st.dictionaries(st.sampled_from(["certificate", "receipt", "signature"]), VALUES))
def test_no_envelope_raises_anything_but_a_refusal(outer: dict[str, Any]) -> None:
    assert refused(lambda: read(canonical.encode(outer))) == "receipt-malformed"


def test_a_long_receipt_is_not_read() -> None:
    data = b"[" * (receipts.LONGEST_RECEIPT + 1)
    assert refused(lambda: read(data)) == "receipt-malformed"


def test_the_peers_answer_is_of_the_run_and_of_the_peer(insurer: Booked, police: Booked) -> None:
    ours = receipt_of(SESSION, "insurer")

    def answer(receipt: Receipt, credentials: Credentials = police.credentials) -> object:
        return read_answer(sign(receipt, credentials).data, ours, police.why_not)

    assert answer(receipt_of(SESSION, "police"))
    assert refused(lambda: answer(receipt_of("ff" * 16, "police"))) == "receipt-other"
    other = receipt_of(SESSION, "police", insurer="rival")
    assert refused(lambda: answer(other)) == "receipt-other"
    own = receipt_of(SESSION, "insurer")
    assert refused(lambda: answer(own, insurer.credentials)) == "receipt-other"
    data = sign(receipt_of(SESSION, "police"), police.credentials).data
    assert refused(lambda: read_answer(data, ours, insurer.why_not)) == "receipt-other"


def test_two_receipts_of_a_run_agree() -> None:
    assert agree(receipt_of(SESSION, "insurer"), receipt_of(SESSION, "police")) == ()


OTHER: dict[str, Any] = {
    "session": "ff" * 16,
    "ticket": "T-2026-2",
    "ticket_digest": "cd" * 32,
    "insurer": "rival",
    "police": "others",
    "way": "match",
    "stage": "list",
    "learns": "both",
    "transcript": "ef" * 32,
    "started": stamp(NOON - timedelta(seconds=3601)),
    "ended": stamp(NOON + timedelta(seconds=3661)),
    "outcome": "peer-lost",
    "signer": "insurer",
}


@pytest.mark.parametrize("name", OTHER)
def test_the_field_in_which_receipts_disagree_is_named(name: str) -> None:
    theirs = receipt_of(SESSION, "police")._replace(**{name: OTHER[name]})
    assert agree(receipt_of(SESSION, "insurer"), theirs) == (name,)


def test_what_one_said_the_other_has_heard() -> None:
    ours = receipt_of(SESSION, "insurer")
    assert agree(ours, receipt_of(SESSION, "police", said_bytes=1)) == ("heard_bytes",)
    assert agree(ours, receipt_of(SESSION, "police", heard_bytes=1)) == ("said_bytes",)


@pytest.mark.parametrize(
    ("name", "value"), [("protocol", "vole"), ("insurer", 1), ("police", 1), ("found", 8)]
)
def test_the_field_of_a_set_in_which_receipts_disagree_is_named(name: str, value: Any) -> None:
    plate = SetReceipt("plate", "dh", 128, 1024, 7)
    ours = receipt_of(SESSION, "insurer", sets=(plate,))
    theirs = receipt_of(SESSION, "police", sets=(plate._replace(**{name: value}),))
    assert agree(ours, theirs) == (f"sets.plate.{name}",)


def test_a_number_that_one_does_not_know_is_no_disagreement() -> None:
    plate = SetReceipt("plate", "dh", 128, 1024, 7)
    ours = receipt_of(SESSION, "insurer", sets=(plate,))
    assert agree(ours, receipt_of(SESSION, "police", sets=(plate._replace(found=None),))) == ()


def test_other_sets_are_a_disagreement() -> None:
    ours, theirs = receipt_of(SESSION, "insurer"), receipt_of(SESSION, "police", sets=())
    assert agree(ours, theirs) == ("sets",)


def test_clocks_may_differ_by_an_hour() -> None:
    changes = {"started": stamp(NOON - timedelta(hours=1)), "ended": stamp(NOON)}
    assert agree(receipt_of(SESSION, "insurer"), receipt_of(SESSION, "police", **changes)) == ()


def test_of_a_broken_run_only_that_is_compared_which_was_fixed_before() -> None:
    ours = receipt_of(SESSION, "insurer", outcome="peer-lost", transcript="", said_bytes=5)
    theirs = receipt_of(SESSION, "police", outcome="local", transcript="")
    assert agree(ours, theirs) == ()
    assert agree(ours._replace(way="match"), theirs) == ("way",)


# Receipts of inquiries.


def inquired(signer: str, *inquiries: InquiryReceipt, **changes: Any) -> Receipt:
    """A receipt of these, which adds up; what one node said the other heard."""
    told = inquiries or (INQUIRY,)
    if signer == "insurer":
        told = tuple(
            each._replace(said_bytes=each.heard_bytes, heard_bytes=each.said_bytes) for each in told
        )
    receipt = receipt_of(
        SESSION,
        signer,
        way="inquire",
        stage="run",
        sets=(),
        said_bytes=sum(each.said_bytes for each in told),
        heard_bytes=sum(each.heard_bytes for each in told),
        transcript=transcript_of(told),
        outcome=outcome_of(told),
        inquiries=told,
    )
    return receipt._replace(**changes)


INQUIRY = InquiryReceipt("ab" * 16, (("plate", 1),), 1000, 5000, "cd" * 32, "done")
MORE = INQUIRY._replace(session="cd" * 16, elements=(("person", 2), ("plate", 3)))
LOST = MORE._replace(outcome="lost", transcript="")


@pytest.mark.parametrize("told", [(INQUIRY,), (INQUIRY, MORE), (LOST, INQUIRY)])
def test_a_receipt_of_inquiries_is_read_as_it_was_signed(
    police: Booked, told: tuple[InquiryReceipt, ...]
) -> None:
    receipt = inquired("police", *told)
    signed = sign(receipt, police.credentials)
    assert read(signed.data).receipt == receipt
    assert sessions_in(signed.data) == tuple(each.session for each in told)
    assert len({receipt, read(signed.data).receipt}) == 1


def test_the_largest_receipt_of_inquiries_is_read(police: Booked) -> None:
    most = ((1 << 63) - 1) // MOST
    told = [
        InquiryReceipt(
            f"{number:032x}",
            tuple((f"{place:064}", (1 << 63) - 1) for place in range(MOST_NAMES // MOST)),
            *(most, most, "cd" * 32, "done"),
        )
        for number in range(MOST)
    ]
    data = sign(inquired("police", *told), police.credentials).data
    # The longest certificate is read as well, in base 64, and the longest signature.
    assert len(data) < receipts.LONGEST_RECEIPT - (LONGEST_CERTIFICATE + (1 << 10)) * 4 // 3
    assert sign(inquired("police"), police.credentials).data.count(b"session") == 2


WRONG_INQUIRIES: dict[str, tuple[Any, ...]] = {
    "session": ("", "A" * 32, None),
    "elements": ({}, [], None, {"plate": 0}, {"plate": -1}, {"Plate": 1}, {"plate": True}),
    "said_bytes": (-1, True, "1", None),
    "heard_bytes": (-1, None),
    "transcript": ("", "cd", None),
    "outcome": ("", "Done", "lost", None),
}


@pytest.mark.parametrize("name", WRONG_INQUIRIES)
def test_every_fact_of_an_inquiry_has_its_form(police: Booked, name: str) -> None:
    good = inquired("police").as_values()
    assert {*good["inquiries"][0]} == {*WRONG_INQUIRIES}
    for wrong in WRONG_INQUIRIES[name]:
        values = good | {"inquiries": [good["inquiries"][0] | {name: wrong}]}
        assert refused(read, forged(values, police.credentials)) == "receipt-malformed", wrong
    lacking = {key: value for key, value in good["inquiries"][0].items() if key != name}
    values = good | {"inquiries": [lacking]}
    assert refused(read, forged(values, police.credentials)) == "receipt-malformed"


def test_a_receipt_of_inquiries_adds_up_and_is_of_nothing_else(police: Booked) -> None:
    plate = SetReceipt("plate", "inquiry", 1, 1)
    names = tuple((f"set-{number}", 1) for number in range(MOST_NAMES // 2 + 1))
    for wrong in (
        inquired("police", INQUIRY, INQUIRY),
        inquired("police", *(INQUIRY._replace(session=f"{n:032x}") for n in range(MOST + 1))),
        inquired("police", INQUIRY._replace(elements=names), MORE._replace(elements=names)),
        inquired("police", said_bytes=1),
        inquired("police", heard_bytes=1),
        inquired("police", transcript="ab" * 32),
        inquired("police", LOST, outcome="peer-lost"),
        inquired("police", sets=(plate,)),
        inquired("police", inquiries=()),
    ):
        data = forged(wrong.as_values(), police.credentials)
        assert refused(read, data) == "receipt-malformed"
    run_with = receipt_of(SESSION, "police").as_values() | {"inquiries": []}
    assert refused(read, forged(run_with, police.credentials)) == "receipt-malformed"
    for none in ({"inquiries": None}, {"inquiries": {}}, {"inquiries": [None]}, {"inquiries": []}):
        data = forged(inquired("police").as_values() | none, police.credentials)
        assert refused(read, data) == "receipt-malformed"


@settings(max_examples=100, deadline=None)
@given(told=VALUES)
def test_no_inquiries_that_are_signed_raise_anything_but_a_refusal(
    police: Booked, told: Any
) -> None:
    values = inquired("police").as_values()
    values["inquiries"][0] = told
    assert refused(read, forged(values, police.credentials)) == "receipt-malformed"


def test_two_receipts_of_inquiries_agree() -> None:
    ours, theirs = inquired("insurer", INQUIRY, MORE), inquired("police", INQUIRY, MORE)
    assert agree(ours, theirs) == ()
    late = theirs._replace(ended=stamp(NOON + timedelta(days=3)))
    assert agree(ours, late) == (), "they are signed when they can be exchanged"
    early = theirs._replace(started=stamp(NOON - timedelta(hours=2)))
    assert agree(ours, early) == ("started",)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"elements": (("plate", 2),)}, "elements"),
        ({"said_bytes": 1}, "heard_bytes"),
        ({"heard_bytes": 1}, "said_bytes"),
        ({"transcript": "ab" * 32}, "transcript"),
        ({"outcome": "lost", "transcript": ""}, "outcome"),
    ],
)
def test_the_fact_of_an_inquiry_in_which_receipts_disagree_is_named(
    changes: dict[str, Any], named: str
) -> None:
    ours = inquired("insurer", MORE, INQUIRY)
    theirs = inquired("police", MORE, INQUIRY._replace(**changes))
    wrong = [name for name in agree(ours, theirs) if name.startswith("inquiries.")]
    assert wrong == [f"inquiries.{INQUIRY.session}.{named}"]
    assert contradict(ours, theirs) == (() if named == "outcome" else agree(ours, theirs))
    other = inquired("police", MORE, INQUIRY._replace(session="ef" * 16))
    assert agree(ours, other) == ("inquiries",)


def test_of_an_inquiry_that_was_lost_the_stage_is_not_known() -> None:
    ours, theirs = inquired("insurer", LOST), inquired("police", LOST, stage="disclosure")
    assert agree(ours, theirs) == ()
    assert agree(inquired("insurer"), inquired("police", stage="disclosure")) == ("stage",)


def test_a_receipt_has_the_place_of_its_signers_log_before_it(tmp_path: Path) -> None:
    here, there = Booked(tmp_path / "insurer", "insurer"), Booked(tmp_path / "police", "police")
    run(here, there)
    for node in (here, there):
        lines = {row.number: row for row in node.rows()}
        kept = {row.signer: row for row in node.rows("audit_receipts")}
        place = read(kept["ours"].data).receipt.place
        assert lines[place.number].event == "run_ended"
        assert lines[place.number].hash == place.hash
        for signer in ("ours", "theirs"):
            line = canonical.decode(lines[kept[signer].line].body)
            assert line["facts"]["digest"] == read(kept[signer].data).digest
            assert line["facts"]["signer"] == signer
    ours = {row.signer: row.data for row in here.rows("audit_receipts")}
    theirs = {row.signer: row.data for row in there.rows("audit_receipts")}
    assert (ours["ours"], ours["theirs"]) == (theirs["theirs"], theirs["ours"])
