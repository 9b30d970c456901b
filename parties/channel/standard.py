"""The standard services of a node, brought in when somebody asks for one of them.

Most nodes are asked for no health and no description, and would wait for their libraries each time
they start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import grpc

from parties.channel.guard import Guard, Recognise

if TYPE_CHECKING:
    from parties.channel.services import Health

PREFIX = "/grpc."
"""How the methods of all standard services begin."""


class StandardServices(grpc.GenericRpcHandler):
    """Finds the handlers of health and reflection.

    Args:
        recognise: returns the caller's name, or ends the call.
        patience: seconds within which a caller must say what it asks.
    """

    def __init__(self, recognise: Recognise, patience: float) -> None:
        self._guard = Guard(recognise, patience)
        self._lock = threading.Lock()
        self._handlers: list[grpc.GenericRpcHandler] = []
        self._health: Health | None = None
        self._stops = False

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Returns the handler of a method; None if it is of no standard service."""
        if not details.method.startswith(PREFIX):
            return None
        with self._lock:
            if self._health is None:
                self._bring_in()
        found = (handler.service(details) for handler in self._handlers)
        handler = next((each for each in found if each is not None), None)
        return None if handler is None else self._guard.before(handler)

    def stop(self) -> None:
        """Says from now on that the node takes no more calls."""
        with self._lock:
            self._stops = True
            if self._health is not None:
                self._health.enter_graceful_shutdown()

    def _bring_in(self) -> None:
        from parties.channel.services import add_services

        # Generated code adds handlers to a server and to nothing else.
        self._health = add_services(cast("grpc.Server", _Collector(self._handlers)))
        if self._stops:
            self._health.enter_graceful_shutdown()


class _Collector:
    """Takes handlers as a server would."""

    def __init__(self, handlers: list[grpc.GenericRpcHandler]) -> None:
        self._handlers = handlers

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Keeps the handlers."""
        self._handlers.extend(handlers)

    def add_registered_method_handlers(
        self, service: str, handlers: dict[str, Callable[..., object]]
    ) -> None:
        """Keeps nothing: these are the same once more, for a table of the server."""
