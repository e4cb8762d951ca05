"""Counts of wrong passwords, in fixed windows of time, before anything is hashed."""

from __future__ import annotations

import ipaddress
import secrets

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from django_deploykit.auth.options import Throttle
from django_deploykit.auth.verified import digest

# Each failure cost a hash: no process makes so many in a window.
ENTRIES = 10_000


class Failures:
    """Failures of an address with a login name, and of an address with whatever name.

    No name is ever locked for everybody: that would be a way to keep its owner out.
    """

    def __init__(self, options: Throttle) -> None:
        self._options = options
        # A name in a shared cache is not to be read there.
        self._key = str(settings.SECRET_KEY).encode() if options.SHARED else secrets.token_bytes(32)
        # LocMemCache keeps its values by name, and locks; any thread may use this one object.
        name = f"django_deploykit.auth.failures.{secrets.token_hex(8)}"
        self._local = LocMemCache(name, {"OPTIONS": {"MAX_ENTRIES": ENTRIES}})

    @property
    def _cache(self) -> BaseCache:
        return caches[self._options.SHARED] if self._options.SHARED else self._local

    def too_many(self, address: str, login: str) -> bool:
        """Whether one of the limits is reached."""
        limits = self._limits(address, login)
        counted = self._cache.get_many(limits)
        return any(counted.get(key, 0) >= limit for key, limit in limits.items())

    def reserve(self, address: str, login: str) -> bool:
        """Count an attempt as failed until it is known not to be; False beyond a limit."""
        limits = self._limits(address, login)
        counts = [self._add(key, 1) <= limit for key, limit in limits.items()]
        return all(counts)

    def give_back(self, address: str, login: str) -> None:
        """The attempt that was counted did not fail."""
        for key in self._limits(address, login):
            self._add(key, -1)

    def _limits(self, address: str, login: str) -> dict[str, int]:
        network, options = _network(address), self._options
        return {
            self._counter("both", network, login): options.FAILURES,
            self._counter("address", network): options.ADDRESS_FAILURES,
        }

    def _counter(self, *parts: str) -> str:
        return f"deploykit.failures.{digest(self._key, *parts).hex()}"

    def _add(self, key: str, number: int) -> int:
        cache = self._cache
        cache.add(key, 0, self._options.SECONDS)
        try:
            return cache.incr(key, number)
        except ValueError:  # The window ended between the two.
            return number


def _network(address: str) -> str:
    """The address, or of IPv6 the /64, of which one customer has all."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed.packed[:8] + bytes(8), 64)))
    return str(parsed)
