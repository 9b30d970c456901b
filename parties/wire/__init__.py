"""What crosses between two nodes, generated from `proto/parties/wire`."""

from typing import Final

PROTOCOL_VERSION: Final = 5
"""Of `job.proto`, of `psi/wire/v1`, and of every computation below them."""
