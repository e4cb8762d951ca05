"""The memory that a password matched a stored hash; never who somebody is, or what they may.

A keyed digest over the user, the backend, the hash that is stored now and the password offered
now is kept for a while. Whatever changes on either side gives another digest, so that nothing
ever has to be invalidated. See docs/explanation/credential-cache.md.
"""

from __future__ import annotations

import hmac
import secrets
import time
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.utils.crypto import constant_time_compare

from django_deploykit.auth.bounded import Bounded
from django_deploykit.auth.options import Cache
from django_deploykit.auth.waiting import takes_time

_PURPOSE = "django_deploykit.auth.verified"


def digest(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA256 of the parts, each with its length in front, so that no two lists collide."""
    raw = [part.encode("utf-8", "surrogatepass") for part in parts]
    return hmac.digest(key, b"".join([len(one).to_bytes(4) + one for one in raw]), "sha256")


class Verified:
    """Which passwords were right, for ``Cache.SECONDS`` from when they were last verified."""

    def __init__(self, options: Cache) -> None:
        self._seconds = options.SECONDS
        # Nobody outside of this process can compute a digest, nor look one up by its beginning.
        self._key = secrets.token_bytes(32)
        self._local: Bounded[bytes, bool] = Bounded(options.ENTRIES)
        self._shared = Shared(options.SHARED) if options.SHARED else None

    def __len__(self) -> int:
        return len(self._local)

    def knows(self, user: Any, backend: str, password: str) -> bool:
        """Whether ``password`` was found to match what is stored for ``user`` now; never of nobody,
        None, of whom nothing is remembered."""
        parts = _parts(user, backend, password)
        key = digest(self._key, *parts)
        if self._local.get(key):
            return True
        seconds = self._shared.left(parts) if self._shared else 0.0
        if seconds <= 0:
            return False
        self._local.put(key, True, time.monotonic() + min(seconds, self._seconds))
        return True

    def remember(self, user: Any, backend: str, password: str) -> None:
        """Keep that ``password`` matched; ``user`` has the hash as it is stored after that."""
        if not self._seconds:
            return
        parts = _parts(user, backend, password)
        until = time.monotonic() + self._seconds
        self._local.put(digest(self._key, *parts), True, until)
        if self._shared:
            self._shared.put(parts, self._seconds)


class Shared:
    """The same between processes, in an alias of CACHES that others may read, and even write."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        secret = str(settings.SECRET_KEY).encode()
        self._key, self._seal = (digest(secret, _PURPOSE, use) for use in ("key", "seal"))

    def left(self, parts: tuple[str, ...]) -> float:
        """For how many seconds this is still known; 0 if it is not."""
        takes_time()
        key = digest(self._key, *parts).hex()
        value = caches[self._alias].get(self._name(key))
        until, _, seal = value.partition(":") if isinstance(value, str) else ("", "", "")
        if not until.isdecimal() or not constant_time_compare(seal, self._sealed(key, until)):
            return 0
        return int(until) - time.time()

    def put(self, parts: tuple[str, ...], seconds: float) -> None:
        key, until = digest(self._key, *parts).hex(), str(int(time.time() + seconds))
        value = f"{until}:{self._sealed(key, until)}"
        caches[self._alias].set(self._name(key), value, seconds)

    def _sealed(self, key: str, until: str) -> str:
        return digest(self._seal, key, until).hex()

    def _name(self, key: str) -> str:
        return f"deploykit.auth.{key}"


def _parts(user: Any, backend: str, password: str) -> tuple[str, ...]:
    if user is None:
        return ("0", backend, password)
    return ("1", user._meta.label, str(user.pk), backend, user.password, password)
