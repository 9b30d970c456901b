"""`greenlane init`: a folder with a node that works, for a first try and as a pattern.

It holds a settings file, a private certificate authority with one node certificate, and a few
made-up rows. In production the certificates come from the organisation's own authority, and the
settings point to its own files.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from parties.certificates import create_authority, issue
from parties.credentials import Identity
from parties.errors import LocalFault, SettingsError
from parties.settings import Role, Settings
from parties.settings_file import ADDRESS, MOST_PORT, NAME, load
from parties.tickets.trial import write_trial

FILE: Final = "greenlane.toml"
AUTHORITY: Final = "tls/authority.pem"

_SAMPLES: Final[dict[Role, tuple[str, str]]] = {
    "insurer": (
        "claims.csv",
        "claim_no,insured_id,driver_id,phone,plate,vin,amount\n"
        "C-1,11010519491231002X,,138 0013 8000,浙A·12345,1M8GDM9AXKP042788,12000.00\n"
        "C-2,440524188001010014,11010519491231002X,,粤BD12345,,800.50\n",
    ),
    "police": (
        "records.csv",
        "record_no,person_id,phone,plate,vin,record_type\n"
        "R-1,11010519491231002x,+86 13800138000,浙A12345,,accident\n"
        "R-2,,,粤B12345D,11111111111111111,violation\n",
    ),
}
_COLUMNS: Final[dict[Role, dict[str, str]]] = {
    "insurer": {"person": '["insured_id", "driver_id"]', "disclose": '["claim_no", "amount"]'},
    "police": {"person": '["person_id"]', "disclose": '["record_no", "record_type"]'},
}


def found(folder: Path, role: Role, name: str, listen: str) -> Path:
    """Makes the folder of a node and returns its settings file.

    Raises:
        SettingsError: the name or the address does not have the form it must have.
        LocalFault: the folder has such files already, or cannot be written.
    """
    if not NAME.fullmatch(name):
        raise SettingsError("a node's name has small letters, digits, dots and hyphens only")
    if not ADDRESS.fullmatch(listen) or int(listen.rpartition(":")[2]) > MOST_PORT:
        raise SettingsError(
            f"the address to listen at must be host:port, a port at most {MOST_PORT}"
        )
    settings = folder / FILE
    if settings.exists():
        raise LocalFault(f"{settings} is there already; choose another folder or move it away")
    try:
        (folder / "tls").mkdir(parents=True, exist_ok=True, mode=0o700)
        authority = Identity(folder / AUTHORITY, folder / "tls/authority.key")
        create_authority(name, authority)
        issue(name, Identity(folder / "tls/node.pem", folder / "tls/node.key"), authority)
        sample, rows = _SAMPLES[role]
        if not (folder / sample).exists():
            (folder / sample).write_text(rows, encoding="utf-8")
        settings.write_text(_settings(role, name, listen), encoding="utf-8")
    except OSError as fault:
        raise LocalFault(f"{folder}: cannot be written: {fault.strerror}") from None
    return settings


def introduce(one: Path, other: Path) -> None:
    """Makes two nodes of this machine known to each other: authority, name, address, a ticket.

    Raises:
        SettingsError: a settings file is missing or wrong, or as of `must_fit`.
        LocalFault: a folder cannot be written.
    """
    ours, theirs = load(one), load(other)
    must_fit(ours.node.role, theirs)
    must_fit(theirs.node.role, ours)
    for here, there in ((ours, theirs), (theirs, ours)):
        _add_peer(here, there)
    write_trial(load(one), load(other), datetime.now(UTC))


def must_fit(role: Role, other: Settings) -> None:
    """Checks that a node of this role can have the other as its peer.

    Raises:
        SettingsError: both have one role, or the other requires roles of people, whom nobody has
            asked here.
    """
    if role == other.node.role:
        raise SettingsError(f"both nodes are {role}; one must be insurer, one police")
    if other.operators.required:
        raise SettingsError(
            f"{other.path}: requires roles, and nobody is introduced to it any more; name the peer "
            "in it, and let people sign a ticket"
        )


def _add_peer(here: Settings, there: Settings) -> None:
    name = there.node.name
    if any(peer.name == name for peer in here.peers):
        return
    folder = here.path.parent
    try:
        shutil.copyfile(there.path.parent / AUTHORITY, folder / f"tls/{name}.pem")
        with here.path.open("a", encoding="utf-8") as file:
            file.write(_peer(here, there))
    except OSError as fault:
        raise LocalFault(f"{folder}: cannot be written: {fault.strerror}") from None


def _settings(role: Role, name: str, listen: str) -> str:
    sample, _ = _SAMPLES[role]
    return f'''# Settings of a Greenlane node. Paths are relative to this file.

[node]
name = "{name}"            # the name in this node's certificate
role = "{role}"            # insurer or police
listen = "{listen}"
certificate = "tls/node.pem"
key = "tls/node.key"
results = "results"        # joined rows and reports of rejected cells
log = "greenlane.log"      # leave it out for stderr
# metrics = "127.0.0.1:9464"

[operators]
authority = "{AUTHORITY}"   # who says who signs tickets
# required = true          # each command then wants to know who gives it
# sealed = true            # what is learnt opens for the operator who asked

[source]
format = "csv"             # csv, parquet or duckdb
paths = ["{sample}"]
encoding = "utf-8"         # or gb18030

[identifiers.person]
kind = "resident_id"
columns = {_COLUMNS[role]["person"]}

[identifiers.plate]
kind = "plate"
columns = ["plate"]

[identifiers.vin]
kind = "vin"
columns = ["vin"]

[identifiers.phone]
kind = "phone"
columns = ["phone"]
'''


def _peer(here: Settings, there: Settings) -> str:
    clues = "daily_clues = 1000       # how many clues it may hand over in a day\n"
    return f'''
[peers."{there.node.name}"]
address = "{there.node.listen}"
ca = "tls/{there.node.name}.pem"
may = ["count", "match"]   # what this peer may ask of us; "inquire" needs `greenlane prepare`
disclose = {_COLUMNS[here.node.role]["disclose"]}
{clues if here.node.role == "police" else ""}'''
