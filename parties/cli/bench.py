"""`greenlane bench`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from parties.cli.asking import AsJson
from parties.cli.output import give


def bench(
    protocol: Annotated[str, typer.Option(help="A protocol's name.")] = "vole",
    receiver: Annotated[int, typer.Option(min=1, help="Elements of the receiver.")] = 1 << 16,
    sender: Annotated[int, typer.Option(min=1, help="Elements of the sender.")] = 1 << 16,
    threads: Annotated[int, typer.Option(min=1, help="Of each side's kernels.")] = 1,
    in_memory: Annotated[
        bool, typer.Option("--in-memory", help="In memory instead of over mutual TLS.")
    ] = False,
    in_turns: Annotated[
        bool, typer.Option("--in-turns", help="Both sides in one process, for their CPU alone.")
    ] = False,
    runs: Annotated[int, typer.Option(min=1, help="Sessions; medians are printed.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Times a protocol on this machine, by default between two processes."""
    from parties.benching import Bench, measure
    from psi import PROTOCOLS

    if protocol not in PROTOCOLS:
        raise typer.BadParameter(f"no such protocol; there is: {', '.join(PROTOCOLS)}")
    if in_memory and in_turns:
        raise typer.BadParameter("--in-memory or --in-turns, not both")
    meeting: Literal["tls", "memory", "turns"] = (
        "memory" if in_memory else "turns" if in_turns else "tls"
    )
    taken = measure(Bench(protocol, receiver, sender, threads, meeting, runs))
    give(taken, [f"{name:22} {value}" for name, value in taken.items()], as_json=as_json)
    if taken["matches"] != taken["expected"]:
        raise typer.Exit(8)
