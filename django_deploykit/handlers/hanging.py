"""A limit for each request, for servers that have none for one of several threads.

gunicorn's ``timeout`` asks whether the process moves, not what its threads do. uWSGI's ``harakiri``
is one clock for all threads of a process, and any request that ends stops it.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from django_deploykit import contract
from django_deploykit.handlers.workers import EXPECTED, STDERR, signal_main_thread, tell

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# On these, a process of theirs takes no further request, and lets running ones end.
_LEAVE = {"gunicorn": signal.SIGTERM, "uwsgi": signal.SIGHUP}
# Seconds between two looks at what runs.
_LOOK = 1.0
# A thread between two requests looks like one that has nothing to do: so often in a row, and with
# so many seconds in between, nothing may run.
_QUIET, _GLANCE = 10, 0.03


def watched(application: WSGIApplication, *, server: str) -> WSGIApplication:
    """Wrap ``application`` so that a request that hangs costs its process, one of ``"gunicorn"``
    or ``"uwsgi"``.

    It hangs if its answer has not begun, and no piece of its body has come, for the seconds in
    contract.TIMEOUT_KEY, which the server's own file says where a process has several threads;
    without, nothing is wrapped.
    The process says where each thread is, takes no new request, and ends as soon as those that do
    not hang are answered, at most as many seconds later. The server then starts another.
    """
    seconds = float(_own_file(server).get(contract.TIMEOUT_KEY, 0))
    return _noted(application, seconds, _LEAVE[server]) if seconds else application


def _own_file(server: str) -> Mapping[str, str]:
    """What the server's own file says. uWSGI's wheel sets variables when Python has read them."""
    if server == "gunicorn":
        return os.environ
    try:
        import uwsgi
    except ImportError:
        return {}  # Another server runs the script.
    options: Mapping[str, str] = uwsgi.opt
    return options


def _noted(application: WSGIApplication, seconds: float, leave: signal.Signals) -> WSGIApplication:
    """The application, which notes for each thread when its request has begun."""
    begun: dict[int, float] = {}
    watching: list[threading.Thread] = []
    lock = threading.Lock()
    thread_of, now = threading.get_ident, time.monotonic

    def watch() -> None:
        """Begin with the first request: a thread does not survive the fork of a process."""
        with lock:
            if not watching:
                watching.append(
                    threading.Thread(target=_watch, args=(begun, seconds, leave), daemon=True)
                )
                watching[0].start()

    def came(thread: int) -> None:
        """Begin anew with each piece of a body; what is read later belongs to no request."""
        if thread in begun:
            begun[thread] = now()

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not watching:
            watch()
        thread = thread_of()
        begun[thread] = now()
        if environ.get("CONTENT_LENGTH"):
            environ["wsgi.input"] = _Body(environ["wsgi.input"], partial(came, thread))
        try:
            return application(environ, start_response)
        finally:
            begun.pop(thread, None)

    return answer


class _Body:
    """A request's body that tells whenever a piece of it has come: who sends slowly, over a line or
    through a front that stores nothing, is not hanging."""

    def __init__(self, body: Any, came: Callable[[], None]) -> None:
        self._body, self._came = body, came

    def read(self, *size: int) -> bytes:
        return self._told(self._body.read(*size))

    def readline(self, *size: int) -> bytes:
        return self._told(self._body.readline(*size))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def _told(self, piece: bytes) -> bytes:
        self._came()
        return piece


def _watch(begun: dict[int, float], seconds: float, leave: signal.Signals) -> None:
    """Wait for a request that hangs, then end this process."""
    look = min(_LOOK, seconds / 10)
    while not _hanging(begun, seconds):
        # Ends it without Python, should nobody give Python's lock away: an endless regular
        # expression would also keep this thread from looking.
        faulthandler.dump_traceback_later(seconds + look, exit=True, file=STDERR)
        time.sleep(look)
    tell(seconds)
    signal_main_thread(leave)
    faulthandler.dump_traceback_later(seconds, exit=True, file=STDERR)
    # For what was let in already, and for answers on their way.
    time.sleep(min(EXPECTED, seconds / 2))
    quiet = 0
    while quiet < _QUIET:
        time.sleep(_GLANCE)
        quiet = quiet + 1 if _hanging(begun, seconds) == len(begun) else 0
    os._exit(1)


def _hanging(begun: dict[int, float], seconds: float) -> int:
    """How many requests have taken longer."""
    past = time.monotonic() - seconds
    # A copy is made at once, while other threads wait.
    return sum(began < past for began in begun.copy().values())
