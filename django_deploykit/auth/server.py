"""One thread that speaks with web servers, and answers what it knows; others find out the rest."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.urls import set_script_prefix

from django_deploykit.auth import fastcgi
from django_deploykit.auth.conversation import Authority, Conversation, Wanted
from django_deploykit.auth.sockets import Address
from django_deploykit.auth.workers import Workers

logger = logging.getLogger("django_deploykit.auth")

# So many connections of which no request has come yet, or which still take their answer: beyond
# that, the oldest gives way. And so many that threads shall answer: beyond that, others wait.
_OPEN, _PENDING = 256, 256

# Seconds between two looks for conversations that take too long.
_TICK = 0.25

# Seconds after which it looks up where nothing happens: a signal that another thread took does not
# wake this one, whose part its handler is.
_REST = 1.0

# Seconds for which no connection is taken, after one could not be.
_PAUSE = 0.5


class Server:
    """Asks ``authority`` about whatever comes in at ``listener``.

    ``serve_forever()`` runs until ``shutdown()``; the end of the ``with`` block waits for what was
    begun, and closes the listener. Nobody's silence keeps another waiting: what is known is
    answered by the thread that reads the question, and ``threads`` others wait for database,
    hasher, and what else the project may do.
    """

    def __init__(self, listener: socket.socket, authority: Authority, threads: int) -> None:
        listener.setblocking(False)
        self._listener, self._authority = listener, authority
        self._workers = Workers(threads)
        self._poll = select.epoll()
        self._open: dict[int, Conversation] = {}
        self._listens, self._ending = False, False
        self._rested = self._looked = 0.0
        self._ended = threading.Event()
        self._ended.set()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._ended.wait()
        self._workers.stop()
        self._poll.close()
        self._listener.close()

    @property
    def address(self) -> Address:
        """Where it listens."""
        found: Address = self._listener.getsockname()
        return found

    def serve_forever(self) -> None:
        """Serve until the end, and until what was begun is answered."""
        self._ended.clear()
        try:
            self._workers.start()
            set_script_prefix(settings.FORCE_SCRIPT_NAME or "/")
            self._poll.register(self._workers.bell, select.EPOLLIN)
            self._poll.register(self._listener, 0)
            while not self._ending or self._open or self._workers.pending:
                self._turn()
        finally:
            self._ended.set()

    def shutdown(self) -> None:
        """Take no more requests. It may be called by a signal's handler."""
        if not self._ending:
            self._ending = True
            self._workers.ring()

    def _turn(self) -> None:
        self._mind_the_door()
        for number, _ in self._poll.poll(_TICK if self._open or not self._listens else _REST):
            if number == self._listener.fileno():
                self._accept()
            elif number == self._workers.bell:
                self._workers.collect()
            elif conversation := self._open.get(number):
                self._proceed(conversation)
        self._look()

    def _mind_the_door(self) -> None:
        """Listen, or not for the moment."""
        listens = (
            not self._ending
            and self._workers.pending < _PENDING
            and time.monotonic() >= self._rested
        )
        if listens != self._listens:
            self._listens = listens
            self._poll.modify(self._listener, select.EPOLLIN if listens else 0)

    def _accept(self) -> None:
        try:
            accepted = self._listener.accept()[0]
        except (BlockingIOError, ConnectionError):  # It is gone.
            return
        except OSError as error:  # Too many open files, for one; it would be told the same at once.
            self._rested = time.monotonic() + _PAUSE
            self._log(logging.ERROR, "a connection was not taken", error)
            return
        if len(self._open) >= _OPEN:
            self._interrupt(next(iter(self._open.values())), "others came")
        self._proceed(Conversation(accepted, self._authority))

    def _proceed(self, conversation: Conversation, answer: bytes | None = None) -> None:
        self._step(conversation, partial(conversation.proceed, answer))

    def _interrupt(self, conversation: Conversation, why: str) -> None:
        self._step(conversation, partial(conversation.interrupt, why))

    def _step(self, conversation: Conversation, step: Callable[[], Wanted]) -> None:
        """Go on, and see to what has to happen next."""
        try:
            wanted = step()
        except StopIteration:
            self._end(conversation)
        except (fastcgi.ProtocolError, EOFError, OSError) as error:
            # Nothing was granted: where the answer is missing, the web server refuses.
            self._end(conversation)
            self._log(logging.WARNING, f"a web server's request was dropped: {error}")
        except Exception as error:
            self._end(conversation)
            self._log(logging.ERROR, "a connection failed", error)
        else:
            self._wait(conversation, wanted)

    def _wait(self, conversation: Conversation, wanted: Wanted) -> None:
        if isinstance(wanted, int):
            self._watch(conversation, wanted)
        else:
            self._watch(conversation, 0)
            self._workers.hand(wanted, partial(self._proceed, conversation))

    def _end(self, conversation: Conversation) -> None:
        self._watch(conversation, 0)
        conversation.close()

    def _watch(self, conversation: Conversation, events: int) -> None:
        """Let the poll tell of these events, or of nothing."""
        number, before = conversation.number, conversation.events
        if events == before:
            return
        conversation.events = events
        if not events:
            del self._open[number]
            self._poll.unregister(number)
        elif before:
            self._poll.modify(number, events)
        else:
            self._open[number] = conversation
            self._poll.register(number, events)

    def _look(self) -> None:
        """For conversations that took too long, however slowly bytes dropped in."""
        now = time.monotonic()
        if now < self._looked + _TICK:
            return
        self._looked = now
        for conversation in [one for one in self._open.values() if one.deadline <= now]:
            self._interrupt(conversation, "it took too long")

    def _log(self, level: int, message: str, error: Exception | None = None) -> None:
        """By a thread: the project's handlers may wait for a disk, or for a mail server."""
        work = partial(logger.log, level, "%s", message, exc_info=error)
        self._workers.hand(work, lambda _: None)
