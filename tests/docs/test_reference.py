"""The tables of docs/operations.md list exactly what the code has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click.exceptions
import pytest
import typer.main
from documents import DOCUMENTS, ROOT, blocks, prose, read, rows
from prometheus_client import REGISTRY

from parties import certificates, disclosure, metrics, refusals
from parties.agreement import MOST_SETS
from parties.audit.facts import EVENTS
from parties.channel import codes, frames, line, node
from parties.cli import COMMANDS, app_of, serving
from parties.errors import (
    BUG,
    INTERRUPTED,
    AuditRefused,
    ClueRefused,
    OperatorRefused,
    PartyError,
    TableRefused,
    exit_code,
)
from parties.identifiers import rejects
from parties.operators import chains, fetching, key_sets, papers, rights, tokens
from parties.operators import issuing as operators
from parties.operators import keys as operator_keys
from parties.settings import (
    IdentifierSettings,
    NodeSettings,
    OperatorSettings,
    PeerSettings,
    RetentionSettings,
    SourceSettings,
    StoreSettings,
    TableSettings,
    TicketSettings,
    TokenSettings,
)
from parties.tickets import ticket as tickets
from psi import _core
from psi.errors import PeerError, PeerIncompatible, PsiError
from psi.parameters import Offer, Role
from psi.subprotocols import bins, decoys, entries

OPERATIONS = "docs/operations.md"


def under(heading: str) -> list[Any]:
    found = [row for row in rows(OPERATIONS) if row.heading == heading]
    assert found, heading
    return found


TABLES = {
    "[node]": ("node", NodeSettings, ()),
    "[source]": ("source", SourceSettings, ()),
    "[identifiers.NAME]": ("identifiers.NAME", IdentifierSettings, ("name",)),
    "[peers.NAME]": ("peers.NAME", PeerSettings, ("name",)),
    "[tables]": ("tables", TableSettings, ()),
    "[operators]": ("operators", OperatorSettings, ()),
    "[operators.oidc]": ("operators.oidc", TokenSettings, ()),
    "[tickets]": ("tickets", TicketSettings, ()),
    "[store]": ("store", StoreSettings, ()),
    "[retention]": ("retention", RetentionSettings, ()),
}


@pytest.mark.parametrize("heading", TABLES)
def test_every_settings_entry_is_listed_with_its_default(heading: str) -> None:
    prefix, kind, titles = TABLES[heading]
    listed = {row.names(0)[0]: row.cells[1] for row in under(heading)}
    entries = [name for name in kind._fields if name not in titles]
    assert set(listed) == {f"{prefix}.{name}" for name in entries}
    for name in entries:
        expected = shown(kind._field_defaults.get(name, REQUIRED))
        if name == "san":
            expected = "NAME"  # the file's reader fills it in
        assert listed[f"{prefix}.{name}"] == expected, name


REQUIRED = object()


def shown(default: object) -> str:
    if default is REQUIRED:
        return "required"
    match default:
        case None:
            return "none"
        case bool():
            return str(default).lower()
        case float():
            return f"{default:g}"
        case ():
            return "empty"
        case tuple():
            return ", ".join(default)
        case _:
            return str(default)


def test_every_kind_of_identifier_is_listed() -> None:
    (row,) = (row for row in under("[identifiers.NAME]") if row.names(0)[0].endswith(".kind"))
    assert row.names(2) == [*_core.kinds(), "composite"]


def test_every_command_and_option_is_listed() -> None:
    listed, command = set(), ""
    for row in under("Commands"):
        command = command_of(row.names(0)[0])[0] if row.names(0) else command
        listed |= {(command, option) for option in row.names(1)} or {(command, "")}
    there = set()
    for name, each in commands().items():
        there.add((name, ""))
        options = [parameter for parameter in each.params if parameter.param_type_name == "option"]
        there |= {(name, option) for parameter in options for option in parameter.opts}
    assert listed == {pair for pair in there if pair[1] != "--help"}


def commands() -> dict[str, Any]:
    """Returns all commands of the program by their names, of one word or two."""
    found = {}
    for name, each in typer.main.get_command(app_of(COMMANDS)).commands.items():  # type: ignore[attr-defined]
        for word, inner in getattr(each, "commands", {"": each}).items():
            found[f"{name} {word}".strip()] = inner
    return found


def command_of(said: str) -> tuple[str, list[str]]:
    """Splits what is typed into the command and the words behind it."""
    words = said.split()
    length = 2 if " ".join(words[:2]) in commands() else 1
    return " ".join(words[:length]), words[length:]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_line_in_a_document_is_one_of_the_program(document: Path) -> None:
    program = commands()
    script = "\n".join(blocks(document, "sh")).replace("\\\n", " ")
    lines = re.findall(r"`greenlane ([^`]+)`", prose(document))
    lines += re.findall(r"^greenlane ([^>&\n]+)", script, re.MULTILINE)
    for line_ in lines:
        command, words = command_of(line_)
        if not words and any(name.startswith(f"{command} ") for name in program):
            continue  # a group by its name
        known = {name for each in program[command].params for name in each.opts}
        used = {word for word in words if word.startswith("--")}
        assert used <= known | {"--help"}, line_


def kinds_below(root: type[BaseException]) -> Iterator[type[BaseException]]:
    yield root
    for kind in root.__subclasses__():
        yield from kinds_below(kind)


def test_who_may_give_which_command_is_listed() -> None:
    columns = [
        ("investigator", "analyst"),
        ("approver", "compliance"),
        ("auditor",),
        ("administrator",),
    ]
    listed = {
        row.names(0)[0]: {
            role
            for cell, roles in zip(row.cells[1:], columns, strict=True)
            if cell == "may"
            for role in roles
        }
        for row in under("Who gives a command")
    }
    assert listed == {command: {*roles} for command, roles in rights.RIGHTS.items()}


def test_every_exit_code_is_listed() -> None:
    of_parties = {kind.exit_code for kind in kinds_below(PartyError)}  # type: ignore[attr-defined]
    of_psi = {exit_code(PeerIncompatible("")), exit_code(PeerError(""))}
    usage = click.exceptions.UsageError.exit_code
    there = {0, BUG, usage, INTERRUPTED} | of_parties | of_psi
    assert {int(row.cells[0]) for row in under("Exit codes")} == there
    advised = {int(row.cells[0]) for row in under("Errors")}
    assert advised == there - {0, INTERRUPTED}


def test_every_code_word_is_listed() -> None:
    words = {"done", "usage", "interrupted", *refusals.SENTENCES}
    words |= {word for _, _, word in codes._WORDS}
    words |= {codes.BUSY, codes.STOPPING, codes.INTERNAL, codes.INTERRUPTED}
    words |= {kind.code for kind in kinds_below(PartyError) if hasattr(kind, "code")}
    words |= {"refused", *TableRefused.CODES, *AuditRefused.CODES}
    words |= {*OperatorRefused.CODES, *ClueRefused.CODES}
    # Errors of the toolkit in --json are named by their class, unless the wire says the same.
    leaves = kinds_below(PsiError)
    words |= {kebab(kind.__name__) for kind in leaves if kind not in (PsiError, PeerError)}
    listed = {name for row in under("Code words") for name in row.names(0)}
    assert listed == words


def kebab(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).removeprefix("-")


def test_every_line_of_the_audit_log_is_listed_with_its_facts() -> None:
    listed = {}
    for row in under("Lines of the log"):
        always, _, perhaps = row.cells[1].partition("(")
        listed[row.names(0)[0]] = tuple(
            set(re.findall(r"`(\w+)`", names)) for names in (always, perhaps)
        )
    there = {
        event: tuple(
            {name for name, kind in kinds.items() if kind.required is required}
            for required in (True, False)
        )
        for event, kinds in EVENTS.items()
    }
    assert listed == there


def test_every_word_for_what_does_not_hold_is_listed() -> None:
    there = set()
    for path in (ROOT / "parties/audit").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                first = call.args[0] if call.args else None
                if call.func.attr in ("_found", "_add") and isinstance(first, ast.Constant):
                    there.add(first.value)
    assert "line-altered" in there
    assert {row.names(0)[0] for row in under("What does not hold")} == there


def logged() -> dict[str, set[str]]:
    """Returns each event that some file of the nodes logs, with the fields given at the call."""
    events: dict[str, set[str]] = {}
    for path in sorted((ROOT / "parties").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            if call.func.attr not in ("debug", "info", "warning", "error", "critical"):
                continue
            assert call.args, (path, call.lineno)
            fields = {keyword.arg for keyword in call.keywords if keyword.arg}
            for name in texts(call.args[0], tree):
                events.setdefault(name, set()).update(fields)
    return events


def texts(expression: ast.expr, tree: ast.Module) -> list[str]:
    """Returns the texts that an expression can have: itself, or what its variable is set to."""
    match expression:
        case ast.Constant(str(text)):
            return [text]
        case ast.IfExp(body=body, orelse=orelse):
            return texts(body, tree) + texts(orelse, tree)
        case ast.Name(name):
            values = [
                each.value
                for each in ast.walk(tree)
                if isinstance(each, ast.Assign)
                and any(isinstance(to, ast.Name) and to.id == name for to in each.targets)
            ]
            assert values, f"line {expression.lineno}: an event that nobody can list"
            return [text for value in values for text in texts(value, tree)]
    raise AssertionError(f"line {expression.lineno}: an event that nobody can list")


def test_every_log_event_and_field_is_listed() -> None:
    there = logged()
    listed = {row.names(0)[0]: set(row.names(2)) for row in under("Log")}
    assert set(listed) == set(there)
    bound = {"peer", "session"}
    of_totals = set(ast.literal_eval(keys_of("totals")))
    for event, fields in there.items():
        assert fields <= listed[event], event
        more = bound | (of_totals if event == "job_done" else set())
        assert listed[event] <= fields | more, event
    assert of_totals <= listed["job_done"]


def keys_of(function: str) -> str:
    """Returns the literal keys of the dictionary that a function of parties.reports returns."""
    tree = ast.parse(read("parties/reports.py"))
    for node_ in ast.walk(tree):
        if isinstance(node_, ast.FunctionDef) and node_.name == function:
            keys = [
                key for each in ast.walk(node_) if isinstance(each, ast.Dict) for key in each.keys
            ]
            return str([key.value for key in keys if isinstance(key, ast.Constant)])
    raise AssertionError(function)


def test_every_metric_and_label_is_listed() -> None:
    there = {}
    for metric in vars(metrics).values():
        if hasattr(metric, "_labelnames") and metric in list(REGISTRY._collector_to_names):
            suffix = "_total" if metric._type == "counter" else ""
            there[metric._name + suffix] = list(metric._labelnames)
    assert there
    assert {row.names(0)[0]: row.names(1) for row in under("Metrics")} == there


DEFAULTS = PeerSettings._field_defaults
NUMBERS = [
    (OPERATIONS, f"get {serving.GRACE:g} s"),
    (OPERATIONS, f"up to {serving.GRACE:g} s"),
    (OPERATIONS, f"lives {certificates.NODE_LIFETIME.days} days"),
    (OPERATIONS, f"warns below {certificates.RENEW_BEFORE_DAYS}"),
    (OPERATIONS, f"at most {rejects.MOST_LINES:,} lines"),
    (OPERATIONS, f"asked again every {node._LEARN_AGAIN_SECONDS:g} s"),
    (OPERATIONS, f"{tickets.LONGEST >> 10} KiB"),
    (OPERATIONS, f"at most {tickets.LONGEST_VALID.days} days"),
    (OPERATIONS, f"{operators.LIFETIME.days} days"),
    (OPERATIONS, f"at most {chains.MOST_INTERMEDIATES} intermediate"),
    (OPERATIONS, f"{operator_keys.ROUNDS:,} rounds"),
    (OPERATIONS, f"at most {key_sets.LONGEST >> 10} KiB in {fetching.SECONDS:g} s"),
    (OPERATIONS, f"longer than {papers.LONGEST >> 10} KiB"),
    (OPERATIONS, f"lasts longer than {tokens.MOST_LIFETIME.total_seconds() / 3600:g} hours"),
    ("docs/threat-model.md", f"live {certificates.NODE_LIFETIME.days} days"),
    ("docs/threat-model.md", f"{decoys.DECOYS} decoys"),
    ("docs/threat-model.md", f"The default of `max_elements` is {DEFAULTS['max_elements']:,}"),
    ("docs/threat-model.md", f"to {disclosure.STEP} bytes"),
    ("docs/protocols.md", f"at most {disclosure.WIDEST:,} bytes"),
    ("docs/protocols.md", f"multiple of {disclosure.STEP}"),
    ("docs/protocols.md", f"| shared decoys | {decoys.SHARED} |"),
    ("docs/protocols.md", f"| own decoys | {decoys.OWN} each |"),
    ("docs/protocols.md", f"| message | {bins.MESSAGE >> 20} MiB |"),
    ("docs/protocols.md", f"| seal | {entries.SEAL} bytes |"),
    ("docs/protocols.md", f"| longest message | {frames.LONGEST_MESSAGE >> 20} MiB |"),
    ("docs/protocols.md", f"| queue | {line.QUEUE} messages"),
    ("docs/protocols.md", f"| heartbeat | {line.HEARTBEAT_SECONDS:g} s"),
    ("docs/protocols.md", f"| sets of a job | at most {MOST_SETS} |"),
    ("docs/protocols.md", f"| columns | at most {disclosure.MOST_COLUMNS} |"),
]


@pytest.mark.parametrize(("document", "text"), NUMBERS)
def test_numbers_in_documents_are_those_of_the_code(document: str, text: str) -> None:
    assert text in " ".join(read(document).split())


def test_the_tag_widths_in_the_documents_are_computed_so() -> None:
    said = " ".join(read("docs/protocols.md").split())
    assert f"For two sets of 2^20 this is {tag(1 << 20)} bytes" in said
    assert f"for two of 1,000 it is {tag(1000)}." in said


def tag(size: int) -> int:
    padded = decoys.size_class(size)
    receiver = Offer(Role.RECEIVER, padded, 0, 0)
    forward, _ = entries.forms(receiver, Offer(Role.SENDER, 0, padded, 0))
    return int(forward.tag)


def test_the_first_size_classes_are_those_of_the_code() -> None:
    classes = sorted({decoys.size_class(size) for size in range(1, 90)})
    assert ", ".join(map(str, classes[:4])) in read("docs/protocols.md")


def test_the_domain_separation_tag_is_that_of_the_core() -> None:
    (tag_,) = re.findall(r'const DST: &\[u8\] = b"([^"]+)"', read("rust/src/dh.rs"))
    assert f"`{tag_}`" in read("docs/protocols.md")
