"""A map that forgets: after its time, and beyond its size."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """At most ``entries`` values, each until its time; the least recently used goes first."""

    def __init__(self, entries: int) -> None:
        self.entries = entries
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value, if its time has not come yet."""
        with self._lock:
            until, value = self._values.get(key, (0.0, None))
            if value is None:
                return None
            if time.monotonic() >= until:
                del self._values[key]
                return None
            self._values.move_to_end(key)
            return value

    def put(self, key: K, value: V, until: float) -> None:
        """Keep a value until that time of ``time.monotonic()``."""
        if until <= time.monotonic():
            return
        with self._lock:
            self._values[key] = until, value
            self._values.move_to_end(key)
            while len(self._values) > self.entries:
                self._values.popitem(last=False)

    def pop(self, key: K) -> None:
        """Forget a value, if there is one."""
        with self._lock:
            self._values.pop(key, None)
