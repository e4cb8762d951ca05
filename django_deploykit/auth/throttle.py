"""Counts of wrong passwords, in fixed windows of time, before anything is hashed."""

from __future__ import annotations

import ipaddress
import threading
import time
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from django.conf import settings
from django.core.cache import caches

from django_deploykit.auth.bounded import Bounded
from django_deploykit.auth.credentials import LOGIN_LENGTH
from django_deploykit.auth.options import Throttle
from django_deploykit.auth.verified import digest
from django_deploykit.auth.waiting import takes_time

# Each failure cost a hash: no process makes so many in a window.
ENTRIES = 10_000

# Letters that some databases take for others, but Unicode does not.
_TAKEN_FOR = str.maketrans("øłđħŧıð", "oldhtid") | {ord("æ"): "ae", ord("œ"): "oe", ord("þ"): "th"}
# Marks on letters, and characters that only say how others are set.
_OVERLOOKED = ("Mn", "Mc", "Me", "Cf")

Key = tuple[str, ...]


class Failures:
    """Failures of an address with a login name, however it is spelled, and with whatever name.

    No name is ever locked for everybody: that would be a way to keep its owner out.
    """

    def __init__(self, options: Throttle) -> None:
        self._options = options
        shared, seconds = options.SHARED, options.SECONDS
        self._counts = SharedCounts(shared, seconds) if shared else Counts(ENTRIES, seconds)

    def too_many(self, address: str, login: str) -> bool:
        """Whether one of the limits is reached."""
        if self._counts.is_empty:  # Nobody fails, on most days.
            return False
        limits = self._limits(address, login)
        counted = self._counts.get(limits)
        return bool(counted) and any(counted.get(key, 0) >= limit for key, limit in limits.items())

    def reserve(self, address: str, login: str) -> bool:
        """Count an attempt as failed until it is known not to be; False beyond a limit."""
        limits = self._limits(address, login)
        counts = [self._counts.add(key, 1) <= limit for key, limit in limits.items()]
        if all(counts):
            return True
        self.give_back(address, login)  # Nothing was asked, so nothing failed.
        return False

    def give_back(self, address: str, login: str) -> None:
        """The attempt that was counted did not fail."""
        for key in self._limits(address, login):
            self._counts.add(key, -1)

    def _limits(self, address: str, login: str) -> dict[Key, int]:
        network, options = _network(address), self._options
        return {(network, _folded(login)): options.FAILURES, (network,): options.ADDRESS_FAILURES}


class Counts:
    """Numbers of this process, each for a window that begins with the first of them."""

    def __init__(self, entries: int, seconds: float) -> None:
        self._seconds = seconds
        self._windows: Bounded[Key, tuple[float, int]] = Bounded(entries)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def is_empty(self) -> bool:
        return not self._windows

    def get(self, keys: Iterable[Key]) -> dict[Key, int]:
        return {key: window[1] for key in keys if (window := self._windows.get(key))}

    def add(self, key: Key, number: int) -> int:
        with self._lock:
            until, count = self._windows.get(key) or (time.monotonic() + self._seconds, 0)
            count += number
            if count > 0:
                self._windows.put(key, (until, count), until)
            else:  # It is as if nobody had ever failed.
                self._windows.pop(key)
            return count


class SharedCounts:
    """The same between processes, in an alias of CACHES, where no name can be read.

    Windows are those of the clock, one after the other: the name of an entry says to which it
    belongs. Its lifetime only has to be longer, for not every cache keeps that when it counts.
    """

    is_empty = False  # for all that this process knows

    def __init__(self, alias: str, seconds: int) -> None:
        self._alias, self._seconds = alias, seconds
        self._secret = str(settings.SECRET_KEY).encode()

    def get(self, keys: Iterable[Key]) -> dict[Key, int]:
        takes_time()
        names = {self._name(key): key for key in keys}
        return {names[name]: count for name, count in caches[self._alias].get_many(names).items()}

    def add(self, key: Key, number: int) -> int:
        cache, name = caches[self._alias], self._name(key)
        if number > 0:
            cache.add(name, 0, self._seconds)
        try:
            count = cache.incr(name, number)
        except ValueError:  # It is given back after its window, or the cache was full.
            return max(number, 0)
        # BaseCache.incr() writes with the lifetime of the alias: for ever, for less, or not at all.
        if not cache.touch(name, self._seconds):
            cache.set(name, count, self._seconds)
        return count

    def _name(self, key: Key) -> str:
        window = str(int(time.time() // self._seconds))
        return f"deploykit.failures.{digest(self._secret, window, *key).hex()}"


def _folded(login: str) -> str:
    """A name without what lookups may overlook: case, accents, blanks around it, and what nobody
    sees. Otherwise one user would have as many guesses as there are spellings."""
    if len(login) > LOGIN_LENGTH:  # Nobody's; and one letter may become eighteen to look at.
        return ""
    if login.isascii():
        return login.strip().casefold()
    letters = unicodedata.normalize("NFKD", login).casefold().translate(_TAKEN_FOR)
    kept = [one for one in letters if unicodedata.category(one) not in _OVERLOOKED]
    return "".join(kept).strip()


@lru_cache(1024)
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
