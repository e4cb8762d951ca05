"""The signals that end a command, and how it waits for them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator


class Stop:
    """What a signal's handler sets, and the command waits for.

    A threading.Event would not do: its lock may be held, by the very thread that the handler then
    keeps waiting for it.
    """

    def __init__(self) -> None:
        self._bell, self._rope = os.pipe()
        self._times = 0

    def __enter__(self) -> Stop:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._bell)
        os.close(self._rope)

    def set(self) -> None:
        self._times += 1
        if self._times == 1:
            os.write(self._rope, b"!")

    def is_set(self) -> bool:
        return self._times > 0

    def is_urgent(self) -> bool:
        """Whether it was set again: nobody wants to wait for what is under way."""
        return self._times > 1

    def wait(self, seconds: float) -> bool:
        """Whether it is set, after so many seconds at most."""
        select.select((self._bell,), (), (), seconds)
        return self.is_set()


@contextlib.contextmanager
def signalled() -> Iterator[Stop]:
    """What SIGINT, SIGTERM and SIGHUP set, instead of what they did before.

    The last comes when the terminal is closed, which the servers, in sessions of their own, do not
    notice; but not to who was started by nohup(1).
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    with Stop() as stop:
        before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
        try:
            yield stop
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
