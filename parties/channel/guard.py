"""The guard of the standard methods: who asks is known first, and few are heard, for a short time.

gRPC's own handlers wait for the message of a call before anybody has looked at the caller, and for
as long as it likes; and those who ask how we are must never take the threads of those who call us.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import grpc

from parties.channel.options import SPARE_CALLS
from parties.channel.single import only
from parties.errors import PeerLost
from psi.errors import PsiError

Recognise: TypeAlias = Callable[[grpc.ServicerContext], str]
"""Returns the caller's name, or ends the call with PERMISSION_DENIED."""

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

PLACES: Final = SPARE_CALLS // 2
"""Standard calls that hold a thread at once; the other spare ones are left to say "busy"."""

# A health check or a description is one round trip; ten of them around the world.
_QUICK_SECONDS: Final = 5.0


class Guard:
    """Stands before the handlers of standard methods.

    Args:
        recognise: returns the caller's name, or ends the call.
        patience: seconds, if it is shorter than what a standard call may take anyway.
    """

    def __init__(self, recognise: Recognise, patience: float) -> None:
        self._recognise = recognise
        self._patience = min(patience, _QUICK_SECONDS)
        self._places = threading.BoundedSemaphore(PLACES)

    def before(self, handler: _Handler) -> _Handler:
        """Returns a handler of the same method that lets through whom it may."""
        coders = handler.request_deserializer, handler.response_serializer
        if handler.unary_unary is not None:
            return grpc.stream_unary_rpc_method_handler(
                self._before_reply(handler.unary_unary), *coders
            )
        if handler.unary_stream is not None:
            return grpc.stream_stream_rpc_method_handler(
                self._before_watch(handler.unary_stream), *coders
            )
        return grpc.stream_stream_rpc_method_handler(
            self._before_talk(handler.stream_stream), *coders
        )

    def _before_reply(self, reply: Any) -> Callable[..., Any]:
        def guarded(arriving: Iterator[Any], context: grpc.ServicerContext) -> Any:
            with self._place(context):
                return reply(self._request(arriving, context), context)

        return guarded

    def _before_watch(self, watch: Any) -> Callable[..., Any]:
        # It goes on without a thread: what there is to say is sent from where it is learnt.
        def guarded(
            arriving: Iterator[Any], context: grpc.ServicerContext, send: Callable[[Any], None]
        ) -> Any:
            with self._place(context):
                return watch(self._request(arriving, context), context, send)

        guarded.experimental_non_blocking = True  # type: ignore[attr-defined]  # gRPC's word
        return guarded

    def _before_talk(self, talk: Any) -> Callable[..., Any]:
        def guarded(arriving: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
            with self._place(context):
                late = threading.Timer(self._patience, context.cancel)
                late.daemon = True
                late.start()
                try:
                    yield from talk(arriving, context)
                finally:
                    late.cancel()

        return guarded

    @contextmanager
    def _place(self, context: grpc.ServicerContext) -> Iterator[None]:
        """Recognises the caller and gives it a place, or ends the call."""
        self._recognise(context)
        if not self._places.acquire(blocking=False):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "")
        try:
            yield
        finally:
            self._places.release()

    def _request(self, arriving: Iterator[Any], context: grpc.ServicerContext) -> Any:
        try:
            return only(arriving, context.cancel, self._patience)
        except (PsiError, PeerLost):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "")
