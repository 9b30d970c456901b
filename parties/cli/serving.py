"""`greenlane serve`."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from parties import logs, metrics
from parties.answering import answers
from parties.channel import Identity, Node
from parties.cli.asking import AsJson, SettingsPath
from parties.cli.output import give
from parties.settings_file import load
from parties.threads import use

GRACE = 30.0
"""Seconds for running jobs at the first signal to stop; service managers wait 30 to 90 s before
they kill. A second signal ends the node at once."""


def serve(settings: SettingsPath, as_json: AsJson = False) -> None:
    """Runs this node until it is told to stop (SIGTERM or Ctrl-C)."""
    loaded = load(settings)
    node = loaded.node
    logs.set_up(node.log)
    use(node.threads)
    if node.metrics is not None:
        metrics.serve(node.metrics)
    identity = Identity(node.certificate, node.key)
    server = Node(node.listen, identity, loaded.peers, answers(loaded), patience=node.patience)
    port = server.start()
    stop, at_once = threading.Event(), threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        (at_once if stop.is_set() else stop).set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    host = node.listen.rpartition(":")[0]
    give(
        {"name": node.name, "role": node.role, "listen": f"{host}:{port}"},
        [f"{node.name} ({node.role}) listens at {host}:{port}"],
        as_json=as_json,
    )
    stop.wait()
    stopper = threading.Thread(target=server.stop, args=(GRACE,), daemon=True)
    stopper.start()
    while stopper.is_alive() and not at_once.is_set():
        stopper.join(0.1)
