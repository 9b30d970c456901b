"""Tokens of OpenID Connect: signed by an issuer that the settings name, for this program, now.

What is checked: RFC 7519, section 7.2, OpenID Connect Core 1.0, section 3.1.3.7, and the advice of
RFC 8725: algorithms are those of `key_sets` and never chosen by the token (3.1), each with a key of
its own kind (3.2, 3.5), issuer and subject (3.8), audience (3.9), the kind of token (3.11). Whoever
has a token is believed to be the person that it names, so it may not last long.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, cast

from parties import canonical
from parties.errors import OperatorRefused
from parties.operators.acting import Acting
from parties.operators.key_sets import ALGORITHMS, IssuerKey, PublicKey, read_keys
from parties.operators.papers import LONGEST
from parties.operators.roles import ROLES, OperatorRole, Party
from parties.settings import TokenSettings
from parties.settings_file import NAME

SKEW: Final = timedelta(minutes=1)
"""Between the clocks of issuer and node, both of which follow a time server."""
MOST_LIFETIME: Final = timedelta(hours=24)
"""Of a token, from `iat` to `exp`: a working day and a night shift. Nobody revokes tokens."""
KINDS: Final = frozenset({"jwt", "at+jwt"})
"""Of `typ`: an ID token or an access token (RFC 9068); so none that says that somebody has left
(OpenID Connect Back-Channel Logout, section 2.4), which the same issuer signs."""
_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
"""RFC 7515, section 7.1; without a signature there is nothing behind the second dot."""
_CLAIMS: Final = ("iss", "sub", "aud", "exp", "iat")


def acting_by_token(
    token: str, settings: TokenSettings, party: Party, revoked: Collection[str]
) -> Acting:
    """Returns who shows a token.

    Args:
        token: as it was given; secret.
        settings: whose tokens are believed.
        party: of this node.
        revoked: what was revoked at this node; of subjects as of certificates, "sha256:" and the
            hexadecimal digest.

    Raises:
        OperatorRefused: `token-...`, it does not hold; `operator-revoked`. Quotes nothing of it.
    """
    header = _header(token)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise OperatorRefused(
            "token-algorithm", f"the token is not signed by one of {', '.join(ALGORITHMS)}"
        )
    if str(header.get("typ", "JWT")).lower().removeprefix("application/") not in KINDS:
        raise OperatorRefused("token-kind", "the token is neither an ID token nor an access token")
    key = _key(header, algorithm, read_keys(settings))
    claims = _claims(token, key, algorithm, settings)
    _must_be_for_us(claims, settings)
    acting = Acting(
        _person(claims, settings), _role(claims, settings, party), subject=_subject(claims)
    )
    if f"sha256:{acting.subject}" in revoked:
        raise OperatorRefused(
            "operator-revoked", "the subject of the token was revoked at this node", acting.facts()
        )
    return acting


def _header(token: str) -> Mapping[str, Any]:
    import jwt

    if len(token) > LONGEST or not _FORM.fullmatch(token):
        raise _malformed("it is not three parts of base64url")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise _malformed("its header cannot be read") from None
    if not {"crit", "b64"}.isdisjoint(header):
        raise _malformed("its header has an extension that this release does not know")
    return header


def _key(header: Mapping[str, Any], algorithm: str, keys: Sequence[IssuerKey]) -> PublicKey:
    name = header.get("kid")
    fit = [each for each in keys if each.algorithm == algorithm]
    if name is not None:
        fit = [each for each in fit if each.name == name]
    if len(fit) != 1:
        raise OperatorRefused(
            "token-key",
            "the token names no key of the issuer, or not which one; if the issuer has new keys, "
            "fetch them anew",
        )
    return fit[0].key


def _claims(
    token: str, key: PublicKey, algorithm: str, settings: TokenSettings
) -> Mapping[str, Any]:
    """The claims, after signature, times, issuer and audience were found in order."""
    import jwt

    try:
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=settings.audience,
            issuer=settings.issuer,
            leeway=SKEW,
            options={"require": list(_CLAIMS), "enforce_minimum_key_length": True},
        )
    except jwt.InvalidSignatureError:
        raise OperatorRefused(
            "token-forged", "the signature of the token is not that of the issuer"
        ) from None
    except jwt.ExpiredSignatureError:
        raise OperatorRefused("token-expired", "the token has expired; sign in again") from None
    except jwt.ImmatureSignatureError:
        raise OperatorRefused(
            "token-early", "the token is not valid yet; compare the clocks"
        ) from None
    except jwt.InvalidIssuerError:
        raise OperatorRefused("token-issuer", "the token is of another issuer") from None
    except jwt.InvalidAudienceError:
        raise OperatorRefused("token-audience", "the token is for another program") from None
    except jwt.MissingRequiredClaimError:
        raise _malformed(f"it lacks one of {', '.join(_CLAIMS)}") from None
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
        raise _malformed("a part of it does not have its form") from None


def _must_be_for_us(claims: Mapping[str, Any], settings: TokenSettings) -> None:
    """What the library does not look at."""
    lasts = claims["exp"] - claims["iat"] if _are_numbers(claims) else None
    if lasts is None:
        raise _malformed("its times are not numbers")
    if lasts > MOST_LIFETIME.total_seconds():
        raise OperatorRefused(
            "token-lasting",
            f"the token lasts longer than {MOST_LIFETIME / timedelta(hours=1):g} hours; let the "
            "issuer give it less",
        )
    client = settings.client or settings.audience
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client) != client:
        raise OperatorRefused("token-client", "the token was given to another program")
    if "cnf" in claims:  # RFC 7800
        raise OperatorRefused(
            "token-kind", "the token is bound to a key that this program has no proof of"
        )


def _are_numbers(claims: Mapping[str, Any]) -> bool:
    return all(
        isinstance(claims[name], int | float) and not isinstance(claims[name], bool)
        for name in ("exp", "iat")
    )


def _person(claims: Mapping[str, Any], settings: TokenSettings) -> str:
    person = claims.get(settings.person)
    if not isinstance(person, str) or not NAME.fullmatch(person):
        raise OperatorRefused(
            "token-person",
            f"the claim {settings.person} of the token is no staff number or short name of small "
            "letters, digits, dots and hyphens; name another by operators.oidc.person",
        )
    return person


def _role(claims: Mapping[str, Any], settings: TokenSettings, party: Party) -> OperatorRole:
    value: Any = claims
    for name in settings.claim:
        value = value.get(name) if isinstance(value, dict) else None
    named = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    ours = dict(settings.roles)
    roles = {ours[each] for each in named if isinstance(each, str) and each in ours}
    if len(roles) != 1:
        raise OperatorRefused(
            "token-role",
            f"the token says {'no role' if not roles else 'several roles'} of this person, who has "
            "one; compare operators.oidc.claim and operators.oidc.roles, or ask who keeps the "
            "issuer",
        )
    (role,) = roles
    if role not in ROLES[party]:
        raise OperatorRefused(
            "token-role", f"{party} has no {role}; its roles are {', '.join(ROLES[party])}"
        )
    return role


def _subject(claims: Mapping[str, Any]) -> str:
    values = {name: cast(str, claims[name]) for name in ("iss", "sub")}
    return hashlib.sha256(canonical.encode(values)).hexdigest()


def _malformed(why: str) -> OperatorRefused:
    return OperatorRefused("token-malformed", f"what is shown is no token that can be read: {why}")
