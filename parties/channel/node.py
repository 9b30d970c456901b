"""The answering end: listens, recognises its peers and runs its side of what they ask for."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, NoReturn, cast

import grpc
from cryptography import x509

from parties.channel import codes
from parties.channel.address import split
from parties.channel.admission import Admission
from parties.channel.answering import Answer, Answering
from parties.channel.ended import Ended
from parties.channel.options import (
    EXCHANGE,
    HAND_CLUE,
    METHOD,
    SPARE_CALLS,
    TAKEN,
    server_options,
)
from parties.channel.replying import Replying
from parties.channel.standard import StandardServices
from parties.channel.threads import DialogueThreads
from parties.channel.trust import Trust
from parties.credentials import Identity, fingerprint
from parties.errors import LocalFault, PeerLost, SettingsError
from parties.logs import Log
from parties.settings import PeerSettings

_log = Log()

# Time for what was broken off to send its status; a round trip around the world is a third of it.
_FAREWELL_SECONDS: Final = 1.0

# How often a peer is asked for the certificate of which we know only the fingerprint.
_LEARN_AGAIN_SECONDS: Final = 30.0


class Node:
    """Listens for peers, over mutual TLS only.

    Args:
        listen: host:port; port 0 takes a free one.
        identity: our certificate and key.
        peers: who may call, each with the pin of its certificate.
        answer: makes our side of a dialogue; may refuse by raising.
        at_once: as `answer`, for callers that say all at once, by `Peer.exchange`; they are not
            answered if it is None.
        handed: as `answer`, for callers that hand over a letter, by `Peer.hand_clue`; likewise.
        patience: seconds without a sign of life after which a caller is lost.
        most_calls: how many dialogues at once. Each holds a set and up to 16 MiB of messages.
        on_end: told what became of each call, in the call's thread.

    Raises:
        CertificateError: a certificate file is not sound. Names the file.
        SettingsError: a peer's pin is not one.
    """

    def __init__(
        self,
        listen: str,
        identity: Identity,
        peers: Sequence[PeerSettings],
        answer: Answer,
        *,
        at_once: Answer | None = None,
        handed: Answer | None = None,
        patience: float = 30.0,
        most_calls: int = 4,
        on_end: Callable[[Ended], None] | None = None,
    ) -> None:
        self._listen = listen
        self._answer = answer
        self._flights = {EXCHANGE: at_once, HAND_CLUE: handed}
        self._patience = patience
        self._on_end = on_end
        self._trust = Trust(identity, peers)
        self._admission = Admission(most_calls)
        self._threads = DialogueThreads()
        self._most_rpcs = most_calls + SPARE_CALLS
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        self._server: grpc.Server | None = None
        self._standard = StandardServices(self._recognise, patience)

    def start(self) -> int:
        """Begins to listen and returns the port.

        Raises:
            SettingsError: `listen` is not host:port.
            LocalFault: the port is taken or may not be used.
        """
        try:
            split(self._listen)
        except ValueError as error:
            raise SettingsError("node.listen must be host:port, with a port below 65536") from error
        server = grpc.server(
            # A call holds one thread of the pool as long as it lasts.
            ThreadPoolExecutor(self._most_rpcs, thread_name_prefix="channel-call"),
            handlers=[self._handlers(), self._standard],
            options=server_options(self._most_rpcs),
            maximum_concurrent_rpcs=self._most_rpcs,
        )
        try:
            port = server.add_secure_port(self._listen, self._trust.server_credentials())
        except RuntimeError as error:
            raise LocalFault(_why_not_listen(self._listen)) from error
        server.start()
        self._server = server
        threading.Thread(target=self._learn, name="channel-learn", daemon=True).start()
        _log.info("node_listens", port=port)
        return port

    def stop(self, grace: float) -> None:
        """Takes no more calls, lets those that run finish, and stops listening.

        New callers are refused with a code that says so, as long as others still run.

        Args:
            grace: seconds after which calls that still run are broken off; the peer is told.
        """
        self._stopping.set()
        if self._server is not None:
            self._admission.close()  # first: who hears that we do not serve is not served
            self._standard.stop()
            self._admission.stop(grace)
            self._threads.end()
            self._server.stop(_FAREWELL_SECONDS).wait()
        self._stopped.set()
        _log.info("node_stopped")

    def wait(self) -> None:
        """Returns when the node has been stopped."""
        self._stopped.wait()

    def _handlers(self) -> grpc.GenericRpcHandler:
        # Without serialisers gRPC takes and hands over frames as bytes.
        converse: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(
            self._converse
        )
        _, service, method = METHOD.split("/")
        methods = {method: converse}
        for path, answer in self._flights.items():
            if answer is not None:
                # Of one message, but taken by us: see `single`.
                methods[path.split("/")[-1]] = grpc.stream_unary_rpc_method_handler(
                    partial(self._exchange, answer)
                )
        return grpc.method_handlers_generic_handler(service, methods)

    def _converse(
        self, arriving: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        peer = self._recognise(context)
        call = Answering(peer, self._answer, self._admission, self._threads, self._patience)
        failure: BaseException | None = None
        try:
            yield from call.frames(arriving)
        except GeneratorExit:
            failure = PeerLost("the caller hung up before the dialogue was over")
            raise
        except BaseException as error:
            failure = error
        finally:
            self._end(call.ended(failure))
        if failure is not None:
            _abort(context, failure)

    def _exchange(
        self, answer: Answer, arriving: Iterator[bytes], context: grpc.ServicerContext
    ) -> bytes:
        peer = self._recognise(context)
        call = Replying(peer, answer, self._admission, self._threads, self._patience)
        context.add_callback(call.hung_up)
        taken = partial(context.send_initial_metadata, ((TAKEN, "1"),))
        try:
            ours = call.reply(arriving, context.cancel, taken)
        except BaseException as error:
            self._end(call.ended(error))
            _abort(context, error)
        self._end(call.ended(None))
        return ours

    def _end(self, ended: Ended) -> None:
        if self._on_end is not None:
            self._on_end(ended)

    def _recognise(self, context: grpc.ServicerContext) -> str:
        """Returns the caller's name, or ends the call with PERMISSION_DENIED and no word."""
        # The stubs are wrong about the values.
        identity = cast("Mapping[str, Sequence[bytes]]", context.auth_context())
        pem = next(iter(identity.get("x509_pem_cert", ())), None)
        version = next(iter(identity.get("ssl_tls_version", ())), None)
        # Both ends of a Greenlane call speak TLS 1.3. gRPC for Python has no switch for that.
        shown = None
        if pem is not None and version == b"TLSv1.3":
            try:
                certificate = x509.load_pem_x509_certificate(pem)
                shown = fingerprint(certificate)
                peer = self._trust.peer_of(certificate)
            except Exception:  # a stranger's certificate may be wrong in any way
                peer = None
            if peer is not None:
                return peer
        _log.warning("caller_not_recognised", certificate=shown)
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "")

    def _learn(self) -> None:
        while not self._stopping.is_set() and not self._trust.learn():
            self._stopping.wait(_LEARN_AGAIN_SECONDS)


def _abort(context: grpc.ServicerContext, error: BaseException) -> NoReturn:
    """Ends a call with the word for an error."""
    status, code = codes.status_and_code(error)
    context.set_trailing_metadata(((codes.METADATA_KEY, code),))
    context.abort(status, "")


def _why_not_listen(listen: str) -> str:
    """Returns what the operating system says about an address that gRPC could not take."""
    where = f"cannot listen at {listen}"
    try:
        with socket.create_server(split(listen)):
            return f"{where}: it was taken a moment ago; try again"
    except socket.gaierror:
        reason = "nobody knows this host name"
    except OSError as error:
        reason = os.strerror(error.errno or 0)
    return f"{where}: {reason}; choose another address or port in node.listen"
