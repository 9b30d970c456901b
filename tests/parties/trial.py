"""Trial tickets for settings that stand in no file."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from parties.certificates import create_authority
from parties.clearance import Clearance, cover
from parties.credentials import Identity
from parties.job import Job
from parties.settings import OperatorSettings, Role, Settings
from parties.tickets.trial import make_trial


@cache
def authority(role: Role) -> Path:
    """The certificate of an authority of operators, made once; its key is beside it."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    files = Identity(folder / "authority.pem", folder / "authority.key")
    create_authority(role, files)
    return files.certificate


def with_operators(settings: Settings) -> Settings:
    """The same with authorities for both sides."""
    role = settings.node.role
    other: Role = "police" if role == "insurer" else "insurer"
    peers = tuple(peer._replace(operators=authority(other)) for peer in settings.peers)
    return settings._replace(operators=OperatorSettings(authority(role)), peers=peers)


@cache
def trial_ticket(ours: Settings, theirs: Settings) -> bytes:
    """The file of a ticket for both."""
    return make_trial(ours, theirs, datetime.now(UTC)).encode()


def cleared(ours: Settings, job: Job, ticket: bytes) -> Clearance:
    """What a node that asks has found."""
    return cover(ours, ours.peers[0], job, ticket, datetime.now(UTC))
