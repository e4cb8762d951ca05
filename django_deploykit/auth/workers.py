"""Threads that wait, for one that may not."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

from django.conf import settings
from django.db import connections
from django.urls import set_script_prefix

logger = logging.getLogger("django_deploykit.auth")

# What takes its time, and gives an answer, if it is one that is asked for.
Work = Callable[[], bytes | None]
Then = Callable[[bytes | None], None]


class Workers:
    """So many threads. All methods are for the one thread whose work they do, but ``ring()``.

    ``bell`` is a descriptor to wait at: it can be read once something is done.
    """

    def __init__(self, number: int) -> None:
        self.bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.pending = 0
        self._work: SimpleQueue[tuple[Work, Then] | None] = SimpleQueue()
        self._done: deque[tuple[Then, bytes | None]] = deque()
        self._threads = [
            threading.Thread(target=self._run, name=f"authorizer-{count}")
            for count in range(number)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait for what was begun."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            if thread.ident:
                thread.join()
        os.close(self.bell)

    def ring(self) -> None:
        """Wake who waits at the bell. A signal's handler may, and any thread."""
        os.eventfd_write(self.bell, 1)

    def hand(self, work: Work, then: Then) -> None:
        """Have some work done, and ``then`` called with what it gave by a later ``collect()``."""
        self.pending += 1
        self._work.put((work, then))

    def collect(self) -> None:
        """Call whatever waits for what is done by now."""
        os.eventfd_read(self.bell)
        while self._done:
            then, result = self._done.popleft()
            self.pending -= 1
            then(result)

    def _run(self) -> None:
        set_script_prefix(settings.FORCE_SCRIPT_NAME or "/")
        while task := self._work.get():
            work, then = task
            result = None
            with contextlib.suppress(BaseException):  # To tell of it may fail: a filter of the log.
                result = _result(work)
            self._done.append((then, result))
            self.ring()
        connections.close_all()  # This thread's own.


def _result(work: Work) -> bytes | None:
    """What it gave; None if it failed, however it did: no thread is lost."""
    try:
        return work()
    except BaseException:
        logger.exception("a thread of the authorizer failed")
        return None
