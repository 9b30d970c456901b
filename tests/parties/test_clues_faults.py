"""Clues on their way while lines are cut and processes killed: each arrives exactly once.

The nodes are real processes, `greenlane serve` and `greenlane clues send`, with a relay between
them in each direction. Clues are transferred, and police decide, while faults fall at random times.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import Relay
from desks import Desk, books_of, lead, settle

from parties.clues.clue import content_of
from parties.settings_file import load

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
CLUES = 4
"""Transferred in a round; and as many decisions go back."""
FAULTS = ("cut", "kill sender", "kill node", "repeat")
MOST_BYTES = 14_000
"""That a node answers while it is handed so many letters: a handshake, and a receipt for each."""


class Running:
    """A node that runs, and may be killed and started again at the same port."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        file = desk.settings.path
        text = file.read_text(encoding="utf-8").replace("127.0.0.1:7443", "127.0.0.1:{}", 1)
        file.write_text(text.replace("127.0.0.1:{}", f"127.0.0.1:{self.port}"), encoding="utf-8")
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = started("serve", self.desk)
        assert self.process.stdout is not None
        assert "listen" in self.process.stdout.readline(), "it does not listen"

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()


def started(command: str, desk: Desk) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "parties", *command.split()),
            *("--settings", str(desk.settings.path), "--json"),
        ],
        env=ENVIRONMENT,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def settings_file(desk: Desk, peer: str, port: int) -> None:
    """Tells a node's own file where its store is, and where its peer listens: at the relay."""
    file = desk.settings.path
    before, table, after = file.read_text(encoding="utf-8").partition(f'[peers."{peer}"]')
    assert table
    after = after.replace('address = "127.0.0.1:7443"', f'address = "127.0.0.1:{port}"', 1)
    store = f'\n[store]\nurl = "{desk.settings.store.url}"\n'
    before = before.replace("\n[operators]", "\npatience = 5\n\n[operators]", 1)
    file.write_text(before + table + after + store, encoding="utf-8")


class Faults:
    """Two nodes, relays between them, and what went wrong so far."""

    def __init__(self, insurer: Desk, police: Desk, seed: int) -> None:
        self.insurer, self.police = insurer, police
        self.random = Random(seed)
        self.nodes = {"insurer": Running(insurer), "police": Running(police)}
        self.relays: dict[str, Relay] = {}
        self.happened: Counter[str] = Counter()

    def begin(self, relay_to: Any) -> None:
        for name, desk, peer in (
            ("police", self.insurer, "police"),
            ("insurer", self.police, "insurer"),
        ):
            self.relays[name] = relay_to(self.nodes[name].port)
            settings_file(desk, peer, self.relays[name].port)
        for node in self.nodes.values():
            node.start()

    def end(self) -> None:
        for node in self.nodes.values():
            node.kill()

    def round(self, number: int) -> None:
        """Writes letters one way, and lets a fault fall while they are sent."""
        forward = number % 2 == 0
        desk = self.insurer if forward else self.police
        if forward:
            desk.transferred(*(lead(CLUES * number + each) for each in range(CLUES)))
        else:
            self.decide()
        fault = self.random.choice(FAULTS)
        node = self.nodes["police" if forward else "insurer"]
        senders = [started("clues send", desk)]
        if fault == "repeat":
            senders.append(started("clues send", desk))
        else:
            if self.is_under_way(senders[0], self.relays["police" if forward else "insurer"]):
                self.happened["while letters were sent"] += 1
            match fault:
                case "cut":
                    self.relays["police" if forward else "insurer"].cut()
                case "kill sender":
                    senders[0].kill()
                case "kill node":
                    node.kill()
                    node.start()
        self.happened[fault] += 1
        for sender in senders:
            sender.communicate(timeout=120)

    def is_under_way(self, sender: subprocess.Popen[str], relay: Relay) -> bool:
        """Waits until a node has answered some bytes; whether the sender is there still."""
        until = len(relay.to_caller) + self.random.randrange(MOST_BYTES)
        while sender.poll() is None and len(relay.to_caller) < until:
            time.sleep(0.001)
        time.sleep(self.random.uniform(0, 0.02))
        return sender.poll() is None

    def decide(self) -> None:
        """The police do with what came whatever they may."""
        usual = {"received": "accept", "accepted": "file", "filed": "conclude"}
        open_ = [each for each in self.police.every() if each.state in usual]
        for clue in self.random.sample(open_, min(CLUES, len(open_))):
            what = usual[clue.state]
            if clue.state == "received" and self.random.random() < 0.2:
                what = "return"
            self.police.act(clue.id, what)

    def settle(self) -> None:
        """Sends what waits, with no more faults."""
        for desk in (self.insurer, self.police):
            for _ in range(20):
                sender = started("clues send", desk)
                out, err = sender.communicate(timeout=120)
                assert sender.returncode == 0, err
                if json.loads(out)["letters"]["waiting"] == 0:
                    break
            else:
                pytest.fail(f"letters of {desk.name} wait for ever: {out}")

    def check(self) -> None:
        """Each clue is there exactly once, and says and is what it is on the other side."""
        ours = {each.id: each for each in self.insurer.every()}
        theirs = {each.id: each for each in self.police.every()}
        assert {*ours} == {*theirs}
        for clue, each in ours.items():
            there = theirs[clue]
            mirrored = {"received": "transferred"}.get(there.state, there.state)
            assert each.state == mirrored
            assert each.digest == there.digest
            assert (each.filed, each.suspects, each.amount) == (
                there.filed,
                there.suspects,
                there.amount,
            )
            for desk in (self.insurer, self.police):
                acts = Counter(line.act for line in desk.history(clue))
                assert max(acts.values()) == 1, "a step was done twice"
        for desk, other in ((self.insurer, self.police), (self.police, self.insurer)):
            said = desk.ask("SELECT clue, number, digest FROM clue_letters ORDER BY clue, number")
            heard = other.ask("SELECT clue, number, digest FROM clue_heard ORDER BY clue, number")
            assert said == heard
            kept = desk.ask("SELECT receipt FROM clue_letters ORDER BY clue, number")
            given = other.ask("SELECT receipt FROM clue_heard ORDER BY clue, number")
            assert [bytes(row[0]) for row in kept] == [bytes(row[0]) for row in given]
            for event in ("clue_sent", "clue_heard"):
                lines = desk.ask(
                    "SELECT body FROM audit_lines WHERE event = :event", {"event": event}
                )
                facts = [json.loads(bytes(row[0]))["facts"] for row in lines]
                assert len({(f["clue"], f["number"]) for f in facts}) == len(facts)
                assert len(facts) == len(
                    said if event == "clue_sent" else other.ask("SELECT clue FROM clue_letters")
                )
        with (
            self.insurer.books.limits.store.reading() as here,
            self.police.books.limits.store.reading() as there_,
        ):
            for clue in ours.values():
                assert content_of(here, clue) == content_of(there_, theirs[clue.id])


@contextlib.contextmanager
def running(faults: Faults, relay_to: Any) -> Iterator[None]:
    try:
        faults.begin(relay_to)
        yield
    finally:
        faults.end()
        for desk in (faults.insurer, faults.police):
            desk.books.close()


def suffer(folder: Path, url_of: Any, relay_to: Any, rounds: int, seed: int) -> Faults:
    settings = settle(folder, url_of)
    police = settings["police"]
    peers = tuple(each._replace(daily_clues=100_000) for each in police.peers)
    settings["police"] = police._replace(peers=peers)
    text = police.path.read_text(encoding="utf-8").replace(
        "daily_clues = 1000 ", "daily_clues = 100000 "
    )
    police.path.write_text(text, encoding="utf-8")
    desks = {name: Desk(each, books_of(each)) for name, each in settings.items()}
    desks.pop("rival").books.close()
    faults = Faults(desks["insurer"], desks["police"], seed)
    print(f"seed {seed}")
    with running(faults, relay_to):
        for number in range(rounds):
            faults.round(number)
        faults.settle()
        faults.check()
        assert load(police.path).peers[0].daily_clues == 100_000
        assert len(faults.police.every()) == CLUES * ((rounds + 1) // 2)
        print(dict(faults.happened), Counter(each.state for each in faults.police.every()))
    return faults


@pytest.mark.timeout(300)
def test_each_clue_arrives_exactly_once_whatever_is_cut_and_killed(
    tmp_path: Path, relay_to: Any
) -> None:
    suffer(tmp_path, lambda name: f"sqlite:///{tmp_path / name / 'state.db'}", relay_to, 6, 7)


@pytest.mark.study
@pytest.mark.timeout(300)
def test_and_so_it_does_with_postgresql(tmp_path: Path, relay_to: Any, postgresql: Any) -> None:
    suffer(tmp_path, lambda name: str(postgresql.schema()), relay_to, 2, 11)


@pytest.mark.study
def test_after_200_faults_each_clue_is_there_exactly_once(tmp_path: Path, relay_to: Any) -> None:
    seed = int.from_bytes(os.urandom(4))
    faults = suffer(
        tmp_path, lambda name: f"sqlite:///{tmp_path / name / 'state.db'}", relay_to, 200, seed
    )
    assert sum(faults.happened[each] for each in FAULTS) == 200
    assert faults.happened["while letters were sent"] > 20
