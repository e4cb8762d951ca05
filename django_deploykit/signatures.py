"""Signed words about the user: ``DEPLOYKIT["IDENTITY"]["JWT"]`` as plain data (RFC 7519).

What is demanded of them, and never left to the token itself, follows RFC 8725: one algorithm, one
issuer, one audience, and keys from a place that settings name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django_deploykit import contract

KEYS = ("ALGORITHM", "AUDIENCE", "HEADER", "ISSUER", "KEYS")
# None in which whoever can verify could also sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")
_MEANINGS = {
    "ALGORITHM": f"one of {', '.join(ALGORITHMS)}",
    "AUDIENCE": "what the issuer calls this application",
    "HEADER": "a header that TrustedProxyMiddleware does not remove",
    "ISSUER": "what the issuer calls itself",
    "KEYS": "the absolute path, or the https:// URL, of a JSON Web Key Set",
}


class Signature(NamedTuple):
    """Which token is believed: the header it comes in, and what it has to say."""

    header: str
    keys: str
    algorithm: str
    issuer: str
    audience: str


def read(raw: Mapping[str, Any], find: Callable[[str], None]) -> Signature | None:
    """What a section says; None, with every problem told to ``find``, unless it is complete."""
    wrong = [name for name in KEYS if not _makes_sense(name, raw.get(name))]
    for name in wrong:
        find(f"{name}={raw.get(name)!r} is not {_MEANINGS[name]}.")
    if wrong:
        return None
    return Signature(*(raw[name.upper()] for name in Signature._fields))


def _makes_sense(name: str, value: object) -> bool:
    if not isinstance(value, str) or not value.strip():
        return False
    if name == "ALGORITHM":
        return value in ALGORITHMS
    if name == "HEADER":
        removed = contract.environ_key(value) in contract.CLIENT_FORBIDDEN_KEYS
        return bool(_HEADER.match(value)) and not removed
    if name == "KEYS":
        return Path(value).is_absolute() or is_url(value)
    return True


def is_url(keys: str) -> bool:
    """Tell whether keys are fetched; over a connection that shows whose they are."""
    try:
        parts = urlsplit(keys)
        is_whole = bool(parts.hostname) and parts.port != 0  # Raises for what is no port, too.
    except ValueError:
        return False
    return parts.scheme == "https" and is_whole and not re.search(r"\s", keys)
