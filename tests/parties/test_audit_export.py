"""Exports and the commands: what an auditor gets, and what a compliance officer prints."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from booked import NOON, Booked, begun, receipt_of, run

from parties import audit, canonical, cli
from parties.audit import page, summary
from parties.audit.exported import ExportedLog
from parties.audit.exporting import announce, export
from parties.audit.facts import EVENTS
from parties.audit.page import page_of
from parties.audit.reading import StoredLog
from parties.audit.showing import lines_of, text_of
from parties.audit.verifying import verify
from parties.errors import LocalFault
from parties.founding import FILE, found
from parties.store import Store

SESSION = "0123456789abcdef" * 2
HOSTILE = '<script>alert("浙A")</script> & \'"'


@pytest.fixture
def police(tmp_path: Path) -> Booked:
    """A year of a police node's log, in short."""
    node = Booked(tmp_path / "police", "police")
    ticket = {"ticket": "T-2026-1", "digest": "ab" * 32}
    node.write("node_started", role="police", version="0.1.0")
    node.write("ticket_received", **ticket, peer="insurer", purpose="核查重复理赔 " + HOSTILE)
    node.write("ticket_approved", **ticket, operator="li.wei", role="approver")
    run(Booked(tmp_path / "insurer", "insurer"), node)
    node.write("job_refused", peer="insurer", code="over-limit", ticket="T-2026-1")
    who = {"operator": "li.wei", "role": "approver"}
    for _ in range(2):
        node.write("operator_action", **who, action="audit-show")
    node.write("operator_refused", **who, action="match", code="operator-not-allowed")
    node.write("operator_refused", action="match", code="operator-missing")
    node.write("erased", what="joined-rows", session=SESSION, files=2)
    node.time += timedelta(days=31)
    node.write(
        "inquiry_answered", peer="insurer", session="aa" * 16, elements={"plate": 5, "vin": 6}
    )
    node.write("ticket_refused", ticket="T-2026-2", digest="cd" * 32, code="expired")
    with node.store.writing() as connection:
        begun(connection, node, SESSION)
        receipt = receipt_of(SESSION, "police", ended=stamp_of(node))
        audit.keep_ours(connection, node.tick(), receipt, node.credentials)
    facts = {"peer": "insurer", "session": SESSION, "way": "match"}
    node.write("run_failed", **facts, code="peer-lost", said_bytes=7)
    node.write(
        "disclosure", peer="insurer", session=SESSION, learns="peer", columns=["车牌"], records=9
    )
    was = node.time + timedelta(days=3)
    node.write("clock_set", was=was.isoformat(), now=node.time.isoformat())
    node.sign()
    return node


def stamp_of(node: Booked) -> str:
    from parties.audit.chain import stamp

    return stamp(node.time)


class Page(HTMLParser):
    """What a page has: tags, and the cells of its tables by their headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._heading = self._text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append(tag)
        self._text = ""
        if tag == "tr":
            self.tables.setdefault(self._heading, []).append([])

    def handle_endtag(self, tag: str) -> None:
        if tag == "h2":
            self._heading = self._text
        if tag in ("td", "th"):
            self.tables[self._heading][-1].append(self._text)

    def handle_data(self, data: str) -> None:
        self._text += data


def page_text(node: Booked) -> str:
    with node.store.reading() as connection:
        return page_of(StoredLog(connection))


def test_an_export_is_plain_json_that_anybody_can_read(police: Booked, tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    with police.store.reading() as connection:
        count = export(connection, path)
    header, *rest = (json.loads(line) for line in path.read_text("ascii").splitlines())
    assert (header["node"], header["first"], header["last"]) == ("police", 1, count)
    lines = [each for each in rest if "body" in each]
    assert [each["body"]["number"] for each in lines] == list(range(1, count + 1))
    assert [each["hash"] for each in lines] == [row.hash.hex() for row in police.rows()]
    assert rest[-1]["head"]["number"] == count, "it ends with the newest signed head"
    assert sum("data" in each for each in rest) == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path / "police") != []
    assert [each.name for each in tmp_path.glob(".*")] == []


def test_an_export_between_two_times_begins_and_ends_where_it_says(
    police: Booked, tmp_path: Path
) -> None:
    path = tmp_path / "export.jsonl"
    since = NOON + timedelta(days=20)
    with police.store.reading() as connection:
        export(connection, path, since=since)
        later = verify(ExportedLog(path))
        export(connection, path, until=since)
        earlier = verify(ExportedLog(path))
        export(connection, path, until=NOON)
        nothing = verify(ExportedLog(path))
        export(connection, path, since=NOON + timedelta(days=99))
        after = verify(ExportedLog(path))
    rows = {row.number: row for row in police.rows()}
    assert later.holds
    assert rows[later.first].event == "inquiry_answered"
    assert later.last == len(rows)
    assert earlier.holds
    assert earlier.first == 1
    assert earlier.proven == earlier.last >= later.first - 1, "it goes on to the next head"
    assert (nothing.lines, nothing.holds) == (0, True)
    assert (after.lines, after.holds) == (0, True)


def test_an_export_is_announced_in_the_log_and_signed(police: Booked) -> None:
    with police.store.writing() as connection:
        since = NOON
        announce(connection, police.tick(), "police", police.credentials, "html", since=since)
    line = canonical.decode(police.rows()[-1].body)
    assert line["event"] == "exported"
    assert line["facts"] == {"format": "html", "since": "2024-11-30T12:00:00.000000Z"}
    assert police.verified().proven == line["number"]


def test_a_file_that_cannot_be_written_is_named_and_nothing_is_left(
    police: Booked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with police.store.reading() as connection, pytest.raises(LocalFault, match="cannot be written"):
        export(connection, tmp_path / "none" / "export.jsonl")
    monkeypatch.setattr("parties.audit.exporting.lines_of", lambda _: iter([b"x", None]))
    with police.store.reading() as connection, pytest.raises(TypeError):
        export(connection, tmp_path / "export.jsonl")
    assert list(tmp_path.glob("*export*")) == []


def test_the_page_adds_up_what_happened_by_ticket_and_month(police: Booked) -> None:
    tables = Page(page_text(police)).tables
    heads, *rows = tables["By ticket and month (UTC)"]
    by_month = {(row[0], row[1]): dict(zip(heads, row, strict=True)) for row in rows}
    november = by_month["T-2026-1", "2024-11"]
    assert (november["Runs begun"], november["Ended"], november["Broken"]) == ("1", "1", "-")
    assert november["Refused"] == "over-limit: 1"
    assert (november["Elements, ours"], november["Elements, theirs"]) == ("128", "1,024")
    assert (november["Bytes said"], november["Bytes heard"]) == ("1,000", "5,000")
    assert november["Hits learnt"] == "7"
    december = by_month["T-2026-1", "2024-12"]
    assert (december["Runs begun"], december["Broken"]) == ("1", "peer-lost: 1")
    assert (december["Disclosures"], december["Records in them"]) == ("1", "9")
    assert december["Bytes said"] == "1,007"
    assert by_month["T-2026-2", "2024-12"]["Refused"] == "expired: 1"
    assert by_month["none", "2024-11"]["Files erased"] == "2", "of a run that had not begun yet"
    inquired = by_month["none", "2024-12"]
    assert (inquired["Inquiries answered"], inquired["Elements in them"]) == ("1", "11")


def test_the_page_tells_of_tickets_open_runs_clocks_and_events(police: Booked) -> None:
    tables = Page(page_text(police)).tables
    _, received, approved, refused = tables["Tickets"]
    assert received[:2] == ["T-2026-1", f"核查重复理赔 {HOSTILE}"]
    assert received[3:] == ["received", "insurer"]
    assert approved[3:] == ["approved", "li.wei, approver"]
    assert refused[3] == "refused (expired)"
    _, run_, inquiry = tables["Runs and inquiries without the receipts of both nodes"]
    assert run_[1:] == ["run", SESSION, "insurer", "T-2026-1", "yes", "ours"]
    assert inquiry[1:] == ["inquiry answered", "aa" * 16, "insurer", "none", "yes", "none"]
    assert tables["Who gave which command"][1:] == [
        ["li.wei", "approver", "audit-show", "done", "2"],
        ["li.wei", "approver", "match", "operator-not-allowed", "1"],
        ["nobody known", "-", "match", "operator-missing", "1"],
    ]
    assert len(tables["When the clock was set back"]) == 2
    events = {row[0]: row[1] for row in tables["Lines by event"]}
    assert sum(int(count) for name, count in events.items() if name != "Event") == len(
        police.rows()
    )


def test_nothing_that_the_log_says_becomes_a_tag(police: Booked) -> None:
    text = page_text(police)
    assert "<script" not in text
    assert "&lt;script&gt;alert(&quot;浙A&quot;)&lt;/script&gt; &amp; &#x27;&quot;" in text
    assert "script" not in Page(text).tags
    assert not re.search(r" (src|href)=|url\(", text), "it loads nothing"
    assert "default-src 'none'" in text


def test_the_page_says_whether_the_log_holds(police: Booked) -> None:
    assert "Every line follows from the one before" in page_text(police)
    police.tamper("UPDATE audit_lines SET body = x'00' WHERE number = 3")
    text = page_text(police)
    assert "This log does not hold" in text
    assert "line 3 is not what was written" in text
    events = {row[0]: row[1] for row in Page(text).tables["Lines by event"]}
    assert events[summary.UNREADABLE] == "1"


def test_a_page_of_nothing_says_so(tmp_path: Path) -> None:
    assert page_text(Booked(tmp_path / "node", "police")).count("<p>None.</p>") == 6


def test_open_runs_are_listed_up_to_a_bound(
    police: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MOST_OPEN", 1)
    with police.store.writing() as connection:
        for number in range(3):
            begun(connection, police, f"{number:032x}")
    text = page_text(police)
    assert len(Page(text).tables["Runs and inquiries without the receipts of both nodes"]) == 2
    assert "And 4 more." in text


def test_lines_are_chosen_by_time_event_and_session(police: Booked) -> None:
    def chosen(**by: Any) -> list[int]:
        with police.store.reading() as connection:
            return [line["number"] for line in lines_of(connection, **by)]

    rows = police.rows()
    assert chosen() == [row.number for row in rows]
    assert chosen(events=("erased", "run_failed")) == [
        row.number for row in rows if row.event in ("erased", "run_failed")
    ]
    middle = NOON + timedelta(days=20)
    assert chosen(since=middle) + chosen(until=middle) == [
        *(row.number for row in rows if row.at > "2024-12-10"),
        *(row.number for row in rows if row.at < "2024-12-10"),
    ]
    of_session = chosen(session=SESSION)
    assert of_session
    assert all(SESSION.encode() in rows[number - 1].body for number in of_session)


def test_lines_are_shown_in_the_order_of_the_log_in_batches(
    police: Booked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parties.audit.showing.BATCH", 2)
    with police.store.reading() as connection:
        assert [line["number"] for line in lines_of(connection)] == [
            row.number for row in police.rows()
        ]


def test_a_line_for_people_cannot_steer_a_terminal() -> None:
    facts: dict[str, Any] = {"purpose": "a\u202eb", "elements": {"plate": 5}, "sets": []}
    line = {"number": 7, "at": "2024-11-30T12:00:00.000000Z", "event": "x", "facts": facts}
    text = text_of(line)
    assert text == (
        "       7  2024-11-30T12:00:00Z  x: purpose a\N{REPLACEMENT CHARACTER}b, elements plate=5, "
        "sets none"
    )


@pytest.fixture
def program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any]]:
    """Runs `greenlane audit` on a node whose log has a run and a refusal."""
    folder = tmp_path / "node"
    found(folder, "insurer", "insurer", "127.0.0.1:1")
    node = Booked(tmp_path / "signed", "insurer")
    for name in ("node.pem", "node.key"):
        (folder / "tls" / name).write_bytes((node.folder / name).read_bytes())
    node.store.close()
    node.store = Store(f"sqlite:///{folder / 'state.db'}")
    with node.store.writing() as connection:
        audit.begin(connection, "insurer")
    police = Booked(tmp_path / "police", "police")
    node.write("job_refused", peer="police", code="busy", session=SESSION)
    run(node, police)
    node.fill(1)
    node.sign()
    node.store.close()
    with police.store.writing() as connection:
        announce(connection, police.tick(), "police", police.credentials, "jsonl")
    with police.store.reading() as connection:
        export(connection, tmp_path / "theirs.jsonl")

    def run_(command: str, *options: str) -> tuple[int, Any]:
        arguments = ["greenlane", "audit", command, "--settings", str(folder / FILE), *options]
        monkeypatch.setattr("sys.argv", arguments)
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr().out
        assert isinstance(left.value.code, int)
        return left.value.code, json.loads(said) if "--json" in options else said

    return run_


def test_show_prints_lines_and_json(program: Callable[..., tuple[int, Any]]) -> None:
    code, text = program("show")
    assert code == 0
    assert "job_refused: code busy, peer police" in text
    code, values = program("show", "--event", "job_refused", "--session", SESSION, "--json")
    assert code == 0
    assert [line["facts"]["code"] for line in values["lines"]] == ["busy"]
    assert "salt" not in values["lines"][0]
    assert program("show", "--since", "2024-12-01", "--json")[1] == {"lines": []}
    assert program("show", "--until", "2024-11-30T12:00:00", "--json")[1] == {"lines": []}
    code, values = program("show", "--event", "sneeze", "--json")
    assert code == 2
    assert all(event in values["error"]["message"] for event in EVENTS)


def test_verify_export_and_compare_hold(
    program: Callable[..., tuple[int, Any]], tmp_path: Path
) -> None:
    code, values = program("verify", "--json")
    assert (code, values["holds"], values["node"]) == (0, True, "insurer")
    out = str(tmp_path / "ours.jsonl")
    code, values = program("export", "--out", out, "--json")
    assert (code, values["format"]) == (0, "jsonl")
    assert program("verify", "--json")[1]["proven"] == values["lines"]
    assert program("verify", "--file", out)[0] == 0
    theirs = str(tmp_path / "theirs.jsonl")
    code, values = program("compare", theirs, "--json")
    assert (code, values["holds"], values["agreed"]) == (0, True, 1)
    code, text = program("compare", theirs, "--file", out)
    assert code == 0
    assert "between them: 1 runs, 1 agreed" in text


def test_export_writes_a_page(program: Callable[..., tuple[int, Any]], tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    code, text = program("export", "--out", str(out), "--format", "html", "--since", "2024-11-01")
    assert code == 0
    assert str(out) in text
    assert "exported" in out.read_text("utf-8")


def test_what_does_not_hold_leaves_with_8(
    program: Callable[..., tuple[int, Any]], tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.jsonl"
    data = theirs.read_bytes()
    theirs.write_bytes(data.replace(b"run_begun", b"run_ended", 1))
    code, text = program("verify", "--file", str(theirs))
    assert code == 8
    assert "line-altered: line 1 is not what was written" in text
    assert program("compare", str(theirs))[0] == 8
    theirs.write_bytes(b"no export")
    code, values = program("compare", str(theirs), "--json")
    assert code == 8
    assert values["error"]["code"] == "export-malformed"
    store = Store(f"sqlite:///{tmp_path / 'node' / 'state.db'}")
    with store.writing() as connection:
        connection.execute("DROP TRIGGER audit_lines_no_delete")
        connection.execute("DELETE FROM audit_lines WHERE number = 2")
    store.close()
    code, values = program("verify", "--json")
    assert code == 8
    assert values["findings"][0] == {
        "code": "line-missing",
        "number": 2,
        "text": "line 2 is not there",
    }
