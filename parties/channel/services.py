"""The standard services beside ours, health and reflection, for pinned peers only.

TLS already keeps out whoever has no certificate that leads to a root of some peer. These refuse
whoever has one and is nevertheless no peer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from parties.wire.v1 import node_pb2

NODE: Final[str] = node_pb2.DESCRIPTOR.services_by_name["Node"].full_name

Recognise: TypeAlias = Callable[[grpc.ServicerContext], str]
"""Returns the caller's name, or ends the call with PERMISSION_DENIED."""


class Health(health.HealthServicer):  # type: ignore[misc]  # it has no stubs
    """Says whether the node takes calls (grpc.health.v1)."""

    def __init__(self, recognise: Recognise) -> None:
        super().__init__()
        self._recognise = recognise
        self.set(NODE, health_pb2.HealthCheckResponse.SERVING)

    def Check(  # noqa: D102, the name and the words are gRPC's
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        self._recognise(context)
        return super().Check(request, context)

    def Watch(  # noqa: D102
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.ServicerContext,
        send_response_callback: Any = None,
    ) -> Any:
        self._recognise(context)
        return super().Watch(request, context, send_response_callback)


class Reflection(reflection.ReflectionServicer):  # type: ignore[misc]  # it has no stubs
    """Describes the services to those who may call them (grpc.reflection.v1alpha)."""

    def __init__(self, recognise: Recognise) -> None:
        super().__init__([NODE, health.SERVICE_NAME, reflection.SERVICE_NAME])
        self._recognise = recognise

    def ServerReflectionInfo(  # noqa: D102
        self,
        request_iterator: Iterator[reflection_pb2.ServerReflectionRequest],
        context: grpc.ServicerContext,
    ) -> Iterator[reflection_pb2.ServerReflectionResponse]:
        self._recognise(context)
        yield from super().ServerReflectionInfo(request_iterator, context)


def add_services(server: grpc.Server, recognise: Recognise) -> Health:
    """Adds both services to a server; returns the one that says when it stops."""
    healthy = Health(recognise)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(Reflection(recognise), server)
    return healthy
