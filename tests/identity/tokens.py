"""Tokens as issuers sign them, and as forgers would (I15): with real keys."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

A_DAY = 24 * 60 * 60
ISSUER, AUDIENCE = "https://login.example.com", "shop"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RSA_OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, name: str) -> dict[str, Any]:
    """A public key, as issuers publish it."""
    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    kind = jwt.algorithms.RSAAlgorithm if is_rsa else jwt.algorithms.ECAlgorithm
    published: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
    return {**published, "kid": name, "use": "sig", "alg": "RS256" if is_rsa else "ES256"}


def keys(**named: Any) -> str:
    return json.dumps({"keys": [jwk(key, name) for name, key in named.items()]})


def token(
    key: Any = RSA_KEY, algorithm: str = "RS256", kid: str | None = "one", **claims: Any
) -> str:
    """A token as it has to be, but for what is said otherwise; None leaves a claim out."""
    said = {
        "iss": ISSUER,
        "aud": [AUDIENCE, "other"],
        "exp": time.time() + A_DAY,
        "email": "alice",
        **claims,
    }
    payload = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(payload, key, algorithm, headers={"kid": kid} if kid else None)


def _with_public_key_as_secret() -> str:
    """A token that is signed with what everybody knows, which PyJWT would not make."""
    public = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed_part, _, _ = token("x" * 64, "HS256").rpartition(".")
    digest = hmac.digest(public, signed_part.encode(), "sha256")
    return f"{signed_part}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


FORGED = {
    "another's signature": token(RSA_OTHER),
    "a known key under another's name": token(kid="two"),
    "an unknown key": token(kid="three"),
    "no key": token(kid=None),
    "another issuer": token(iss="https://evil.example"),
    "no issuer": token(iss=None),
    "another audience": token(aud="mail"),
    "no audience": token(aud=None),
    "expired beyond what clocks differ": token(exp=time.time() - 70),
    "no end": token(exp=None),
    "not yet": token(nbf=time.time() + A_DAY),
    "no algorithm": token(None, "none"),
    "the public key as a secret": _with_public_key_as_secret(),
    "another algorithm of the same key": token(algorithm="RS512"),
    "another algorithm of a known key": token(EC_KEY, "ES256", "curve"),
    "two tokens": f"{token()},{token()}",
    "a name": "alice",
    "three parts": "a.b.c",
    "not ASCII": "\xe9",
}
