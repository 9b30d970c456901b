"""From joined rows to the table of the pilots: rules, clues, a round of feedback, a month's report.

The rules are those that come along, and the ticket names their packs. What the police find when
they look is made up here, by what was planted: a case for each ring, and clues that tell nothing
new or point at no ring go back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pair import Pair, run
from pyarrow.dataset import dataset
from signing import PACKS, Signers
from twin import Twin

MAPPING: Final = Path(__file__).with_name("rules.toml")
MOST: Final = 20
"""Leads of a rule that become clues, the largest amounts first: the default of `models try`."""
COUNTED: Final = ("clues", "accepted", "cases", "suspects", "amount")
"""What of a month's report the demo prints."""
PILOTS: Final = (545, 200, 100_000_000)
"""Clues, cases and yuan (the last two about) of the pilots of October 2019 to December 2020 in
Zhejiang, Anhui, Jiangxi, Shandong, Ningbo and Qingdao, as China's regulator of banking and
insurance and its Ministry of Public Security reported them on 8 December 2020."""


@dataclass(frozen=True)
class Case:
    """What the police find about a planted ring.

    Attributes:
        ring: its name and number.
        clue: with which it begins.
        suspects: persons insured of its claims.
        amount: of its claims, in yuan.
    """

    ring: str
    clue: str
    suspects: int
    amount: Decimal


@dataclass(frozen=True)
class Casework:
    """What became of the leads.

    Attributes:
        reports: of the month, by party; of one form, and in one order.
        rings: how many were planted.
        cases: that were filed, one for each ring that a clue named.
    """

    reports: Mapping[str, dict[str, Any]]
    rings: int
    cases: Sequence[Case]

    @property
    def agree(self) -> bool:
        """Whether both ledgers tell the month alike, and as it was."""
        ours, theirs = (self.reports[party]["rows"] for party in ("insurer", "police"))
        total = self.reports["police"]["total"]
        amount = sum(int(each.amount * 100) for each in self.cases)
        return ours == theirs and (total["cases"], total["amount"]) == (len(self.cases), amount)


def follow_up(nodes: Pair, signers: Signers, joined: Path, ticket: str) -> Casework:
    """Has people of both sides take the leads of joined rows to the end of a case.

    Args:
        nodes: which run.
        signers: the people.
        joined: rows that the insurer learnt.
        ticket: id of the ticket under which it did.

    Raises:
        NodeFailed: a command did not end well.
    """
    leads = nodes.folder / "insurer/leads.json"
    claims = judge(nodes, joined, leads)
    where = ("--leads", str(leads), "--peer", "police", "--ticket", ticket)
    drafted = signers.act("analyst", "clues", "add", *where)["clues"]
    signers.act("compliance", "clues", "review", *drafted)
    signers.act("compliance", "clues", "transfer", *drafted)
    planted = nodes.twin.planted()
    rings = {
        claim: f"{ring} {group}" for (ring, group), members in planted.items() for claim in members
    }
    cases, known, other = look_into(nodes.twin, rings, dict(zip(drafted, claims, strict=True)))
    signers.act("investigator", "clues", "accept", *(each.clue for each in cases))
    for clues, code in ((known, "known"), (other, "innocent")):
        if clues:
            signers.act("investigator", "clues", "return", *clues, "--code", code)
    for number, case in enumerate(cases, 1):
        named = ("--case", f"2026-{number:04}")
        signers.act("approver", "clues", "file", case.clue, *named)
        came_to = ("--suspects", str(case.suspects), "--amount", str(case.amount))
        how = ("--outcome", "prosecution", *came_to)
        signers.act("approver", "clues", "conclude", case.clue, *how)
    month = signers.act("investigator", "clues", "show", drafted[0])["made"][:7]
    reports = {
        party: run(
            *("clues", "report", "--settings", str(nodes.settings(party)), "--month", month),
            *("--out", str(nodes.folder / party / "report.html")),
        )
        for party in ("insurer", "police")
    }
    return Casework(reports, len(planted), cases)


def judge(nodes: Pair, joined: Path, leads: Path) -> list[list[str]]:
    """Tries all packs over joined rows, writes their leads; returns the claims of each."""
    mapping = leads.with_name("rules.toml")
    mapping.write_text(filled(nodes.twin.claims, joined), encoding="utf-8")
    trials = [
        run("models", "try", pack, "--data", str(mapping), "--most", str(MOST)) for pack in PACKS
    ]
    lines = [json.dumps(trial, ensure_ascii=False) + "\n" for trial in trials]
    leads.write_text("".join(lines), encoding="utf-8")
    return [lead["claims"] for trial in trials for lead in trial["leads"]]


def filled(claims: Path, joined: Path) -> str:
    """Returns the text of the mapping, with the files of claims and of joined rows in it."""
    text = MAPPING.read_text(encoding="utf-8")
    for name, path in (("claims.parquet", claims), ("joined.parquet", joined)):
        text = text.replace(f'"{name}"', json.dumps(str(path.resolve())))
    return text


def look_into(
    twin: Twin, rings: Mapping[str, str], clues: Mapping[str, Sequence[str]]
) -> tuple[list[Case], list[str], list[str]]:
    """What the police find behind clues.

    Args:
        twin: of which the claims are.
        rings: claim -> the planted ring that it is of.
        clues: clue -> its claims.

    Returns:
        Cases, further clues of the same rings, and clues of none.
    """
    first, known, other = dict[str, str](), list[str](), list[str]()
    for clue, claims in clues.items():
        ring = next((rings[claim] for claim in claims if claim in rings), None)
        if ring is None:
            other.append(clue)
        elif ring in first:
            known.append(clue)
        else:
            first[ring] = clue
    columns = ["claim_no", "insured_id", "amount"]
    rows = dataset(twin.claims, format=twin.format).to_table(columns=columns).to_pylist()
    of_ring: dict[str, dict[str, dict[str, Any]]] = {ring: {} for ring in first}
    for row in rows:
        if (ring := rings.get(row["claim_no"])) in of_ring:
            of_ring[ring].setdefault(row["claim_no"], row)  # some stand there twice
    cases = []
    for ring, clue in first.items():
        members = of_ring[ring].values()
        persons = {row["insured_id"] for row in members if row["insured_id"]}
        amount = sum((Decimal(str(row["amount"])) for row in members if row["amount"]), Decimal(0))
        cases.append(Case(ring, clue, len(persons), amount))
    return cases, known, other


def table(casework: Casework) -> str:
    """The month by line of insurance, as the pilots counted it."""
    report = casework.reports["police"]
    heads = "".join(f"{head:>12}" for head in COUNTED)
    lines = [f"  {'':14}{heads}"]
    for row in [*report["rows"], {"line": "all"} | report["total"]]:
        cells = "".join(f"{_cell(name, row[name]):>12}" for name in COUNTED)
        lines.append(f"  {row['line']:14}{cells}")
    clues, cases, yuan = PILOTS
    lines.append(
        f"  amounts in yuan; the pilots of 2019 and 2020 told {clues} clues, about {cases} cases "
        f"and over {yuan:,} yuan"
    )
    return "\n".join(lines) + "\n"


def _cell(name: str, value: int) -> str:
    return f"{value // 100:,}" if name == "amount" else f"{value:,}"
