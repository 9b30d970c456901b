"""Curve25519: the kernels and the reference say what the RFCs say, and the same as each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import curve25519 as reference

from psi import _core

VECTORS = Path(__file__).parents[1] / "vectors"
RFC7748 = json.loads((VECTORS / "rfc7748.json").read_text())
RFC9380 = json.loads((VECTORS / "rfc9380_curve25519_nu.json").read_text())
DST = RFC9380["dst"].encode()

X25519 = [pytest.param(_core.x25519, id="kernel"), pytest.param(reference.x25519, id="reference")]
P = reference.P

# All u of points whose order divides 8, on the curve or its twist, in their smallest form: 0 (order
# 2), 1 and -1 (order 4), and the two of order 8 on the curve (the list of RFC 7748's author,
# https://cr.yp.to/ecdh.html, "How do I validate Curve25519 public keys?").
LOW_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    P - 1,
]
SCALARS = [
    bytes(32),
    b"\xff" * 32,
    b"\7" + bytes(31),
    b"\xf8" + b"\xff" * 30 + b"\x7f",
    bytes(31) + b"\x40",
]


def little(number: int) -> bytes:
    return number.to_bytes(32, "little")


@pytest.mark.parametrize("x25519", X25519)
def test_x25519_is_that_of_rfc_7748(x25519):
    for vector in RFC7748["x25519"]:
        scalar, u = bytes.fromhex(vector["scalar"]), bytes.fromhex(vector["u"])
        assert x25519(scalar, u).hex() == vector["output"]
    keys = {name: bytes.fromhex(value) for name, value in RFC7748["diffie_hellman"].items()}
    assert x25519(keys["alice_secret"], little(9)) == keys["alice_public"]
    assert x25519(keys["bob_secret"], little(9)) == keys["bob_public"]
    assert x25519(keys["alice_secret"], keys["bob_public"]) == keys["shared"]
    assert x25519(keys["bob_secret"], keys["alice_public"]) == keys["shared"]


@pytest.mark.parametrize("x25519", X25519)
def test_a_thousand_iterations_are_those_of_rfc_7748(x25519):
    vector = RFC7748["iterated"]
    k = u = bytes.fromhex(vector["start"])
    for step in range(1, 1001):
        k, u = x25519(k, u), k
        if step == 1:
            assert k.hex() == vector["after_1"]
    assert k.hex() == vector["after_1000"]


@pytest.mark.parametrize("vector", RFC9380["vectors"], ids=lambda v: v["message"][:8] or "empty")
def test_hashing_to_the_curve_is_that_of_rfc_9380(vector):
    message = vector["message"].encode()
    mapped, cleared = int(vector["mapped_u"], 16), int(vector["point_u"], 16)
    assert reference.hash_to_field(message, DST) == int(vector["field"], 16)
    assert reference.map_to_curve(message, DST) == mapped
    assert reference.multiply(8, mapped) == cleared
    assert _core.map_to_curve25519(message, DST) == little(mapped)
    # The kernels clear the cofactor by a scalar 8 k, never by itself.
    for scalar in SCALARS:
        expected = reference.multiply(reference.clamp(scalar) // 8, cleared)
        assert _core.x25519(scalar, little(mapped)) == little(expected)


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda s: s[:1].hex() + s[31:].hex())
@pytest.mark.parametrize(
    "u",
    [0, 1, 2, 9, P - 2, P - 1, P, P + 1, P + 18, 2**255 - 1, 2**255, 2**256 - 1, *LOW_ORDER[2:4]],
)
def test_kernel_and_reference_agree_at_the_edges(scalar, u):
    assert _core.x25519(scalar, little(u)) == reference.x25519(scalar, little(u))


def test_low_order_points_go_to_zero_and_no_other_small_number_does():
    for scalar in SCALARS:
        for u in LOW_ORDER:
            assert _core.x25519(scalar, little(u)) == bytes(32)
        for u in range(2, 20):
            assert _core.x25519(scalar, little(u)) != bytes(32)


def test_points_of_the_twist_stay_on_the_twist():
    """They are multiplied like others: the twist has a subgroup of nearly 2^253 points, too."""
    on, off = [], []
    for u in range(2, 30):
        product = int.from_bytes(_core.x25519(SCALARS[1], little(u)), "little")
        (on if reference.on_curve(u) else off).append(u)
        assert reference.on_curve(product) == reference.on_curve(u)
        assert product == reference.multiply(reference.clamp(SCALARS[1]), u)
    assert len(on) > 5
    assert len(off) > 5


@settings(max_examples=150, deadline=None, print_blob=True)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_kernel_and_reference_agree_on_random_scalars_and_points(scalar, u):
    assert _core.x25519(scalar, u) == reference.x25519(scalar, u)


@settings(max_examples=100, deadline=None, print_blob=True)
@given(st.binary(max_size=300), st.binary(max_size=255))
def test_kernel_and_reference_hash_alike_and_to_the_curve(message, dst):
    mapped = reference.map_to_curve(message, dst)
    assert reference.on_curve(mapped)
    assert _core.map_to_curve25519(message, dst) == little(mapped)


@pytest.mark.parametrize("length", [0, 1, 79, 80, 127, 128, 129, 255])
def test_messages_and_tags_around_a_block_hash_alike(length):
    for message, dst in ((bytes(length), b"d"), (b"m", bytes(length)), (bytes(length),) * 2):
        expected = little(reference.map_to_curve(message, dst))
        assert _core.map_to_curve25519(message, dst) == expected


def test_the_map_takes_its_edges():
    """r = 0 gives -A itself or its partner 0; the denominator 1 + 2 r^2 has no zero."""
    assert reference.elligator2(0) == 0
    assert not reference.is_square(-reference.inverse(2))
    for r in (1, 2, P - 1, P - 2, (P - 1) // 2):
        u = reference.elligator2(r)
        assert reference.on_curve(u)
        assert u == reference.elligator2(P - r)


def test_wrong_shapes_are_value_errors():
    for scalar, u in ((bytes(31), bytes(32)), (bytes(32), bytes(33)), (b"", b"")):
        with pytest.raises(ValueError):  # noqa: PT011 - the text is that of the binding
            _core.x25519(scalar, u)
    with pytest.raises(ValueError, match="dst"):
        _core.map_to_curve25519(b"", bytes(256))
