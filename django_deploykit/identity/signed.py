"""Reads tokens that an issuer has signed. PyJWT verifies them; here stands what is demanded."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

from django.core.exceptions import ImproperlyConfigured, PermissionDenied

from django_deploykit.signatures import Signature, is_url
from django_deploykit.sso import IDENTITY

log = logging.getLogger("django_deploykit.identity")

# Seconds: by which two clocks may differ; that a fetch of keys may take, and between two of them.
_LEEWAY, _PATIENCE, _PAUSE = 60, 5, 10
# For so long fetched keys are good, and where no others can be fetched.
_AN_HOUR, _A_DAY = 60 * 60, 24 * 60 * 60
_LONG_AGO = float("-inf")

Keys = Mapping[str | None, Any]


class KeysUnavailable(Exception):
    """Nobody can be asked whether a signature is good."""


class Verifier:
    """Verifies tokens by one policy. Raise ImproperlyConfigured if it lacks what it needs."""

    def __init__(self, signature: Signature) -> None:
        self._signature, self._jwt = signature, _library()
        reads = _of_url if is_url(signature.keys) else _of_file
        self._key = reads(self._jwt, signature)

    def claims(self, token: str) -> Mapping[str, Any]:
        """What a token says. Raise PermissionDenied for one that is not as it has to be, and
        KeysUnavailable where that cannot be known."""
        signature = self._signature
        try:
            found: Mapping[str, Any] = self._jwt.decode(
                token,
                self._key(self._jwt.get_unverified_header(token).get("kid")),
                algorithms=[signature.algorithm],
                audience=signature.audience,
                issuer=signature.issuer,
                leeway=_LEEWAY,
                options={"require": ["aud", "exp", "iss"]},
            )
        except self._jwt.PyJWTError as error:
            log.warning("%s is refused: %r", signature.header, str(error))
            raise PermissionDenied(f"{signature.header} is refused.") from None
        return found


class _Fetched:
    """Keys at a URL, which change: fetched when they are old, and when a token names another.

    PyJWT follows no redirect, since 2.14: it could lead to plain HTTP.
    """

    def __init__(self, library: ModuleType, signature: Signature) -> None:
        self._jwt = library
        self._client = _client(library, signature)
        self._lock = Lock()  # Held by the one who fetches.
        self._known = _by_name(()), _LONG_AGO  # Keys, and since when: always replaced as one.
        self._asked = _LONG_AGO

    def key(self, name: str | None) -> Any:
        """A key. Raise PyJWKError for an unknown one, and KeysUnavailable where none is known.

        While somebody fetches, others wait only for a key that is unknown, or no longer good.
        """
        keys, age = self._now_known()
        is_good = name in keys and age <= _A_DAY
        if not is_good or age > _AN_HOUR:
            self._ask(waits=not is_good)
            keys, age = self._now_known()
        if age > _A_DAY:
            raise KeysUnavailable
        return _named(self._jwt, keys, name)

    def _now_known(self) -> tuple[Keys, float]:
        """The keys, and how old they are."""
        keys, fetched = self._known
        return keys, time.monotonic() - fetched

    def _ask(self, *, waits: bool) -> None:
        """Fetch keys, or wait for the one who does, if at all.

        Nobody who sends tokens with invented names has keys fetched again and again.
        """
        if not self._lock.acquire(blocking=waits):
            return
        try:
            if time.monotonic() - self._asked > _PAUSE:
                self._fetch()
        finally:
            self._lock.release()

    def _fetch(self) -> None:
        started = time.monotonic()
        try:
            self._known = _by_name(self._client.get_signing_keys()), started
        except (self._jwt.PyJWTError, OSError, ValueError) as error:
            log.error("%s: no keys: %r", self._client.uri, str(error))
        finally:
            # Once it is over: one that took longer than the pause would be followed by the next.
            self._asked = time.monotonic()


def _of_url(library: ModuleType, signature: Signature) -> Callable[[str | None], Any]:
    return _Fetched(library, signature).key


def _client(library: ModuleType, signature: Signature) -> Any:
    class Client(library.PyJWKClient):  # type: ignore[name-defined,misc]
        def fetch_data(self) -> Any:
            return _stating(signature.algorithm, super().fetch_data())

    return Client(signature.keys, cache_jwk_set=False, timeout=_PATIENCE)


def _of_file(library: ModuleType, signature: Signature) -> Callable[[str | None], Any]:
    """Looks for keys in those of a file. Raise ImproperlyConfigured if there are none."""
    place = signature.keys
    try:
        published = json.loads(Path(place).read_text(encoding="utf-8"))
        found = library.PyJWKSet.from_dict(_stating(signature.algorithm, published))
    except (library.PyJWTError, OSError, ValueError, AttributeError) as error:
        problem = f"{IDENTITY}['JWT']: cannot read the keys in {place!r}: {error}."
        raise ImproperlyConfigured(problem) from None
    keys = _by_name(found.keys)
    return lambda name: _named(library, keys, name)


def _stating(algorithm: str, published: Any) -> Any:
    """A set of keys in which those of RSA that state no algorithm, as RFC 7517 4.4 lets them, have
    the one that is demanded: PyJWT takes them for RS256. Anything else is left as it is."""
    keys = published.get("keys") if isinstance(published, dict) else None
    if not isinstance(keys, list) or algorithm.startswith("ES"):
        return published
    return {**published, "keys": [_stated(algorithm, key) for key in keys]}


def _stated(algorithm: str, key: Any) -> Any:
    is_silent = isinstance(key, dict) and key.get("kty") == "RSA" and not key.get("alg")
    return {**key, "alg": algorithm} if is_silent else key


def _by_name(keys: Iterable[Any]) -> Keys:
    return {key.key_id: key for key in keys}


def _named(library: ModuleType, keys: Keys, name: str | None) -> Any:
    if name not in keys:
        raise library.PyJWKError(f"nobody knows a key {name!r}")
    return keys[name]


def _library() -> ModuleType:
    try:
        import cryptography  # noqa: F401  # PyJWT does without it, and then knows no such algorithm
        import jwt
    except ImportError:
        problem = f"{IDENTITY}['JWT'] needs PyJWT: pip install 'django-deploykit[jwt]'."
        raise ImproperlyConfigured(problem) from None
    return jwt
