"""The demo: an insurer and a police node find the people and vehicles that both know.

Makes a twin of both parties' files, starts two nodes as processes, has a ticket drafted and signed
by two people of each side, lets the insurer ask first how many and, once all have signed for detail
too, which, over mutual TLS. Then lets the police inquire a few plates of a table that the insurer
has prepared, compares the logs of both nodes, and what both learnt with the truth that was planted.
Last, rules judge what the insurer learnt, people hand clues to the police, and the month is told.

    python examples/joint_match.py --claims 100000 --records 100000 --seed 1
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from casework import MOST, Casework, follow_up, table
from pair import DISCLOSED, NodeFailed, Pair
from pyarrow.dataset import dataset
from signing import Signers, compare_logs, draft
from twin import OutOfRange, Twin, make_twin

from psi import _core

INQUIRED: Final = 6
"""Plates that are known, and as many that are not."""
RECEIPTS: Final = 12
"""Two runs and an inquiry, each with two receipts in each of two logs."""
MARK: Final = ".greenlane-demo"
"""Stands in a folder that the demo made, and may therefore remove."""

Key = tuple[str, str]


@dataclass(frozen=True)
class Outcome:
    """What the demo came to.

    Attributes:
        expected: identifiers in common, over all sets, by the planted truth.
        found: those that the insurer learnt.
        missing: expected ones that it did not learn.
        extra: learnt ones that are not expected.
        wrong_records: matches with a wrong number of records on either side.
        wrong_counts: sets whose count differs from the truth.
        seconds: of count and match together.
        bytes_sent: by both nodes together.
        rows: joined rows.
        expected_rows: by the planted truth.
        inquired: plates that the police asked about.
        wrong_answers: of these, with another number of claims than the truth has.
        receipts: signed, of both runs and the inquiry, in the logs of both nodes: each has its own
            and the other's.
        clues: that the insurer handed over.
        cases: that the police filed.
        rings: that were planted; each is a case.
        ledgers_differ: whether a month is told otherwise by the other node, or not as it was.
    """

    expected: int
    found: int
    missing: int
    extra: int
    wrong_records: int
    wrong_counts: int
    seconds: float
    bytes_sent: int
    rows: int
    expected_rows: int
    inquired: int
    wrong_answers: int
    receipts: int
    clues: int
    cases: int
    rings: int
    ledgers_differ: bool

    @property
    def right(self) -> bool:
        """Whether the insurer learnt the truth and nothing else."""
        wrong = self.missing + self.extra + self.wrong_records + self.wrong_counts
        wrong += self.wrong_answers + self.ledgers_differ + abs(self.rings - self.cases)
        return not wrong and self.rows == self.expected_rows and self.receipts == RECEIPTS


def main() -> None:
    """Runs the demo; leaves with 0 if it learnt the truth."""
    arguments = argparse.ArgumentParser(description="Two nodes, one joint match.")
    arguments.add_argument("--claims", type=int, default=100_000, help="rows of the insurer's file")
    arguments.add_argument("--records", type=int, default=100_000, help="rows of the police's file")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--format", choices=("csv", "parquet"), default="parquet")
    arguments.add_argument("--out", type=Path, default=Path("demo"), help="folder for all files")
    arguments.add_argument("--json", action="store_true", help="print one JSON object")
    given = arguments.parse_args()
    say = (lambda *_: None) if given.json else print
    try:
        folder = _fresh(given.out)
        say(f"making {given.claims:,} claims and {given.records:,} records, all made up")
        twin = make_twin(folder, given.claims, given.records, given.seed, given.format)
        with Pair(folder, twin) as nodes:
            say("an insurer node and a police node run; the insurer asks, over mutual TLS\n")
            signers, file = Signers(nodes, folder / "people"), folder / "ticket.json"
            number, ticket = draft(nodes, DISCLOSED["police"], file), ("--ticket", str(file))
            signers.sign(file, "run")
            say("a ticket was drafted, and signed for a run by two people of each side\n")
            count = nodes.ask("insurer", "count", *ticket)
            say("how many are in common? (nobody learns which)")
            say(_table(count, ("matches",)))
            signers.sign(file, "disclosure")
            say("all four have signed for the disclosure of detail\n")
            match = nodes.ask("insurer", "match", *ticket)
            say("which? (the insurer learns, with the agreed columns of the police)")
            say(_table(match, ("matches", "own_records", "their_records")))
            nodes.ask("insurer", "prepare", "--set", "plate")
            plates = plates_to_inquire(twin)
            options = [word for plate in plates for word in ("--plate", plate)]
            inquiry = nodes.ask("police", "inquire", *options)["peers"][0]
            say(f"are these {len(plates)} plates known? (the police learn, the insurer counts)")
            say(_answers(inquiry))
            receipts = compare_logs(nodes, folder)
            say(f"both logs hold, agree, and have {receipts} signed receipts\n")
            say(f"rules judge the joined rows; the first {MOST} leads of each become clues, which")
            say("a second person reviews, and which go to the police: what these find is made up,")
            say("by what was planted")
            casework = follow_up(nodes, signers, Path(match["result"]), number)
            say(table(casework))
        outcome = compare(twin, count, match, inquiry, plates, receipts, casework)
    except (NodeFailed, OutOfRange, OSError) as error:
        arguments.exit(getattr(error, "code", 2), f"joint_match: {error}\n")
    if given.json:
        print(json.dumps(asdict(outcome) | {"sets": match["sets"]}, ensure_ascii=False))
    else:
        say(_summary(outcome, count, match, folder))
    sys.exit(0 if outcome.right else 1)


def plates_to_inquire(twin: Twin) -> dict[str, int]:
    """A few plates of the police's file, and in how many claims each stands by the truth.

    Half of them are known to the insurer, as far as there are so many.
    """
    truth = pq.read_table(twin.truth_list).to_pylist()
    known = {row["identifier"]: row["own_rows"] for row in truth if row["set"] == "plate"}
    columns = twin.columns["plate"]
    column = columns.their[0]
    records = dataset(twin.records, format=twin.format).to_table(columns=[column])
    cells = records[column].cast(pa.large_string()).combine_chunks()
    values, _, _ = _core.normalise(columns.kind, cells)
    unknown = (each for each in pa.array(values).to_pylist() if each and each not in known)
    return dict(islice(known.items(), INQUIRED)) | dict.fromkeys(islice(unknown, INQUIRED), 0)


def compare(
    twin: Twin,
    count: dict[str, Any],
    match: dict[str, Any],
    inquiry: dict[str, Any],
    plates: dict[str, int],
    receipts: int,
    casework: Casework,
) -> Outcome:
    """Compares what was learnt with the truth, identifier by identifier."""
    checked = check(twin, Path(match["result"]), "insurer")
    counts = {each["name"]: each["matches"] for each in count["sets"]}
    return Outcome(
        **checked,
        wrong_counts=sum(counts[name] != each.common for name, each in twin.truth.sets.items()),
        seconds=round(count["seconds"] + match["seconds"], 3),
        bytes_sent=sum(each["said_bytes"] + each["heard_bytes"] for each in (count, match)),
        receipts=receipts,
        clues=casework.reports["police"]["total"]["clues"],
        cases=len(casework.cases),
        rings=casework.rings,
        ledgers_differ=not casework.agree,
        inquired=len(plates),
        wrong_answers=sum(each["records"] != plates[each["value"]] for each in inquiry["told"]),
    )


def check(twin: Twin, result: Path, learner: str) -> dict[str, int]:
    """Compares joined rows with the truth; for either party as the one that learns."""
    ours, theirs = ("own_rows", "their_rows")[:: 1 if learner == "insurer" else -1]
    truth = pq.read_table(twin.truth_list).to_pylist()
    expected = {(row["set"], row["identifier"]): (row[ours], row[theirs]) for row in truth}
    found = learnt(twin, result, learner)
    return {
        "expected": len(expected),
        "found": len(found),
        "missing": len(expected.keys() - found.keys()),
        "extra": len(found.keys() - expected.keys()),
        "wrong_records": sum(expected.get(key, each) != each for key, each in found.items()),
        "rows": pq.read_metadata(result).num_rows,
        "expected_rows": sum(each.joined_rows for each in twin.truth.sets.values()),
    }


def learnt(twin: Twin, result: Path, learner: str) -> dict[Key, tuple[int, int]]:
    """Returns the identifiers in the joined rows, with the records of both sides."""
    joined = pq.read_table(result)
    found: dict[Key, tuple[int, int]] = {}
    for name, columns in twin.columns.items():
        for column in columns.own if learner == "insurer" else columns.their:
            of_column = pc.and_(
                pc.equal(joined["greenlane_set"], name),
                pc.equal(joined["greenlane_column"], column),
            )
            rows = joined.filter(of_column)
            texts = rows[column].cast(pa.large_string()).combine_chunks()
            values, _, _ = _core.normalise(columns.kind, texts)
            own, their = rows["greenlane_own_records"], rows["greenlane_their_records"]
            found |= {
                (name, value): (ours, theirs)
                for value, ours, theirs in zip(
                    values.to_pylist(), own.to_pylist(), their.to_pylist(), strict=True
                )
            }
    return found


def _fresh(folder: Path) -> Path:
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise FileExistsError(f"{folder} holds other files; choose another --out")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    return folder.resolve()


def _table(report: dict[str, Any], columns: tuple[str, ...]) -> str:
    lines = [f"  {'':8}" + "".join(f"{column.replace('_', ' '):>16}" for column in columns)]
    for each in report["sets"]:
        lines.append(f"  {each['name']:8}" + "".join(f"{each[column]:16,}" for column in columns))
    return "\n".join(lines) + f"\n  {report['seconds']:.1f} s\n"


def _answers(inquiry: dict[str, Any]) -> str:
    lines = []
    for each in inquiry["told"]:
        if each["records"]:
            first = each["rows"][0]
            lines.append(
                f"  {each['value']:10}{each['records']:4} claims, {first['claim_no']} first"
            )
    unknown = sum(not each["records"] for each in inquiry["told"])
    return "\n".join([*lines, f"  {unknown} not known, {inquiry['seconds']:.1f} s\n"])


def _summary(outcome: Outcome, count: dict[str, Any], match: dict[str, Any], folder: Path) -> str:
    said = sum(each["said_bytes"] for each in (count, match))
    heard = sum(each["heard_bytes"] for each in (count, match))
    verdict = "equals the planted truth" if outcome.right else "DIFFERS from the planted truth"
    return "\n".join(
        [
            f"the insurer sent {said:,} bytes and learnt which of its own are known to the police,",
            f"  and for those {', '.join(DISCLOSED['police'])}",
            f"the police sent {heard:,} bytes and learnt how large the insurer's sets are, to 5 %",
            f"{outcome.found:,} in common of {outcome.expected:,} planted: missing "
            f"{outcome.missing}, extra {outcome.extra}; {outcome.rows:,} joined rows; {verdict}",
            f"the month's report is in {folder / 'police/report.html'}",
            f"all files are in {folder}; joined rows in {match['result']}",
        ]
    )


if __name__ == "__main__":
    main()
