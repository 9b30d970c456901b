"""The calling end: carries a dialogue to a peer and back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final, Self, TypeVar, cast

import grpc

from parties.channel import codes
from parties.channel.address import split
from parties.channel.drive import carry, exchange
from parties.channel.ended import DONE
from parties.channel.flights import read_flight, write_flight
from parties.channel.frames import LONGEST_MESSAGE, session_is_well_formed
from parties.channel.line import Carried, Line
from parties.channel.options import EXCHANGE, HAND_CLUE, METHOD, TAKEN, client_options
from parties.channel.pinning import Pin, read_pin
from parties.channel.probe import explain, learn_leaf
from parties.credentials import Identity, read_credentials
from parties.errors import CertificateError, PartyError, PeerLost, PeerUnreachable, SettingsError
from parties.kept import Stamp, stamp_of
from parties.logs import Log
from parties.settings import PeerSettings
from psi.dialogue import Dialogue
from psi.errors import (
    ApiMisuse,
    BoundExceeded,
    PeerIncompatible,
    PsiError,
    UnexpectedMessage,
)

T = TypeVar("T")

_log = Log()

# How long we wait for the peer to take note that we give up: one round trip around the world and
# some computing. Ctrl-C must not hang.
_FAREWELL_SECONDS: Final = 2.0


class Peer:
    """Another node, to be called. One call at a time.

    As a context manager it stays connected between calls, until the block ends.

    Args:
        identity: our certificate and key, which the peer must have pinned.
        settings: where the peer is, and the pin of its certificate.
        patience: seconds without a sign of life after which the peer is lost. Below 15 s, set the
            same on both nodes, since a node's heartbeats come at a third of its own patience.
    """

    def __init__(
        self, identity: Identity, settings: PeerSettings, *, patience: float = 30.0
    ) -> None:
        self._identity = identity
        self._settings = settings
        self._patience = patience
        self._carried = Carried()
        self._stays = False
        self._connected: tuple[Stamp, Pin, grpc.Channel] | None = None

    def __enter__(self) -> Self:
        self._stays = True
        return self

    def __exit__(self, *_: object) -> None:
        self._stays = False
        self._disconnect()

    @property
    def carried(self) -> Carried:
        """What the last call carried, whether it succeeded or not."""
        return self._carried

    def call(self, dialogue: Dialogue[T], session: str) -> T:
        """Runs a dialogue with the peer, in the calling thread, and returns its result.

        Certificates are looked at for each call, and read anew when their files have changed.

        Args:
            dialogue: our side; the peer chooses its own by the session and its settings.
            session: 32 hexadecimal digits in lower case, chosen at random; not secret.

        Raises:
            CertificateError: a certificate, ours or theirs, is not accepted, and by whom.
            SettingsError: the peer's pin or address is not one.
            PeerUnreachable: nobody answers at the peer's address, or it takes no call now.
            PeerLost: the connection broke before both dialogues were over.
            PeerRefused: the peer ended the run, with its word for it.
            PsiError: what the dialogue raised, or the peer's frames are not what they must be.
        """
        line = Line(self._patience)

        def carried() -> T:
            try:
                return self._call(dialogue, session, line)
            finally:
                self._carried = line.carried

        return self._logged(dialogue, session, carried)

    def exchange(self, dialogue: Dialogue[T], session: str) -> T:
        """As `call`, for a dialogue that says all before it hears anything: one flight each way.

        Nothing is heard of the peer before its answer is there, which must be within the patience.

        Args:
            dialogue: our side.
            session: as of `call`.

        Raises:
            ApiMisuse: the dialogue says something after it has heard, or too much for a flight.
            PartyError, PsiError: as of `call`.
        """
        return self._logged(dialogue, session, lambda: self._exchange(dialogue, session, EXCHANGE))

    def hand_clue(self, dialogue: Dialogue[T], session: str) -> T:
        """As `exchange`, for a dialogue that hands over a letter about a clue."""
        return self._logged(dialogue, session, lambda: self._exchange(dialogue, session, HAND_CLUE))

    def _logged(self, dialogue: Dialogue[T], session: str, carry_out: Callable[[], T]) -> T:
        """Carries out a call of this session, and logs when it began and how it ended."""
        if not session_is_well_formed(session):
            raise ApiMisuse("a session is 32 hexadecimal digits in lower case")
        name, began = self._settings.name, monotonic()
        log = _log.bind(peer=name, session=session)
        self._carried = Carried()
        code = DONE
        log.info("call_began", end="calling")
        try:
            result = carry_out()
        except BaseException as error:
            code = codes.status_and_code(error)[1]
            raise
        finally:
            dialogue.close()  # if it never started, nobody else has
            log.info(
                "call_ended",
                end="calling",
                code=code,
                said_bytes=self._carried.said_bytes,
                heard_bytes=self._carried.heard_bytes,
                seconds=round(monotonic() - began, 3),
            )
        return result

    def _call(self, dialogue: Dialogue[T], session: str, line: Line) -> T:
        pin, channel = self._connect()
        line.open(session)
        address = self._settings.address
        try:
            return _converse(channel, dialogue, line)
        except grpc.RpcError as error:
            # What gRPC raises from a call carries its status.
            raise self._error(cast("grpc.Call", error), pin, opened=line.opened) from None
        except PeerLost:
            if line.opened:
                raise
            raise explain(address, pin, self._identity) from None
        finally:
            if not self._stays:
                self._disconnect()

    def _exchange(self, dialogue: Dialogue[T], session: str, method: str) -> T:
        pin, channel = self._connect()
        # Without serialisers gRPC takes and hands over flights as bytes.
        there: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)

        def carry_there(said: list[bytes]) -> tuple[bytes, ...]:
            raw = write_flight(session, said)
            self._carried = Carried(sum(map(len, said)))
            theirs = read_flight(there(raw, timeout=self._patience))
            self._carried = Carried(self._carried.said_bytes, theirs.size)
            if theirs.session != session:
                raise UnexpectedMessage("the peer opened another session than ours")
            return theirs.said

        try:
            return exchange(dialogue, carry_there)
        except grpc.RpcError as error:
            ended = cast("grpc.Call", error)
            taken = any(key == TAKEN for key, _ in ended.initial_metadata() or ())
            raise self._error(ended, pin, opened=taken) from None
        finally:
            if not self._stays:
                self._disconnect()

    def _connect(self) -> tuple[Pin, grpc.Channel]:
        """Returns the pin, and a channel that trusts it and shows our credentials."""
        own, peer = self._identity, self._settings
        stamp = stamp_of(own.certificate, own.key, peer.ca, peer.certificate)
        if self._connected is not None:
            if self._connected[0] == stamp:
                return self._connected[1:]
            self._disconnect()  # files have been renewed
        credentials, pin = read_credentials(own), self._pin()
        tls = grpc.ssl_channel_credentials(
            pin.anchors_pem, credentials.key_pem, credentials.chain_pem
        )
        channel = grpc.secure_channel(peer.address, tls, client_options(pin.san))
        self._connected = stamp, pin, channel
        return pin, channel

    def _disconnect(self) -> None:
        if self._connected is not None:
            self._connected[2].close()
            self._connected = None

    def _pin(self) -> Pin:
        try:
            split(self._settings.address)
        except ValueError as error:
            entry = f"peers.{self._settings.name}.address"
            raise SettingsError(f"{entry} must be host:port, with a port below 65536") from error
        pin = read_pin(self._settings)
        if pin.why_unusable:
            raise CertificateError(pin.why_unusable)
        return pin if pin.anchors else learn_leaf(self._settings.address, pin)

    def _error(self, ended: grpc.Call, pin: Pin, *, opened: bool) -> PartyError | PsiError:
        """Returns our error for the status with which the call ended.

        gRPC's own text is not repeated: some of it comes from the peer.
        """
        peer = self._settings.name
        for key, value in ended.trailing_metadata() or ():
            if key == codes.METADATA_KEY and isinstance(value, str):
                return codes.error_for(value, peer, opened=opened)
        match ended.code():
            case grpc.StatusCode.PERMISSION_DENIED:
                return CertificateError(
                    f"{peer} trusts the issuer of {self._identity.certificate} but has pinned it "
                    "for nobody: ask them to compare the name that they have pinned with ours"
                )
            case grpc.StatusCode.UNIMPLEMENTED:
                return PeerIncompatible(
                    f"what answers at {self._settings.address} is no node of this release"
                )
            case grpc.StatusCode.RESOURCE_EXHAUSTED if opened:
                # We never send such a frame, and gRPC cuts off one that comes before we see it.
                return BoundExceeded(f"{peer} sent a message longer than {LONGEST_MESSAGE} bytes")
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                return PeerUnreachable(f"{peer} carries as many calls as it may: try again later")
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return PeerLost(f"the peer gave no answer for {self._patience:g} s")
            case _ if opened:
                return PeerLost(
                    f"the connection to {peer} broke before the dialogue was over; nothing was "
                    "learnt, the run may be tried again"
                )
            case _:
                return explain(self._settings.address, pin, self._identity)


def _converse(channel: grpc.Channel, dialogue: Dialogue[T], line: Line) -> T:
    """Runs the dialogue over one call of the channel.

    Raises:
        grpc.RpcError: the call ended with another status than OK.
    """
    # Without serialisers gRPC takes and hands over frames as bytes.
    converse: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(METHOD)
    call = converse(line.outgoing())
    pump = threading.Thread(target=_pump, args=(call, line), name="channel-pump", daemon=True)
    pump.start()
    try:
        result = carry(dialogue, line)
        line.settle()
        return result
    except BaseException as error:
        if line.broken is None:
            line.fault(codes.status_and_code(error)[1])
            pump.join(_FAREWELL_SECONDS)
        raise
    finally:
        line.break_off(PeerLost("the call is over"))  # frees the pump, if it waits for us
        call.cancel()
        pump.join()


def _pump(call: Iterator[bytes], line: Line) -> None:
    try:
        for raw in call:
            line.take(raw)
        line.close()
    except Exception as error:
        # Frames that are not what they must be, or the status with which gRPC ended the call. All
        # of it is met by the dialogue at its next step.
        line.break_off(error)
