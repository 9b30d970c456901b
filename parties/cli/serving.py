"""`greenlane serve`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Final

from parties.cli.acting import As, admitted
from parties.cli.asking import AsJson, SettingsPath
from parties.cli.output import INTERRUPTED, give, keep_imported

if TYPE_CHECKING:
    from parties.answering import Hallway
    from parties.channel import Identity, Node
    from parties.settings import Settings

GRACE: Final = 30.0
"""Seconds for running jobs at the first signal to stop; service managers wait 30 to 90 s before
they kill. A second signal ends the node at once."""

STOP: Final = (signal.SIGTERM, signal.SIGINT)
CALLS: Final = 80
"""Calls at once: 64 inquirers, a few jobs with whole sets, and room to say that all is taken."""
LOOK_SECONDS: Final = 0.1
"""Between two looks at whether the node has stopped; a person takes it for at once."""


def serve(settings: SettingsPath, as_: As = None, as_json: AsJson = False) -> None:
    """Runs this node until it is told to stop (SIGTERM or Ctrl-C)."""
    # Blocked here and so in every thread that is started from here, a signal waits until it is
    # asked for. A handler would run only when the main thread wakes, which a signal that reaches
    # another thread does not bring about.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    try:
        _serve(settings, as_, as_json=as_json)
    except BaseException:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
        raise


def _serve(settings: SettingsPath, as_: As, *, as_json: bool) -> None:
    from parties import logs
    from parties.answering import answers
    from parties.channel import Identity
    from parties.machine import use
    from parties.settings_file import load

    keep_imported()
    loaded = load(settings)
    node = loaded.node
    logs.set_up(node.log, complain=True, counted=node.metrics is not None)
    use(node.threads)
    admitted(loaded, "serve", as_)
    if node.metrics is not None:
        from parties import metrics

        metrics.serve(node.metrics)
    identity = Identity(node.certificate, node.key)
    hallway = answers(loaded)
    with closing(hallway.books):
        _listen(loaded, identity, hallway, as_json=as_json)


def _listen(settings: Settings, identity: Identity, hallway: Hallway, *, as_json: bool) -> None:
    from parties import audit
    from parties.channel import Node
    from parties.credentials import read_credentials
    from psi import _core

    node = settings.node
    server = Node(
        node.listen,
        identity,
        settings.peers,
        hallway,
        at_once=hallway.at_once,
        handed=hallway.handed,
        patience=node.patience,
        most_calls=CALLS,
    )
    try:
        with hallway.books.writing() as (connection, at):  # the line stays if the node starts
            facts = {"role": node.role, "version": _core.VERSION}
            audit.append(connection, at, "node_started", facts)
            port = server.start()
            audit.sign_head(connection, read_credentials(identity), at)
        _serve_on(settings, hallway, port, as_json=as_json)
    finally:
        _stop(server)


def _serve_on(settings: Settings, hallway: Hallway, port: int, *, as_json: bool) -> None:
    """Says where the node listens, and does until the signal what a node does by itself."""
    node = settings.node
    host = node.listen.rpartition(":")[0]
    give(
        {"name": node.name, "role": node.role, "listen": f"{host}:{port}"},
        [f"{node.name} ({node.role}) listens at {host}:{port}"],
        as_json=as_json,
    )
    # After the node has said that it listens; the first of all, or they would be read when they are
    # needed first, while the store is locked.
    from parties import differences, packs_allowed, refused, retaining, sweeps  # noqa: F401
    from parties.clues.posting import Postman
    from parties.erasing import Eraser

    postman = Postman(settings, hallway.books)
    eraser = Eraser(settings, hallway.books)
    postman.start()
    eraser.start()
    signal.sigwait(STOP)
    postman.stop()
    eraser.stop()


def _stop(server: Node) -> None:
    """Lets running jobs finish; a second signal ends the program, whatever runs."""
    stopper = threading.Thread(target=server.stop, args=(GRACE,), daemon=True)
    stopper.start()
    while stopper.is_alive():
        if signal.sigtimedwait(STOP, LOOK_SECONDS) is not None:
            # Python would wait for the threads of running jobs. What they write has no name yet,
            # or is a report of rejects, which is known to the store.
            print("greenlane: interrupted; nothing was learnt", file=sys.stderr, flush=True)
            os._exit(INTERRUPTED)
