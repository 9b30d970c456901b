"""Addresses as they stand in the settings: host:port, with brackets around an IPv6 host."""

from __future__ import annotations


def split(address: str) -> tuple[str, int]:
    """Returns host and port.

    gRPC takes a port above 65535 modulo 65536 and listens, or calls, somewhere else; so it is given
    no address that was not read here first.

    Raises:
        ValueError: this is not host:port.
    """
    host, colon, digits = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and digits.isascii() and digits.isdigit() and int(digits) < 65536):
        raise ValueError("not host:port")
    return host, int(digits)
