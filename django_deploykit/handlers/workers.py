"""Processes that answer from one listening socket, for servers that have none of their own.

What they promise: a process that ends is replaced; SIGTERM lets running requests end; SIGHUP
starts the program anew with the same socket, so that no connection is refused meanwhile.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator

from django.db import connections

# FCGI_LISTENSOCK_FILENO of the FastCGI specification (2.2); systemd's StandardInput=socket too.
_INHERITED = 0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
# Seconds for which a connection that was let in is expected to bring its request, if the process
# is to end.
EXPECTED = 5
# So long waits the next process when one could not even begin to work.
_PAUSE = 1.0
# By its number: what stands for it in Python may have been replaced.
STDERR = 2


def close_databases() -> None:
    """Close what was opened while the application loaded. Processes that are forked next would
    share it, and read one another's answers; of a pool's threads, they would have none."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        if close_pool := getattr(connection, "close_pool", None):
            close_pool()


def inherited_socket() -> socket.socket | None:
    """The listening socket that whoever started this process left on descriptor 0, if any."""
    try:
        found = socket.socket(fileno=os.dup(_INHERITED))
        if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return found
        found.close()
    except OSError:
        pass  # Closed, or no socket.
    return None


def close_inherited_socket() -> None:
    """Listen there no longer; reading from it finds nothing."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, _INHERITED)
    os.close(nothing)


def bound_socket(address: str | tuple[str, int], backlog: int = 1024) -> socket.socket:
    """Listen on the path of a unix socket, for its user and group alone, or on an IP address."""
    if isinstance(address, str):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address)
        before = os.umask(0o117)
        try:
            listener.bind(address)
        finally:
            os.umask(before)
    else:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    listener.listen(backlog)
    return listener


def supervise(
    listener: socket.socket, work: Callable[[socket.socket], object], processes: int
) -> None:
    """Run ``work(listener)`` in so many processes until SIGTERM or SIGINT.

    ``work`` has to return, its requests done, after a SIGTERM of its own.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    for one in _SIGNALS:
        signal.signal(one, _keep)
    # Its other end is closed with this process, however that ends: then the others end too.
    ended, alive = os.pipe()
    workers = {_start(work, listener, ended, alive) for _ in range(processes)}
    while (number := _next_signal()) == signal.SIGCHLD:
        workers -= set(_gone())
        try:
            while len(workers) < processes:
                workers.add(_start(work, listener, ended, alive))
        except OSError as error:  # Those that run go on; the next look tries again.
            _say(f"A process could not be replaced yet: {error}")
    if number == signal.SIGHUP:
        _start_anew(listener)
    os.close(alive)
    for worker in workers:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(worker, 0)


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End this process, with a traceback of every thread, if the block takes longer."""
    timer = threading.Timer(seconds, _give_up, (seconds,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def limited_alone(seconds: float) -> Iterator[None]:
    """The same where a process answers one request at a time, even if nobody gives Python's lock
    away: an endless regular expression keeps a thread of Python's from looking."""
    faulthandler.dump_traceback_later(seconds + 1, exit=True, file=STDERR)  # There is only one.
    try:
        with limited(seconds):
            yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _keep(number: int, frame: object) -> None:
    """Keep a signal that another thread of the supervisor got, an agent's that was started with the
    application and blocks none: sent again to this one, it waits to be asked for."""
    if number in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
        signal.raise_signal(number)


def _next_signal() -> int:
    """What came; SIGCHLD also if nothing did for a while, since there may be something to do, or
    something to keep."""
    came = signal.sigtimedwait(_SIGNALS, _PAUSE)
    return came.si_signo if came else signal.SIGCHLD


def _start(
    work: Callable[[socket.socket], object], listener: socket.socket, ended: int, alive: int
) -> int:
    if pid := os.fork():
        return pid
    status = 1
    started = time.monotonic()
    try:
        os.close(alive)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        threading.Thread(target=_follow, args=(ended,), daemon=True).start()
        work(listener)
        status = 0
    except BaseException:
        traceback.print_exc()
        if time.monotonic() - started < _PAUSE:
            time.sleep(_PAUSE)  # Otherwise one would be started after another, without rest.
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)  # Whatever happens: what follows is the supervisor's.


def _follow(ended: int) -> None:
    """End with the supervisor."""
    os.read(ended, 1)
    signal_main_thread(signal.SIGTERM)


def _gone() -> Iterator[int]:
    with contextlib.suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            yield pid


def _start_anew(listener: socket.socket) -> None:
    """Become the same program, newly loaded; connections wait in the socket's queue."""
    os.dup2(listener.fileno(), _INHERITED)
    for one in (signal.SIGTERM, signal.SIGINT):  # One that came meanwhile must end it.
        signal.signal(one, signal.SIG_DFL)
    # A second SIGHUP stays blocked, and waits until the program asks: it must not end it as it
    # starts, and may be for code that is newer than what it loads.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_SIGNALS} - {signal.SIGHUP})
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - its own command line, once more


def signal_main_thread(number: int) -> None:
    """Send a signal of this process's own to the thread that has to act on it.

    One that is sent to the process is taken by any thread that happens to look, as each does that
    starts another or ends (pthread_sigmask(3)). The main one then goes on waiting, and Python runs
    no handler before that wait is over.
    """
    # A thread that has been started has an ident.
    signal.pthread_kill(threading.main_thread().ident, number)  # type: ignore[arg-type]


def tell(seconds: float) -> None:
    """Say on standard error that a request took longer, and where each thread is."""
    _say(f"A request took longer than {seconds:g} seconds; its process ends.")
    faulthandler.dump_traceback(STDERR)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(STDERR, f"{text}\n".encode())


def _give_up(seconds: float) -> None:
    tell(seconds)
    os._exit(1)
