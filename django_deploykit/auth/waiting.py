"""What nobody may wait for who speaks with all clients at once: the event loop of the authorizer.

The hooks of mod_wsgi ask for no more at first: it is also what costs little. Whatever asks the
database, a cache that others share, a hasher, or code of the project calls ``takes_time()`` before,
and before it has done anything that may not be done twice.
"""

from __future__ import annotations

import threading


class MustWait(Exception):
    """Memory is not enough for an answer."""


class _AtOnce(threading.local):
    """In this thread, and until the end of the ``with`` block, nothing is waited for."""

    wanted = False

    def __enter__(self) -> None:
        self.wanted = True

    def __exit__(self, *_: object) -> None:
        self.wanted = False


at_once = _AtOnce()


def takes_time() -> None:
    """Raise MustWait ``with at_once``."""
    if at_once.wanted:
        raise MustWait
