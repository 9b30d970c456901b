"""Prometheus metrics, counted from the log, so that both always say the same.

    greenlane_calls_total{end,peer,code}       calls that ended, by what became of them
    greenlane_said_bytes_total{end,peer}       bytes of messages sent
    greenlane_heard_bytes_total{end,peer}      bytes of messages received
    greenlane_call_seconds{end,peer}           how long calls took
    greenlane_jobs_total{peer,way}             jobs that were done

Labels are names from the settings and code words; nothing depends on data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import Counter, Histogram, start_http_server

from parties.errors import LocalFault

_CALLS = Counter("greenlane_calls", "Calls that ended", ["end", "peer", "code"])
_SAID = Counter("greenlane_said_bytes", "Bytes of messages sent", ["end", "peer"])
_HEARD = Counter("greenlane_heard_bytes", "Bytes of messages received", ["end", "peer"])
_SECONDS = Histogram(
    "greenlane_call_seconds",
    "How long calls took",
    ["end", "peer"],
    buckets=(0.1, 1, 10, 60, 600, 3600, 6 * 3600),
)
_JOBS = Counter("greenlane_jobs", "Jobs that were done", ["peer", "way"])


def serve(address: str) -> None:
    """Opens the metrics page; without TLS, so keep it on a host or network of your own.

    Raises:
        LocalFault: the port is taken or may not be used.
    """
    host, _, port = address.rpartition(":")
    try:
        start_http_server(int(port), host.strip("[]"))
    except OSError as fault:
        raise LocalFault(
            f"cannot serve metrics at {address}: {fault.strerror}; "
            "choose another port in node.metrics"
        ) from None


def count(event: Mapping[str, Any]) -> None:
    """Counts an event on its way to the log."""
    match event.get("event"):
        case "call_ended":
            end, peer = event["end"], event["peer"]
            _CALLS.labels(end, peer, event["code"]).inc()
            _SAID.labels(end, peer).inc(event["said_bytes"])
            _HEARD.labels(end, peer).inc(event["heard_bytes"])
            _SECONDS.labels(end, peer).observe(event["seconds"])
        case "job_done":
            _JOBS.labels(event.get("peer", ""), event["way"]).inc()
