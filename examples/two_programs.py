"""Two programs with a file each: which texts of my column stand in the other's column too?

    python examples/two_programs.py sender 7000 accidents.csv plate
    python examples/two_programs.py receiver 7000 claims.csv plate common.csv

What it takes to carry a dialogue of `psi` over a line of one's own. This line is a bare socket
within one machine: nobody at its ends is known, and nobody needs a ticket. Between two parties
nodes see to that, over mutual TLS (`greenlane serve`).
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from arro3.core import Array, ChunkedArray, DataType, Field, RecordBatch, Schema

from parties.joining.delimited import CsvWriter
from parties.machine import use
from parties.sources.delimited import DelimitedSource
from psi import Elements, Output, Parameters, Side
from psi.protocols.vole import Receiver, Sender

PARAMETERS = Parameters(protocol="vole", output=Output.RECEIVER, domain="example")
LONGEST = 2 << 20  # messages are made to be of about 1 MiB
PATIENCE = 60.0  # seconds, for the other program to start or to answer

T = TypeVar("T")


def main(role: str, port: str, file: str, column: str, out: str = "") -> None:
    """Plays one of the two roles."""
    if (role == "receiver") != bool(out):
        raise SystemExit(__doc__)
    use(threads=1)  # 0 takes every core
    texts = read(Path(file), column)
    elements = Elements.hash(texts, PARAMETERS.domain)
    if role == "sender":
        with socket.create_server(("127.0.0.1", int(port))) as listening:
            listening.settimeout(PATIENCE)
            line, _ = listening.accept()
        with line:
            carry(Side(Sender(elements, PARAMETERS).converse()), line)
    else:
        with connected(int(port)) as line:
            learnt = carry(Side(Receiver(elements, PARAMETERS).converse()), line)
        assert learnt.matches is not None
        write(Path(out), column, texts.take(learnt.matches))
        print(f"{learnt.cardinality} of {len(elements)}")


def read(file: Path, column: str) -> Array:
    """Returns one column of a CSV file."""
    batches = DelimitedSource([file], "utf-8", ",").batches([column])
    return ChunkedArray([batch.column(column) for batch in batches]).combine_chunks()


def write(file: Path, column: str, texts: Array) -> None:
    """Writes a CSV file of one column."""
    schema = Schema([Field(column, DataType.large_string())])
    with file.open("wb") as opened:
        CsvWriter(opened, schema).write_batch(RecordBatch.from_arrays([texts], schema=schema))


def connected(port: int) -> socket.socket:
    """Returns a line to the sender, which may start later than this program."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), PATIENCE)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def carry(side: Side[T], line: socket.socket) -> T:
    """Lets a side speak with the one at the other end of the line; returns what it has learnt.

    Raises:
        PeerError: the other end says what it must not.
        OSError: the line is cut.
    """
    line.settimeout(PATIENCE)
    # In a thread of its own: two ends that both speak first would wait for each other to listen.
    with ThreadPoolExecutor(1) as speaking, line.makefile("rb") as heard:
        try:
            said = [speaking.submit(speak, line, message) for message in side.start()]
            while not side.finished:
                replies = side.hear(hear(heard))
                said += [speaking.submit(speak, line, message) for message in replies]
            for each in said:
                each.result()
        except BaseException:  # nobody would hear what is not said yet
            speaking.shutdown(wait=False, cancel_futures=True)
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            raise
    return side.result


def speak(line: socket.socket, message: bytes) -> None:
    """Sends one message, with its length in front."""
    line.sendall(struct.pack("<I", len(message)) + message)


def hear(line: BinaryIO) -> bytes:
    """Waits for one message, and takes no longer one than there can be."""
    head = line.read(4)
    length = struct.unpack("<I", head)[0] if len(head) == 4 else 0
    if length > LONGEST:
        raise ConnectionError(f"a message of {length} bytes, {LONGEST} are the most")
    message = line.read(length)
    if not length or len(message) < length:
        raise ConnectionError("the other program has ended")
    return message


if __name__ == "__main__":
    main(*sys.argv[1:])
