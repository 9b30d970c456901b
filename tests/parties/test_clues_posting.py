"""Letters over the wire: between two nodes that run, or do not, or are no ledgers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from desks import Desk, Desks, desks, lead, letter_values

from parties.answering import answers
from parties.channel import Identity, Node, Peer
from parties.channel.flights import write_flight
from parties.channel.frames import LONGEST_MESSAGE
from parties.channel.options import HAND_CLUE
from parties.clues.letters import LETTER, RECEIPT
from parties.clues.posting import Postman, post
from parties.clues.sealed import seal
from parties.credentials import read_credentials
from parties.errors import PartyError, PeerRefused, SettingsError
from parties.wire.v1 import clue_pb2 as wire
from psi import Dialogue
from psi.dialogue import HEAR
from psi.errors import PeerIncompatible

SESSION = "0f" * 16


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Desks]:
    with desks(tmp_path, lambda name: f"sqlite:///{tmp_path / name / 'state.db'}") as opened:
        yield opened


@contextmanager
def serving(desk: Desk, **options: Any) -> Iterator[int]:
    """Runs a desk's node; gives its port."""
    node = desk.settings.node
    hallway = answers(desk.settings)
    options = {"handed": hallway.handed} | options
    identity = Identity(node.certificate, node.key)
    server = Node("127.0.0.1:0", identity, desk.settings.peers, hallway, **options)
    port = server.start()
    try:
        yield port
    finally:
        server.stop(0)
        hallway.books.close()


def knowing(desk: Desk, name: str, port: int) -> Desk:
    """The desk, told where its peer listens."""
    peers = tuple(
        each._replace(address=f"127.0.0.1:{port}") if each.name == name else each
        for each in desk.settings.peers
    )
    return Desk(desk.settings._replace(peers=peers), desk.books)


def sent_by(desk: Desk) -> Any:
    return post(desk.settings, desk.books)


def test_letters_cross_and_feedback_comes_back(three: Desks) -> None:
    made = three.insurer.transferred(*(lead(n) for n in range(5)))
    with serving(three.police) as port:
        insurer = knowing(three.insurer, "police", port)
        assert sent_by(insurer) == (5, 0, ())
        assert sent_by(insurer) == (0, 0, ())
    assert {each.id for each in three.police.every()} == {*made}
    for each in made:
        three.police.act(each, "accept")
    with serving(three.insurer) as port:
        assert sent_by(knowing(three.police, "insurer", port)) == (5, 0, ())
    assert {each.state for each in three.insurer.every()} == {"accepted"}


def test_what_a_peer_that_is_away_must_know_waits(three: Desks) -> None:
    three.insurer.transferred(lead())
    with serving(three.police) as port:
        pass
    insurer = knowing(three.insurer, "police", port)
    posted = sent_by(insurer)
    assert (posted.sent, posted.waiting) == (0, 1)
    assert len(posted.why) == 1
    with serving(three.police) as port:
        assert sent_by(knowing(three.insurer, "police", port)).sent == 1


def test_a_peer_that_was_taken_out_of_the_settings_holds_up_no_other(three: Desks) -> None:
    (ours,) = three.insurer.transferred(lead())
    (theirs,) = three.rival.transferred(lead())
    three.carry()
    three.police.act(ours, "accept")
    three.police.act(theirs, "accept")
    with serving(three.rival) as port:
        police = knowing(three.police, "rival", port)
        left = tuple(each for each in police.settings.peers if each.name == "rival")
        police = Desk(police.settings._replace(peers=left), police.books)
        posted = sent_by(police)
        with pytest.raises(SettingsError, match=r"peers\.insurer"):
            police.act(ours, "file")
    assert (posted.sent, posted.waiting) == (1, 1)
    assert "peers.insurer" in posted.why[0]
    assert three.rival.find(theirs).state == "accepted"
    assert three.police.find(ours).state == "accepted"


def test_a_letter_that_is_refused_holds_up_its_own_clue_and_no_other(three: Desks) -> None:
    one, other = three.insurer.transferred(lead(1), lead(2))
    three.carry()
    for clue in (one, other):
        three.police.act(clue, "accept")
        three.police.act(clue, "file")
    # The first is told to nobody who knows it.
    for table in ("clues", "clue_contents"):
        with three.insurer.writing() as (connection, _):
            key = "id" if table == "clues" else "clue"
            connection.execute(f"DELETE FROM {table} WHERE {key} = :clue", {"clue": one})
    with serving(three.insurer) as port:
        police = knowing(three.police, "insurer", port)
        posted = sent_by(police)
        assert (posted.sent, posted.waiting) == (2, 2)
        (why,) = posted.why
        assert one in why
        assert "knows no clue of ours" in why
        refused, later = police.waiting()
        assert (refused.code, refused.tries, later.tries) == ("clue-unknown", 1, 0)
        assert post(police.settings, police.books, due_only=True) == (0, 2, ())
    assert three.insurer.find(other).state == "filed"
    events = [row[0] for row in three.insurer.ask("SELECT event FROM audit_lines")]
    assert events.count("job_refused") == 1


def test_the_postman_sends_what_waits_while_a_node_runs(three: Desks) -> None:
    with serving(three.police) as port:
        insurer = knowing(three.insurer, "police", port)
        postman = Postman(insurer.settings, insurer.books, every=0.05)
        postman.start()
        (clue,) = three.insurer.transferred(lead())
        while three.insurer.waiting():
            postman._over.wait(0.05)
        postman.stop()
        postman._thread.join(30)
    assert three.police.find(clue).state == "received"


def hand(desk: Desk, dialogue: Dialogue[Any]) -> Any:
    node = desk.settings.node
    peer = Peer(Identity(node.certificate, node.key), desk.settings.peer("police"))
    return peer.hand_clue(dialogue, SESSION)


def saying(*messages: bytes) -> Dialogue[None]:
    yield from messages
    yield HEAR


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ((), "unexpected-message"),
        ((b"\xff",), "malformed-message"),
        ((b"",), "clue-malformed"),
        ((wire.Hand(letter=bytes(LETTER.longest + 1)).SerializeToString(),), "clue-malformed"),
        ((wire.Hand(letter=b"{}").SerializeToString(),), "clue-malformed"),
    ],
)
def test_a_caller_that_hands_over_what_is_no_letter_gets_a_code(
    three: Desks, messages: tuple[bytes, ...], code: str
) -> None:
    with serving(three.police) as port, pytest.raises(PeerRefused) as why:
        hand(knowing(three.insurer, "police", port), saying(*messages))
    assert why.value.code == code
    assert three.police.every() == []


def test_more_than_one_letter_in_a_call_is_unexpected_and_the_second_is_not_taken(
    three: Desks,
) -> None:
    three.insurer.transferred(lead(1), lead(2))
    letters = [
        wire.Hand(letter=three.insurer.letter(each)).SerializeToString()
        for each in three.insurer.waiting()
    ]
    with serving(three.police) as port, pytest.raises(PeerRefused) as why:
        hand(knowing(three.insurer, "police", port), saying(*letters))
    assert why.value.code == "unexpected-message"
    assert len(three.police.every()) == 1


def test_a_stranger_hands_nothing_over(three: Desks, tmp_path: Path) -> None:
    from parties.founding import FILE, found
    from parties.settings_file import load

    found(tmp_path / "stranger", "insurer", "insurer", "127.0.0.1:7443")
    node = load(tmp_path / "stranger" / FILE).node
    three.insurer.transferred(lead())
    letter = three.insurer.letter(three.insurer.waiting()[0])
    with serving(three.police) as port:
        settings = knowing(three.insurer, "police", port).settings
        peer = Peer(Identity(node.certificate, node.key), settings.peer("police"))
        data = wire.Hand(letter=letter).SerializeToString()
        with pytest.raises(PartyError):
            peer.hand_clue(saying(data), SESSION)
    assert three.police.every() == []


def test_a_node_without_a_ledger_says_so(three: Desks) -> None:
    three.insurer.transferred(lead())
    with serving(three.police, handed=None) as port:
        insurer = knowing(three.insurer, "police", port)
        with pytest.raises(PeerIncompatible):
            hand(insurer, saying(b""))
        posted = sent_by(insurer)
    assert (posted.sent, posted.waiting) == (0, 1)


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("nothing", "clue-malformed"),
        ("noise", "clue-malformed"),
        ("another's", "clue-forged"),
        ("another letter's", "clue-other"),
        ("forged", "clue-forged"),
    ],
)
def test_a_receipt_that_is_none_leaves_the_letter_waiting(
    three: Desks, what: str, code: str
) -> None:
    three.insurer.transferred(lead())
    values = letter_values(three.insurer)
    police, rival = three.police.settings.node, three.rival.settings.node
    said = {
        "at": "2026-11-30T00:00:00.000000Z",
        "clue": values["clue"],
        "digest": three.insurer.waiting()[0].digest,
        "format": 1,
        "from": "insurer",
        "number": 1,
        "to": "police",
    }
    signer = rival if what == "another's" else police
    credentials = read_credentials(Identity(signer.certificate, signer.key))
    if what == "another letter's":
        said["digest"] = "0" * 64
    receipt = seal(RECEIPT, said, credentials)
    if what == "forged":
        receipt = receipt.replace(b'"number":1', b'"number":2')
    receipt = {"nothing": b"", "noise": b"noise"}.get(what, receipt)

    def answer(name: str, session: str) -> Dialogue[None]:
        yield HEAR
        yield wire.Handed(receipt=receipt).SerializeToString()

    with serving(three.police, handed=answer) as port:
        posted = sent_by(knowing(three.insurer, "police", port))
    assert (posted.sent, posted.waiting, len(posted.why)) == (0, 1, 1)
    assert three.insurer.waiting()[0].code == code


def test_a_flight_that_is_too_long_is_refused_before_it_is_read(three: Desks) -> None:
    node, police = three.insurer.settings.node, three.insurer.settings.peer("police")
    assert police.ca is not None
    tls = grpc.ssl_channel_credentials(
        police.ca.read_bytes(), node.key.read_bytes(), node.certificate.read_bytes()
    )
    options = [("grpc.ssl_target_name_override", "police")]
    with (
        serving(three.police) as port,
        grpc.secure_channel(f"127.0.0.1:{port}", tls, options) as channel,
    ):
        call = channel.unary_unary(HAND_CLUE)
        raw = write_flight(SESSION, [bytes(LONGEST_MESSAGE)])
        with pytest.raises(grpc.RpcError) as ended:
            call(raw * 3, timeout=10)
        assert ended.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED  # type: ignore[attr-defined]
    assert three.police.every() == []
