"""Certificates that are wrong, expired or renewed, and the pages of a running node."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from parties import certificates
from parties.certificates import create_authority, issue, renew
from parties.channel import Identity


def node_of(party: Any) -> Identity:
    return Identity(party.folder / "tls/node.pem", party.folder / "tls/node.key")


def authority_of(party: Any) -> Identity:
    return Identity(party.folder / "tls/authority.pem", party.folder / "tls/authority.key")


def lives(monkeypatch: pytest.MonkeyPatch, party: Any, **lifetime: float) -> None:
    """Gives a node a certificate that is valid for so long from now."""
    with monkeypatch.context() as patch:
        patch.setattr(certificates, "NODE_LIFETIME", timedelta(**lifetime))
        renew(node_of(party), authority_of(party))


def impostor(party: Any, name: str) -> None:
    """Gives a node a certificate of somebody else's authority."""
    # Its operators are those of before, so that the ticket holds.
    shutil.copy(authority_of(party).certificate, party.folder / "operators.pem")
    party.change('authority = "tls/authority.pem"', 'authority = "operators.pem"')
    shutil.rmtree(party.folder / "tls")
    create_authority("somebody", authority_of(party))
    issue(name, node_of(party), authority_of(party))
    other = "police" if party.role == "insurer" else "insurer"
    shutil.copy(
        party.folder.parent / ("B" if other == "police" else "A") / "tls/authority.pem",
        party.folder / f"tls/{other}.pem",
    )


def test_a_node_with_another_authority_is_not_talked_to(two: Any) -> None:
    impostor(two.police, "police")
    with two.answering() as ends:
        two.ask().fails(5, "certificate", "the certificate of police .* was not issued by the auth")
    assert ends == []
    assert two.insurer.left == set()


def test_a_node_with_another_name_is_not_talked_to(two: Any) -> None:
    node = node_of(two.police)
    for file in (node.certificate, node.key):
        file.unlink()
    issue("traffic-police", node, authority_of(two.police))
    with two.answering() as ends:
        two.ask().fails(5, "certificate", "the certificate of police .* does not carry the name")
    assert ends == []


def test_a_caller_with_another_authority_is_not_talked_to(two: Any) -> None:
    impostor(two.insurer, "insurer")
    with two.answering() as ends:
        two.ask().fails(5, "certificate", "^police does not accept our certificate")
    assert ends == []


def test_our_own_expired_certificate_is_named_by_every_command(
    two: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives(monkeypatch, two.insurer, minutes=-1)
    where = ("--settings", str(two.insurer.file), "--json")
    two.ask("count").fails(5, "certificate", "node.pem expired on .* UTC: renew it, or set this")
    two.program("serve", *where).fails(5, "certificate", "node.pem expired on")
    check = two.program("check", *where)
    assert (check.status, check.report["wrong"]) == (5, 1)


def test_a_node_whose_certificate_expires_while_it_runs_is_not_talked_to(
    two: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives(monkeypatch, two.police, seconds=1.5)
    with two.answering() as ends:
        time.sleep(2.5)  # certificates count whole seconds
        two.ask("count").fails(5, "certificate", "the certificate of police .* expired on")
    assert ends == []


def test_a_caller_whose_certificate_expires_on_the_way_is_not_talked_to(
    two: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own look at it is taken away: what counts is the node's."""
    lives(monkeypatch, two.insurer, minutes=-1)
    with two.answering() as ends, monkeypatch.context() as patch:
        patch.setattr("parties.credentials.why_not_now", lambda certificate: None)
        two.ask("count").fails(5, "certificate", "^police does not accept our certificate")
    assert ends == []


# --- a node that runs


@pytest.fixture
def running(two: Any, serve: Any) -> Iterator[tuple[Any, Any]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        two.page = f"127.0.0.1:{probe.getsockname()[1]}"
    two.police.change("# metrics", f'metrics = "{two.page}" #')
    node = serve(two.police)
    yield two, node
    node.send(signal.SIGTERM)
    ending = node.end()
    assert (ending.status, ending.err) == (0, "")


def test_a_running_node_shows_its_health_and_counts_and_takes_a_new_certificate(
    running: tuple[Any, Any],
) -> None:
    """One node for all of it: a process takes longer than everything that is asked of it here."""
    two, _ = running
    assert two.ask("match", "--learns", "both").status == 0

    ours, theirs = two.insurer.folder / "tls", two.police.settings.node.listen
    tls = grpc.ssl_channel_credentials(
        (ours / "police.pem").read_bytes(),
        (ours / "node.key").read_bytes(),
        (ours / "node.pem").read_bytes(),
    )
    options = [("grpc.ssl_target_name_override", "police")]
    with grpc.secure_channel(theirs, tls, options) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(
            health_pb2.HealthCheckRequest(service="parties.wire.v1.Node"), timeout=5
        )
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        reflect = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        (services,) = reflect.ServerReflectionInfo(iter([asked]), timeout=5)
        names = {each.name for each in services.list_services_response.service}
        assert "parties.wire.v1.Node" in names
    nobody = grpc.ssl_channel_credentials((ours / "police.pem").read_bytes())
    with grpc.secure_channel(theirs, nobody, options) as channel, pytest.raises(grpc.RpcError):
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)

    with urllib.request.urlopen(f"http://{two.page}/metrics", timeout=5) as response:
        page = response.read().decode()
    assert 'greenlane_jobs_total{peer="insurer",way="match"} 1.0' in page
    assert 'greenlane_calls_total{code="done",end="answering",peer="insurer"} 1.0' in page
    ours_only = [line for line in page.splitlines() if line.startswith("greenlane_")]
    labels = set(re.findall(r'[{,](\w+)="', "\n".join(ours_only)))
    assert labels == {"peer", "way", "code", "end", "le"}

    before = node_of(two.police).certificate.read_bytes()
    renew(node_of(two.police), authority_of(two.police))
    assert node_of(two.police).certificate.read_bytes() != before
    assert two.ask("count", "--set", "person").status == 0
    assert len(two.police.events("certificates_read")) == 1
    assert two.police.left == {"", "joined.parquet"}
