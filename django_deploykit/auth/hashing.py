"""Hashing costs a core for a while: the same once, different ones a few at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Longer than any client waits, and shorter than the timeouts of the servers that ask.
WAIT_SECONDS = 10.0


class Busy(Exception):
    """So many passwords wait to be verified that this one was not. It is not a refusal."""

    def __init__(self) -> None:
        super().__init__(f"No password could be verified within {WAIT_SECONDS:g} seconds.")


class Turns:
    """For each key one at a time, so that who comes next may find it done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[bytes, _Queue] = {}

    def __len__(self) -> int:
        return len(self._queues)

    @contextmanager
    def turn(self, key: bytes) -> Iterator[None]:
        """Wait for this key's turn. Raise Busy if it does not come."""
        with self._lock:
            queue = self._queues.setdefault(key, _Queue())
            queue.length += 1
        try:
            with acquired(queue.lock):
                yield
        finally:
            with self._lock:
                queue.length -= 1
                if not queue.length:
                    del self._queues[key]


class _Queue:
    def __init__(self) -> None:
        self.lock, self.length = threading.Lock(), 0


@contextmanager
def acquired(lock: threading.Lock | threading.Semaphore) -> Iterator[None]:
    """Hold a lock or a place. Raise Busy if there is none in time."""
    if not lock.acquire(timeout=WAIT_SECONDS):
        raise Busy
    try:
        yield
    finally:
        lock.release()
