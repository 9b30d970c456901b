"""Real processes killed while they prepare, fetch and answer: no wrong answer, no count lost."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from parties.audit.comparing import compare
from parties.audit.exported import ExportedLog
from parties.audit.exporting import export
from parties.audit.reading import StoredLog
from parties.errors import PartyError
from parties.inquiring import Inquirer
from parties.inquiry_reports import InquiryReport
from parties.limits import Limits
from parties.preparing import prepare
from parties.store import Store
from psi import Meter

RECORDS = 6000
HEAD = "claim_no,insured_id,driver_id,phone,plate,vin,amount\n"


@pytest.fixture
def green(two: Any) -> Any:
    """Two nodes of which the police may inquire a few thousand plates; a key seals the keys."""
    two.killed = True
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (two.insurer.folder / "tables.pem").write_bytes(pem)
    two.insurer.change('may = ["count", "match"]', 'daily_inquiries = 1000000\nmay = ["inquire"]')
    two.police.change('may = ["count", "match"]', 'sweep_share = 100\nmay = ["count", "match"]')
    with two.insurer.file.open("a", encoding="utf-8") as file:
        file.write('[tables]\nwrapping_key = "tables.pem"\n')
    two.told = {plate(n): [f"C-{n}"] for n in range(RECORDS)}
    write(two)
    return two


def plate(number: int) -> str:
    return f"浙A{number:05d}"


def write(green: Any) -> None:
    write_rows(green.insurer.rows, green.told)


def write_rows(path: Path, told: dict[str, list[str]]) -> None:
    lines = [f"{n},,,,{at},,1\n" for at, numbers in told.items() for n in numbers]
    path.write_text(HEAD + "".join(lines), encoding="utf-8")


def rows(report: InquiryReport) -> dict[str, list[str]]:
    return {
        each.value: sorted(row["claim_no"] for row in each.rows or ())
        for each in report.told
        if each.records
    }


def asked(green: Any, plates: list[str]) -> dict[str, list[str]]:
    with Inquirer(green.police.settings, "insurer") as inquirer:
        return rows(inquirer.ask({"plate": plates}))


def run(start: Any, party: Any, way: str, peer: str, *options: str) -> Any:
    return start(way, "--settings", str(party.file), "--peer", peer, "--set", "plate", *options)


def killed(started: Any, party: Any, event: str, before: int, seconds: float) -> bool:
    """Kills a process so long after it has logged an event; whether it was still there."""
    until(lambda: len(party.events(event)) > before or started.process.poll() is not None)
    with contextlib.suppress(subprocess.TimeoutExpired):
        started.process.wait(seconds)
        return False
    started.send(signal.SIGKILL)
    started.process.wait()
    return True


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def well(started: Any) -> None:
    """Waits for a process, which must do well."""
    ending = started.end(60)
    assert ending.status == 0, ending


def test_prepare_killed_at_any_moment_goes_on_and_serves_what_is_right(
    green: Any, start: Any
) -> None:
    seed = 20
    random, kills = Random(seed), 0
    well(run(start, green.insurer, "prepare", "police", "--epoch", "tried"))
    prepared: list[dict[str, list[str]]] = [dict(green.told)]
    for turn in range(5):
        for _ in range(20):
            at = plate(random.randrange(RECORDS + 50))
            match random.choice(("gone", "other")):
                case "gone":
                    green.told.pop(at, None)
                case _:
                    green.told[at] = [f"D-{turn}-{n}" for n in range(random.randrange(1, 3))]
        write(green)
        prepared.append(dict(green.told))
        more = ("--whole",) if turn % 3 == 1 else ("--epoch", f"e{turn}") if turn % 3 == 2 else ()
        before = len(green.insurer.events("table_begun"))
        process = run(start, green.insurer, "prepare", "police", *more)
        delay = 0.2 * random.random() ** 3  # a fast machine is done after 20 ms
        kills += killed(process, green.insurer, "table_begun", before, delay)
        # What is served is one of the tables that were to be made, and none in between.
        if turn == 3:
            with green.answering(role="insurer"):
                served = asked(green, [plate(n) for n in range(RECORDS + 50)])
            assert any(served == {k: sorted(v) for k, v in each.items()} for each in prepared), seed
    assert kills >= 2, f"seed {seed}: only {kills} were killed"
    prepare(green.insurer.settings, "police", ("plate",), None, Meter())
    with green.answering(role="insurer"):
        served = asked(green, [plate(n) for n in range(RECORDS + 50)])
    assert served == {at: sorted(numbers) for at, numbers in green.told.items()}, seed


@pytest.mark.study
def test_a_change_killed_at_any_moment_is_made_by_the_same_command(green: Any, start: Any) -> None:
    seed = 23
    random, kills = Random(seed), 0
    for turn in range(4):
        well(run(start, green.insurer, "prepare", "police", "--whole"))  # room for a change
        before = {at: sorted(numbers) for at, numbers in green.told.items()}
        about = sorted({plate(random.randrange(RECORDS)) for _ in range(20)})
        for at in about:
            green.told[at] = [f"D-{turn}-{n}" for n in range(random.randrange(3))]
        after = {at: sorted(numbers) for at, numbers in green.told.items() if numbers}
        files = []
        for name, numbers in (("changed", ()), ("about", ("",))):
            of = {at: numbers or green.told[at] for at in about}
            files += [f"--{name}", str(green.insurer.folder / f"{name}.csv")]
            write_rows(Path(files[-1]), of)
        begun = len(green.insurer.events("table_begun"))
        process = run(start, green.insurer, "prepare", "police", *files)
        kills += killed(process, green.insurer, "table_begun", begun, 0.15 * random.random() ** 3)
        with green.answering(role="insurer"):
            served = asked(green, [plate(n) for n in range(RECORDS)])
        assert served in (before, after), f"seed {seed}, turn {turn}"
        if served == before:  # so small a table has no room for the same once more
            well(run(start, green.insurer, "prepare", "police", *files))
            with green.answering(role="insurer"):
                assert asked(green, [plate(n) for n in range(RECORDS)]) == after, f"{seed}, {turn}"
        green.told = {at: numbers for at, numbers in green.told.items() if numbers}
        write(green)
    assert kills >= 2, f"seed {seed}: only {kills} were killed"


def test_fetch_killed_at_any_moment_goes_on(green: Any, start: Any) -> None:
    seed = 21
    random, kills = Random(seed), 0
    prepare(green.insurer.settings, "police", ("plate",), None, Meter())
    with green.answering(role="insurer"):
        well(run(start, green.police, "fetch", "insurer"))
        for turn in range(3):
            prepare(green.insurer.settings, "police", ("plate",), f"e{turn}", Meter())
            before = len(green.police.events("inquiry_asked"))
            process = run(start, green.police, "fetch", "insurer")
            delay = random.uniform(0, 0.05)
            kills += killed(process, green.police, "inquiry_asked", before, delay)
            some = random.sample(sorted(green.told), 20)
            expected = {at: green.told[at] for at in some}
            assert asked(green, some) == expected, f"seed {seed}, turn {turn}"
    assert kills >= 1, f"seed {seed}: only {kills} were killed"
    assert list(Path(green.police.folder).rglob("*.part")) == []


def test_no_count_is_lost_when_the_holder_is_killed(green: Any, serve: Any) -> None:
    seed = 22
    random, answered, tried = Random(seed), 0, 0
    prepare(green.insurer.settings, "police", ("plate",), None, Meter())
    for _ in range(3):
        node = serve(green.insurer)
        until = time.monotonic() + random.uniform(0.3, 0.9)
        due = answered + 7 * 3  # a busy machine is given the time for three answers
        with Inquirer(green.police.settings, "insurer") as inquirer:
            while True:
                some = random.sample(sorted(green.told), 7)
                over = time.monotonic() > until and answered >= due
                if over and node.process.poll() is None:
                    node.send(signal.SIGKILL)
                tried += 7
                try:
                    report = inquirer.ask({"plate": some})
                except PartyError:
                    break
                assert rows(report) == {at: green.told[at] for at in some}, f"seed {seed}"
                answered += 7
        node.process.wait()
        limits = Limits(Store(green.insurer.settings.store.url))
        counted = limits.asked("police")
        limits.close()
        assert answered <= counted <= tried, f"seed {seed}"
    with green.answering(role="insurer"):
        asked(green, some)
    nobody_is_accused(green, f"seed {seed}")


def nobody_is_accused(green: Any, seed: str) -> None:
    """Logs hold, and differ at most in whether a node knows how an inquiry has ended."""
    file = green.police.folder / "export.jsonl"
    file.unlink(missing_ok=True)
    with closing(Store(green.police.settings.store.url)) as store, store.reading() as connection:
        export(connection, file)
    with closing(Store(green.insurer.settings.store.url)) as store, store.reading() as connection:
        comparison = compare(StoredLog(connection), ExportedLog(file))
        (left,) = connection.execute("SELECT count(*) FROM inquiries").fetchone()
    assert comparison.ours.holds, seed
    assert comparison.theirs.holds, seed
    for each in comparison.findings:
        assert each.code == "receipts-disagree", f"{seed}: {each.text}"
        assert {*re.findall(r"inquiries\.\w+\.(\w+)", each.text)} == {"outcome"}, each.text
    assert comparison.inquiries_agreed >= 1, seed
    assert left <= 5, f"{seed}: of those that were under way"


def test_an_asker_that_is_killed_goes_on_and_gives_its_receipts(green: Any, start: Any) -> None:
    seed = 24
    random, kills = Random(seed), 0
    prepare(green.insurer.settings, "police", ("plate",), None, Meter())
    with green.answering(role="insurer"):
        for event in ("inquiry_asked", "inquiry_done", "inquiry_done"):
            before = len(green.police.events(event))
            at = f"plate={plate(random.randrange(RECORDS))}"
            process = start(
                *("inquire", "--settings", str(green.police.file), "--peer", "insurer"),
                *("--id", at),
            )
            kills += killed(process, green.police, event, before, random.uniform(0, 0.01))
        some = random.sample(sorted(green.told), 7)
        assert asked(green, some) == {at: green.told[at] for at in some}, f"seed {seed}"
    assert kills >= 1, f"seed {seed}: only {kills} were killed"
    nobody_is_accused(green, f"seed {seed}")
