"""gRPC's options, each with its reason. Sizes in bytes, times in milliseconds."""

from __future__ import annotations

from typing import Final, TypeAlias

from parties.channel.frames import FRAME_MARGIN, LONGEST_MESSAGE

Options: TypeAlias = list[tuple[str, int | str]]

_SERVICE: Final = "/parties.wire.v1.Node"
METHOD: Final = f"{_SERVICE}/Converse"
EXCHANGE: Final = f"{_SERVICE}/Exchange"
HAND_CLUE: Final = f"{_SERVICE}/HandClue"
TAKEN: Final = "greenlane-taken"
"""Stands in the first metadata of an exchange that will be answered, or lost."""

# gRPC refuses a longer frame before it is in memory, but hangs up without a reason. As much again
# as a message may have leaves room for us to read what is too long by mistake, and to name it.
LONGEST_FRAME: Final = 2 * LONGEST_MESSAGE + FRAME_MARGIN

# Our heartbeats show that the other program lives, if it is read. A ping shows that the other
# machine lives, even while neither end reads: two pings fit into the default patience of 30 s.
_KEEPALIVE_MS: Final = 15_000
_KEEPALIVE_TIMEOUT_MS: Final = 15_000

# A TLS handshake takes two round trips; whoever has not finished in 10 s is no node, and its
# connection is dropped so that noise cannot hold it open (gRPC's default is two minutes).
_HANDSHAKE_MS: Final = 10_000

# A connection attempt that a firewall swallows ends within the default patience.
_CONNECT_MS: Final = 10_000

_BOTH_ENDS: Final[Options] = [
    ("grpc.max_receive_message_length", LONGEST_FRAME),
    ("grpc.max_send_message_length", LONGEST_FRAME),
    ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
    # Pings go on while our flow is blocked and no data is sent, which is when they are needed.
    ("grpc.http2.max_pings_without_data", 0),
    # What is sent is random or encrypted already: it does not compress.
    ("grpc.default_compression_algorithm", 0),
]


def client_options(san: str) -> Options:
    """Returns the options of the calling end; `san` is the name that the peer's leaf must carry."""
    return [
        *_BOTH_ENDS,
        ("grpc.ssl_target_name_override", san),
        # A dialogue cannot be replayed: it has fresh secrets in it.
        ("grpc.enable_retries", 0),
        # The settings name the peer's address. Neither the environment (http_proxy) nor the domain
        # name system (TXT records) shall say anything else.
        ("grpc.enable_http_proxy", 0),
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.min_reconnect_backoff_ms", _CONNECT_MS),
    ]


def server_options(max_calls: int) -> Options:
    """Returns the options of the answering end, which carries at most `max_calls` at once."""
    return [
        *_BOTH_ENDS,
        # With it a second node on the same port would get half of the calls instead of an error.
        ("grpc.so_reuseport", 0),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
        # Half of our own interval, so that pings of peers with a clock a little fast are welcome.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", _KEEPALIVE_MS // 2),
        # One connection carries one call of ours, and a few of a health check.
        ("grpc.max_concurrent_streams", max_calls + SPARE_CALLS),
    ]


# Room beside the dialogues: to answer health checks and reflection, and to say "busy".
SPARE_CALLS: Final = 4
