"""A program that charges a budget until it is spent, or until it is killed.

    python counting.py once URL SESSIONS MOST   # until it is refused; prints how often it was not
    python counting.py killed SEED ROUNDS MOST URL NEW_URL...

The second form forks a process for each round and kills it at a random moment: first while it makes
each of the new stores, then while it charges. It prints one object about what it has seen.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from random import Random

import alembic.command  # noqa: F401  # before a process is forked, so that none waits for it
import psycopg  # noqa: F401

from parties.limits import Allowance, Charge, Limits
from parties.refusals import Refusal
from parties.store import Store

ELEMENTS = 7
THREADS = 4
PEER_ROUNDS = 8
"""Rounds in which one peer asks: its budget is spent in the last of them, if none was killed."""


def asking(peer: str, session: str, number: int, most: int) -> tuple[Charge, Allowance]:
    """An inquiry, or every fifth time a run, under a ticket that allows as much in all."""
    way = "match" if number % 5 == 0 else "inquire"
    charge = Charge(peer, session, way, {"plate": ELEMENTS}, "T-1")  # type: ignore[arg-type]
    return charge, Allowance(elements={"plate": most})


def charged_once(url: str, sessions: str, most: int) -> int:
    with closing(Limits(Store(url))) as limits, ThreadPoolExecutor(THREADS) as threads:

        def until_refused(thread: int) -> int:
            number = 0
            while True:
                session = f"{sessions}-{thread}-{number}"
                try:
                    limits.charge_alone(*asking("police", session, number, most))
                except Refusal:
                    return number
                number += 1

        return sum(threads.map(until_refused, range(THREADS)))


def answering(url: str, peer: str, turn: int, most: int, said: int) -> None:
    """Charges and answers, until it is killed."""
    limits = Limits(Store(url))
    os.write(said, b"S")
    number = 0
    while True:
        try:
            limits.charge_alone(*asking(peer, f"{turn}-{number}", number, most))
        except Refusal:
            os.write(said, b"R")
            signal.pause()
        os.write(said, b"A")
        number += 1


def killed(url: str, peer: str, turn: int, most: int, seconds: float) -> bytes:
    """Kills a process so long after it began to answer, or to open; returns what it has said."""
    hears, says = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answering(url, peer, turn, most, says)
        except BaseException as error:
            os.write(says, b"E" + repr(error).encode())
        finally:
            os._exit(1)
    os.close(says)
    heard = os.read(hears, 1) if turn >= 0 else b""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while data := os.read(hears, 1 << 16):
        heard += data
    os.close(hears)
    assert b"E" not in heard, heard
    return heard


def counted(url: str, peer: str, most: int) -> int:
    """How many elements are counted of a peer, by the ticket and by the days, which agree."""
    with closing(Limits(Store(url))) as limits:
        days = sum(limits.asked(peer, way=way) for way in ("inquire", "match"))
        try:
            full = Charge(peer, "probe", "count", {"plate": most + 1}, "T-1")
            limits.charge_alone(full, Allowance(elements={"plate": most}))
        except Refusal as refusal:
            total = int(str(refusal).split(" after ")[1].split()[0])
        assert total == days, "half a transaction was kept"
        return total


def all_killed(seed: int, rounds: int, most: int, url: str, new: list[str]) -> dict[str, int]:
    random = Random(seed)
    seen = {"opened": 0, "answered": 0, "counted": 0, "spent": 0}
    for each in new:
        killed(each, "police", -1, most, random.uniform(0, 0.3))
        Store(each).close()
        seen["opened"] += 1
    answered = 0
    for turn in range(rounds):
        peer = f"police-{turn // PEER_ROUNDS}"
        answered = 0 if turn % PEER_ROUNDS == 0 else answered
        heard = killed(url, peer, turn, most, random.uniform(0, 0.2))
        answered += heard.count(b"A")
        seen["answered"] += heard.count(b"A")
        seen["spent"] += heard.count(b"R")
        total = counted(url, peer, most)
        kills = turn % PEER_ROUNDS + 1
        where = f"seed {seed}, round {turn}: {answered} answered, {total} counted"
        assert answered * ELEMENTS <= total <= most, where
        assert total <= (answered + kills) * ELEMENTS, where
        if turn % PEER_ROUNDS == PEER_ROUNDS - 1 or turn == rounds - 1:
            seen["counted"] += total // ELEMENTS
    return seen


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["once", url, sessions, most]:
            print(charged_once(url, sessions, int(most)))
        case ["killed", seed, rounds, most, url, *new]:
            print(json.dumps(all_killed(int(seed), int(rounds), int(most), url, new)))
