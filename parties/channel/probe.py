"""Probes: a bounded look at a peer's port with Python's own TLS, outside of gRPC.

gRPC says UNAVAILABLE for everything that goes wrong before a call. After such a failure, and only
then, `explain` looks again, step by step, and says in one sentence which end must do what. A peer
that is pinned by a bare fingerprint is looked at before the call, to learn the certificate itself.

No certificate of ours is shown before the peer's has been checked.
"""

from __future__ import annotations

import socket
from typing import Final

from cryptography import x509

from parties.channel.address import split
from parties.channel.pinning import Pin
from parties.credentials import Identity
from parties.errors import CertificateError, PartyError, PeerUnreachable
from psi.lazily import unread

with unread("ssl"):  # most processes never have to look
    import ssl

# For each of: to connect, to shake hands, to read. A round trip around the world takes 0.3 s and a
# TLS handshake over TCP three of them; packets may be lost.
_SECONDS: Final = 5.0


def fetch_leaf(address: str, pin: Pin) -> x509.Certificate:
    """Returns the certificate that the peer shows, which nothing has checked yet.

    Raises:
        PeerUnreachable: nobody listens, or not with TLS 1.3.
    """
    with _connect(address, pin) as connection:
        context = _context()
        context.verify_mode = ssl.CERT_NONE  # whoever calls this compares it with the pin
        try:
            with _wrapped(context, connection, pin.san) as line:
                leaf = line.getpeercert(binary_form=True)
        except OSError as error:  # of which ssl.SSLError is one
            raise PeerUnreachable(
                f"what listens at {address} does not speak TLS 1.3: is it {pin.peer}'s port?"
            ) from error
    if leaf is None:
        raise PeerUnreachable(f"{pin.peer} at {address} shows no certificate")
    try:
        return x509.load_der_x509_certificate(leaf)
    except Exception:  # what a stranger shows may be wrong in any way; the library names many
        raise CertificateError(
            f"what {pin.peer} at {address} shows as its certificate is none"
        ) from None


def learn_leaf(address: str, pin: Pin) -> Pin:
    """Returns the pin with the certificate itself, for a peer that is pinned by its fingerprint.

    Raises:
        PeerUnreachable: nobody listens, or not with TLS 1.3.
        CertificateError: the peer shows another certificate, or it is not valid.
    """
    leaf = fetch_leaf(address, pin)
    _check(leaf, pin, address)
    return pin.with_leaf(leaf)


def explain(address: str, pin: Pin, identity: Identity) -> PartyError:
    """Returns what keeps us from calling a peer.

    Returns:
        PeerUnreachable: nobody listens, or not with TLS 1.3, or the peer takes no call now.
        CertificateError: the peer's certificate, or ours, is not accepted.
    """
    try:
        _check(fetch_leaf(address, pin), pin, address)
        with _connect(address, pin) as connection:
            return _show_ourselves(connection, address, pin, identity)
    except PartyError as error:
        return error


def _show_ourselves(
    connection: socket.socket, address: str, pin: Pin, identity: Identity
) -> PartyError:
    refused = CertificateError(
        f"{pin.peer} does not accept our certificate, {identity.certificate}: ask them to pin it "
        "or its authority, and to look whether what they have pinned has expired"
    )
    context = _context()
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a pinned leaf is its own root
    context.load_verify_locations(cadata=pin.anchors_pem.decode("ascii"))
    context.load_cert_chain(identity.certificate, identity.key)
    try:
        with _wrapped(context, connection, pin.san) as line:
            # In TLS 1.3 our handshake ends before the peer has judged our certificate. If it is
            # content, its first HTTP/2 settings arrive unasked; if not, it hangs up.
            if not line.recv(1):
                return refused
    except ssl.SSLCertVerificationError as error:
        return CertificateError(
            f"the certificate of {pin.peer} at {address} is not accepted: {error.verify_message}"
        )
    except TimeoutError:
        pass
    except OSError:
        return refused
    return PeerUnreachable(f"{pin.peer} at {address} is there but takes no call: try again later")


def _check(leaf: x509.Certificate, pin: Pin, address: str) -> None:
    try:
        why = pin.why_not(leaf)
    except Exception:  # extensions of a stranger's certificate may be wrong in any way
        why = "cannot be understood"
    if why:
        raise CertificateError(
            f"the certificate of {pin.peer} at {address} {why}: ask {pin.peer} for what to pin, or "
            "to renew it; until that is clear, this may be somebody else"
        )


def _connect(address: str, pin: Pin) -> socket.socket:
    at = f"{pin.peer} at {address}"
    try:
        return socket.create_connection(split(address), _SECONDS)
    except socket.gaierror as error:
        raise PeerUnreachable(f"{at}: nobody knows this host name; correct it") from error
    except ConnectionRefusedError as error:
        raise PeerUnreachable(f"{at}: nobody listens there; is the node started?") from error
    except TimeoutError as error:
        raise PeerUnreachable(f"{at}: no answer; does a firewall let us through?") from error
    except OSError as error:
        raise PeerUnreachable(f"{at} cannot be reached: {error.strerror}") from error


def _wrapped(context: ssl.SSLContext, connection: socket.socket, name: str) -> ssl.SSLSocket:
    # Of one that the other end has reset already Python would leave the socket open.
    connection.getpeername()
    return context.wrap_socket(connection, server_hostname=name)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the pin compares the name, which need not be the host's
    context.set_alpn_protocols(["h2"])
    return context
