"""Tokens of OpenID Connect: which are believed, and every way in which one can be wrong."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from issuer import ISSUER, Issuer, by_hand, by_public_key, keys, part, shown

from parties import canonical
from parties.errors import OperatorRefused
from parties.operators.acting import Acting
from parties.operators.papers import LONGEST
from parties.operators.tokens import acting_by_token

ROOT: Final = Path(__file__).parents[2]
SUBJECT: Final = hashlib.sha256(canonical.encode({"iss": ISSUER, "sub": "0117"})).hexdigest()


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path)


def refused(issuer: Issuer, token: str, party: Any = "police") -> str:
    """The code word of the refusal; nothing of the token is told."""
    with pytest.raises(OperatorRefused) as caught:
        acting_by_token(token, issuer.settings, party, ())
    for piece in token.split("."):
        assert len(piece) < 8 or piece not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_token_by_each_algorithm_says_who_somebody_is(issuer: Issuer, algorithm: str) -> None:
    acting = acting_by_token(issuer.token(algorithm), issuer.settings, "police", ())
    assert acting == Acting("0117", "investigator", certificate=None, subject=SUBJECT)
    assert acting.facts() == {"operator": "0117", "role": "investigator", "subject": SUBJECT}


def test_names_of_roles_stand_in_a_list_or_a_text_at_the_end_of_the_way(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path, {"claim": ("realm_access", "roles")})
    for value in (["x", "gl-auditors"], "gl-auditors"):
        token = issuer.token(roles=None, realm_access={"roles": value})
        acting = acting_by_token(token, issuer.settings, "insurer", ())
        assert acting.role == "auditor"


def test_a_person_is_named_by_the_claim_of_the_settings(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path, {"person": "staff_number"})
    token = issuer.token(sub="auth0|5f7c", staff_number="0117")
    acting = acting_by_token(token, issuer.settings, "police", ())
    assert acting.person == "0117"
    assert acting.subject != SUBJECT


NOW: Final = int(time.time())
WRONG: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "expired": ("token-expired", {"exp": NOW - 120, "iat": NOW - 400, "nbf": None}),
    "not valid yet": ("token-early", {"nbf": NOW + 3600, "exp": NOW + 7200}),
    "issued in the future": ("token-early", {"iat": NOW + 3600, "nbf": None, "exp": NOW + 7200}),
    "valid for a month": ("token-lasting", {"exp": NOW + 30 * 86400}),
    "of another issuer": ("token-issuer", {"iss": "https://id.example/realms/other"}),
    "of an issuer that begins alike": ("token-issuer", {"iss": f"{ISSUER}/x"}),
    "of an issuer in a list": ("token-issuer", {"iss": [ISSUER]}),
    "for another audience": ("token-audience", {"aud": "mail"}),
    "for an audience in other letters": ("token-audience", {"aud": "Greenlane"}),
    "for no audience": ("token-malformed", {"aud": []}),
    "for an audience that is a number": ("token-audience", {"aud": 7}),
    "for several, and asked for by nobody": ("token-client", {"aud": ["greenlane", "mail"]}),
    "asked for by another client": ("token-client", {"azp": "mail"}),
    "without an end": ("token-malformed", {"exp": None}),
    "without a beginning": ("token-malformed", {"iat": None}),
    "without an issuer": ("token-malformed", {"iss": None}),
    "without an audience": ("token-malformed", {"aud": None}),
    "without a subject": ("token-malformed", {"sub": None}),
    "with an end in words": ("token-malformed", {"exp": "tomorrow"}),
    "with an end in digits": ("token-malformed", {"exp": str(NOW + 300)}),
    "without end": ("token-malformed", {"exp": float("inf")}),
    "with an end that is no number": ("token-malformed", {"exp": float("nan")}),
    "with an end that is true": ("token-expired", {"exp": True}),
    "with a subject that is a number": ("token-malformed", {"sub": 117}),
    "bound to a key": (
        "token-kind",
        {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
    ),
    "of a person with a long name": ("token-person", {"sub": "a" * 64}),
    "of a person in capitals": ("token-person", {"sub": "ABC"}),
    "of a person with a colon": ("token-person", {"sub": "police:0117"}),
    "without a role": ("token-role", {"roles": None}),
    "with no role of ours": ("token-role", {"roles": ["investigator", "admin"]}),
    "with two roles": ("token-role", {"roles": ["gl-investigators", "gl-approvers"]}),
    "with both kinds of duty": ("token-role", {"roles": ["gl-machines", "gl-investigators"]}),
    "with a role of the other party": ("token-role", {"roles": ["gl-analysts"]}),
    "with roles in an object": ("token-role", {"roles": {"gl-investigators": True}}),
    "with roles that are numbers": ("token-role", {"roles": [1, None]}),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_token_whose_claims_are_wrong_is_refused_by_name(issuer: Issuer, case: str) -> None:
    code, changes = WRONG[case]
    assert refused(issuer, issuer.token(**changes)) == code


HEADERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "names no key of the issuer": ("token-key", {"kid": "k-other"}),
    "names a key of another algorithm": ("token-key", {"kid": "k-RS256"}),
    "names a key by a number": ("token-malformed", {"kid": 7}),
    "says that somebody has left": ("token-kind", {"typ": "logout+jwt"}),
    "says that it is something else": ("token-kind", {"typ": "dpop+jwt"}),
    "has an extension that must be known": ("token-malformed", {"crit": ["exp"], "exp": 1}),
    "is not encoded": ("token-malformed", {"b64": True, "crit": ["b64"]}),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_token_whose_header_is_wrong_is_refused_by_name(issuer: Issuer, case: str) -> None:
    code, header = HEADERS[case]
    made = {"alg": "ES256", "typ": "JWT", "kid": "k-ES256"} | header
    claims = Issuer.claims()
    signed = f"{part(made)}.{part(claims)}"
    algorithm = jwt.get_algorithm_by_name("ES256")
    signature = algorithm.sign(signed.encode(), keys()["ES256"])
    assert refused(issuer, by_hand(made, claims, signature)) == code


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
def test_id_tokens_and_access_tokens_are_taken(issuer: Issuer, kind: str | None) -> None:
    token = issuer.token(header={"typ": kind})
    assert acting_by_token(token, issuer.settings, "police", ()).person == "0117"


def test_a_token_without_a_signature_is_refused(issuer: Issuer) -> None:
    for word in ("none", "None", "NONE", "nOnE"):
        unsigned = by_hand({"alg": word, "typ": "JWT", "kid": "k-ES256"}, Issuer.claims())
        assert refused(issuer, unsigned) == "token-algorithm"
    head, claims, _ = issuer.token().split(".")
    assert refused(issuer, f"{head}.{claims}.") == "token-forged"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("digest", ["256", "384", "512"])
@pytest.mark.parametrize("form", ["pem", "der"])
def test_the_public_key_is_no_secret_for_an_hmac(
    issuer: Issuer, algorithm: str, digest: str, form: str
) -> None:
    assert refused(issuer, by_public_key(algorithm, digest, form)) == "token-algorithm"


@pytest.mark.parametrize(
    "word", ["RS384", "PS256", "ES384", "ES256K", "HS256", "Ed448", "", 7, None]
)
def test_other_algorithms_are_refused_before_any_key_is_read(issuer: Issuer, word: Any) -> None:
    issuer.path.unlink()
    made = by_hand({"alg": word, "kid": "k-ES256"}, Issuer.claims(), b"x" * 64)
    assert refused(issuer, made) == "token-algorithm"


def test_a_key_of_somebody_else_signs_nothing(issuer: Issuer) -> None:
    others: dict[str, Any] = {
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }
    for algorithm, key in others.items():
        forged = jwt.encode(Issuer.claims(), key, algorithm, {"kid": f"k-{algorithm}"})
        assert refused(issuer, forged) == "token-forged"
        header = {"jwk": shown(algorithm, key), "kid": f"k-{algorithm}"}
        assert (
            refused(issuer, jwt.encode(Issuer.claims(), key, algorithm, header)) == "token-forged"
        )
        where = {"jku": "https://evil.example/keys", "x5u": "https://evil.example/c"}
        header = where | {"kid": f"k-{algorithm}"}
        assert (
            refused(issuer, jwt.encode(Issuer.claims(), key, algorithm, header)) == "token-forged"
        )


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_token_that_was_altered_by_one_byte_is_refused(issuer: Issuer, algorithm: str) -> None:
    token = issuer.token(algorithm)
    codes = set()
    for place in range(0, len(token), 7 if algorithm == "RS256" else 3):
        for other in "A9_.":
            if token[place] != other:
                codes.add(refused_unless_same(issuer, token, place, other))
    assert {"token-forged", "token-malformed"} <= codes
    assert codes <= {
        *("token-forged", "token-malformed", "token-algorithm", "token-key", "token-kind"),
        "same",
    }


def refused_unless_same(issuer: Issuer, token: str, place: int, other: str) -> str:
    altered = token[:place] + other + token[place + 1 :]
    try:
        acting_by_token(altered, issuer.settings, "police", ())
    except OperatorRefused as error:
        return error.code
    # The last letter of a part of base64 has bits that say nothing: the bytes are the same.
    assert jwt.utils.base64url_decode(altered.split(".")[2]) == jwt.utils.base64url_decode(
        token.split(".")[2]
    )
    assert altered.rpartition(".")[0] == token.rpartition(".")[0]
    return "same"


def test_a_huge_token_is_refused_before_it_is_read(issuer: Issuer) -> None:
    assert refused(issuer, issuer.token(padding="x" * LONGEST)) == "token-malformed"
    assert refused(issuer, "." * LONGEST) == "token-malformed"
    deep = by_hand({"alg": "ES256"}, {}, b"")
    nested = part(b'{"a":' * 2000 + b"1" + b"}" * 2000)
    assert refused(issuer, f"{nested}.{deep.split('.')[1]}.AA") == "token-malformed"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "Bearer a.b.c",
        "é.b.c",
        "a b.c.d",
        "eyJ9.e30.AA",
        "W10.e30.AA",
    ],
)
def test_what_is_no_token_is_refused(issuer: Issuer, text: str) -> None:
    assert refused(issuer, text) == "token-malformed"


@given(
    st.text(max_size=200) | st.binary(max_size=90).map(lambda data: f"{part(data)}.{part(data)}.AA")
)
def test_whatever_is_shown_ends_in_a_refusal(text: str) -> None:
    with pytest.raises(OperatorRefused):
        acting_by_token(text, Issuer.settings.fget(Nowhere()), "police", ())  # type: ignore[attr-defined]


class Nowhere:
    """An issuer whose keys are not there."""

    changes: Final[dict[str, Any]] = {}
    path = Path("/nonexistent/keys.json")


def test_a_minute_is_allowed_between_clocks_and_no_more(issuer: Issuer) -> None:
    now = int(time.time())
    for changes in (
        {"exp": now - 30, "iat": now - 300, "nbf": None},
        {"iat": now + 30, "nbf": now + 30, "exp": now + 300},
    ):
        token = issuer.token(**changes)
        assert acting_by_token(token, issuer.settings, "police", ()).person == "0117"


def test_a_client_of_its_own_is_what_the_settings_say(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path, {"client": "greenlane-cli"})
    for audience in ("greenlane", ["greenlane"], ["greenlane", "account"]):
        token = issuer.token(aud=audience, azp="greenlane-cli")
        assert acting_by_token(token, issuer.settings, "police", ()).person == "0117"
    assert refused(issuer, issuer.token(azp="greenlane")) == "token-client"


def test_a_subject_that_was_revoked_is_refused_and_named(issuer: Issuer) -> None:
    with pytest.raises(OperatorRefused, match="revoked at this node") as caught:
        acting_by_token(issuer.token(), issuer.settings, "police", {f"sha256:{SUBJECT}"})
    assert caught.value.code == "operator-revoked"
    assert caught.value.who == {"operator": "0117", "role": "investigator", "subject": SUBJECT}


Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key | {"use": "enc"},
        lambda key: key | {"alg": "RS256"},
        lambda key: key | {"key_ops": ["sign"]},
        lambda key: key | {"key_ops": "verify"},
        lambda key: key | {"kty": "oct", "k": "AAAA"},
        lambda key: key | {"crv": "P-521"},
        lambda key: key | {"crv": "nonsense"},
        lambda key: key | {"x": key["y"]},
        lambda key: key | {"d": key["x"]},
        lambda key: key | {"kid": 7},
    ],
    ids=["use", "alg", "ops", "ops text", "secret", "curve", "curve?", "point", "private", "kid"],
)
def test_a_key_that_is_not_for_tokens_is_passed_over(issuer: Issuer, change: Change) -> None:
    good = shown("ES256", keys()["ES256"])
    issuer.show([change(good), shown("EdDSA", keys()["EdDSA"])])
    assert refused(issuer, issuer.token()) == "token-key"
    assert acting_by_token(issuer.token("EdDSA"), issuer.settings, "police", ()).person == "0117"


def test_a_short_rsa_key_and_two_keys_of_one_name_are_not_taken(issuer: Issuer) -> None:
    short: Any = rsa.generate_private_key(65537, 1024)
    issuer.show([shown("RS256", short), shown("EdDSA", keys()["EdDSA"])])
    assert refused(issuer, issuer.token("RS256")) == "token-key"
    issuer.show([shown("ES256", keys()["ES256"])] * 2)
    assert refused(issuer, issuer.token()) == "token-key"


def test_a_token_that_names_no_key_is_taken_where_only_one_fits(issuer: Issuer) -> None:
    unnamed = issuer.token(header={"kid": None})
    assert acting_by_token(unnamed, issuer.settings, "police", ()).person == "0117"
    other = ec.generate_private_key(ec.SECP256R1())
    issuer.show([shown("ES256", keys()["ES256"]), shown("ES256", other, kid="k-other")])
    assert refused(issuer, unnamed) == "token-key"


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"keys": {}}', '{"keys": [1]}', '{"keys": []}', "\xff", "[" * 3000),
        *(json.dumps({"keys": [{}] * 33}), " " * (64 << 10) + '{"keys": []}'),
    ],
)
def test_what_is_no_key_set_is_told(issuer: Issuer, text: str) -> None:
    token = issuer.token()
    issuer.path.write_bytes(text.encode("latin-1"))
    assert refused(issuer, token) == "token-keys"
    issuer.path.unlink()
    assert refused(issuer, token) == "token-keys"


def test_the_library_for_tokens_is_read_only_when_one_is_shown() -> None:
    program = (
        "import sys, parties.admitting, parties.cli.acting\n"
        "assert 'jwt' not in sys.modules and 'ssl' not in sys.modules, 'read'\n"
        "import parties.operators.tokens\n"
        "assert 'jwt' not in sys.modules, 'read'"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
