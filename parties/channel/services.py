"""The standard services beside ours, health and reflection; `guard` stands before them."""

from __future__ import annotations

from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from parties.wire.v1 import node_pb2

NODE: Final[str] = node_pb2.DESCRIPTOR.services_by_name["Node"].full_name


class Health(health.HealthServicer):  # type: ignore[misc]  # it has no stubs
    """Says whether the node takes calls (grpc.health.v1)."""

    def __init__(self) -> None:
        super().__init__()
        self.set(NODE, health_pb2.HealthCheckResponse.SERVING)


def add_services(server: grpc.Server) -> Health:
    """Adds both services to a server; returns the one that says when it stops."""
    healthy = Health()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    described = reflection.ReflectionServicer([NODE, health.SERVICE_NAME, reflection.SERVICE_NAME])
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(described, server)
    return healthy
