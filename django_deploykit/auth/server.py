"""The threads that wait for a web server's questions, and put them to an authorizer."""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time
from types import TracebackType

from django.conf import settings
from django.urls import set_script_prefix

from django_deploykit.auth import fastcgi
from django_deploykit.auth.fastcgi import Answer

logger = logging.getLogger("django_deploykit.auth")

Address = tuple[str, int] | str

# The first descriptor that a service manager passes on (sd_listen_fds(3)).
_FIRST_HANDED = 3

# So many connections wait for a thread; the kernel may allow fewer.
_BACKLOG = 1024

# Seconds after which a thread that could take no connection tries again.
_PAUSE = 0.5


def listening(address: Address) -> socket.socket:
    """A socket at ``host:port``, or at a path: there nobody connects but its owner and its group,
    which may be the web server's."""
    made = socket.socket(_family(address))
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        if isinstance(address, str):
            os.chmod(address, 0o660)
        made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def handed() -> socket.socket | None:
    """The socket that a service manager hands to this process, if it does (sd_listen_fds(3)).

    Raise OSError unless it is one, and listens. What the process starts itself is handed nothing.
    """
    is_ours = os.environ.pop("LISTEN_PID", "") == str(os.getpid())
    count = os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if not is_ours:
        return None
    if count != "1":
        raise OSError(f"LISTEN_FDS: one socket is wanted here, and not {count or 'none'}")
    os.set_inheritable(_FIRST_HANDED, False)
    found = socket.socket(fileno=_FIRST_HANDED)
    if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise OSError(f"LISTEN_FDS: the socket at {found.getsockname()!r} does not listen")
    return found


def _family(address: Address) -> socket.AddressFamily:
    if isinstance(address, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


class Server:
    """Asks ``authorizer`` in so many threads about whatever comes in at ``listener``.

    ``serve_forever()`` runs until ``shutdown()``; the end of the ``with`` block waits for what was
    begun, and closes the listener. Each thread takes connections by itself: to be handed one would
    cost as much as to answer.
    """

    def __init__(self, listener: socket.socket, authorizer: Answer, threads: int) -> None:
        listener.setblocking(False)
        self._listener, self._authorizer = listener, authorizer
        self._ending, self._end = socket.socketpair()
        self._threads = [
            threading.Thread(target=self._work, name=f"authorizer-{number}")
            for number in range(threads)
        ]

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()
        for thread in self._threads:
            if thread.ident:
                thread.join()
        for one in (self._listener, self._ending):
            one.close()

    @property
    def address(self) -> Address:
        """Where it listens."""
        found: Address = self._listener.getsockname()
        return found

    def serve_forever(self) -> None:
        """Serve until the end."""
        for thread in self._threads:
            thread.start()
        select.select([self._ending], [], [])

    def shutdown(self) -> None:
        """Take no more requests. It may be called by a signal's handler."""
        self._end.close()

    def _work(self) -> None:
        set_script_prefix(settings.FORCE_SCRIPT_NAME or "/")
        with select.epoll() as poll:
            # One thread is woken by a new connection, and not all of them.
            poll.register(self._listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
            poll.register(self._ending, select.EPOLLIN)
            while self._ending.fileno() not in dict(poll.poll()):
                if accepted := self._accepted():
                    self._attend(accepted)

    def _accepted(self) -> socket.socket | None:
        """The next connection, if there is one for this thread."""
        try:
            return self._listener.accept()[0]
        except (BlockingIOError, ConnectionError):  # Another thread has it, or it is gone.
            return None
        except OSError:  # Too many open files, for one; it would be told the same at once.
            logger.exception("a connection was not taken")
            time.sleep(_PAUSE)
            return None

    def _attend(self, accepted: socket.socket) -> None:
        with accepted:
            try:
                fastcgi.Connection(accepted).converse(self._authorizer)
            except (fastcgi.ProtocolError, EOFError, OSError) as error:
                # Nothing was granted: where the answer is missing, the web server refuses.
                logger.warning("a web server's request was dropped: %s", error)
            except Exception:
                logger.exception("a connection failed")
