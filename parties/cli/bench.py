"""`greenlane bench`."""

from __future__ import annotations

from parties.cli.options import Parser, Usage, positive
from parties.cli.output import give


def options(parser: Parser) -> None:
    """Adds the options of `bench`."""
    parser.add_argument("--protocol", default="vole", help="A protocol's name; default: vole.")
    for name, default, words in (
        ("receiver", 1 << 16, "Elements of the receiver"),
        ("sender", 1 << 16, "Elements of the sender"),
        ("threads", 1, "Of each side's kernels"),
        ("runs", 5, "Sessions, of which medians are printed"),
    ):
        words = f"{words}; default: {default}."
        parser.add_argument(f"--{name}", type=positive, default=default, metavar="N", help=words)
    parser.add_argument(
        "--in-memory", action="store_true", help="Over a pipe instead of mutual TLS."
    )


def bench(
    protocol: str,
    receiver: int,
    sender: int,
    threads: int,
    runs: int,
    in_memory: bool,
    as_json: bool,
) -> int | None:
    """Times a protocol between two processes of this machine."""
    from parties.benching import Bench, measure
    from psi import PROTOCOLS

    if protocol not in PROTOCOLS:
        raise Usage(f"no such protocol; there is: {', '.join(PROTOCOLS)}")
    taken = measure(Bench(protocol, receiver, sender, threads, in_memory, runs))
    give(taken, [f"{name:22} {value}" for name, value in taken.items()], as_json=as_json)
    return None if taken["matches"] == taken["expected"] else 8
