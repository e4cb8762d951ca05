"""Twisted's WSGI container behind a front server, in processes that are replaced if they end.

By itself it fails on a unix socket, reads a form with its files into memory before the
application is asked, and keeps as much of an answer in memory as a slow client leaves it.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
from collections.abc import Generator
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from twisted.internet import defer, task
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IPushProducer, IReadDescriptor
from twisted.internet.threads import deferToThread
from twisted.logger import (
    FilteringLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.python.threadpool import ThreadPool
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from twisted.web.wsgi import WSGIResource
from zope.interface import implementer

from django_deploykit.handlers.workers import (
    EXPECTED,
    bound_socket,
    close_databases,
    inherited_socket,
    limited,
    supervise,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Longer than any front keeps an idle connection, so that none is closed under it.
_KEEP_ALIVE = 75
# Seconds between two looks at what is still open when a process is to end.
_LOOK = 0.02
# So long no connection is let in when there was no room for one, and what says so.
_PAUSE = 0.5
_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# Bytes of a request's line and headers: Twisted's own 16 KiB are less than fronts let in.
_REQUEST_HEAD = 65535
# What a unix socket has instead: the front says who the client is (handlers/behind.py).
_NOWHERE = IPv4Address("TCP", "", 0)


def serve(
    application: WSGIApplication,
    *,
    address: str | tuple[str, int],
    processes: int,
    threads: int,
    seconds: int,
) -> None:
    """Answer HTTP requests in so many processes and threads of each.

    One that needs more than ``seconds`` before its answer begins costs its process.
    A listening socket on descriptor 0 comes before ``address``.
    """
    listener = inherited_socket() or bound_socket(address)
    listener.setblocking(False)  # Another process may take the connection first.
    close_databases()
    supervise(listener, lambda one: _work(one, application, threads, seconds), processes)


def _work(listener: socket.socket, application: WSGIApplication, threads: int, limit: int) -> None:
    """Be one process, until SIGTERM."""
    # A reactor belongs to one process: its import, which makes it, comes after the fork.
    from twisted.internet import reactor

    important = LogLevelFilterPredicate(LogLevel.warn)
    observer = FilteringLogObserver(textFileLogObserver(sys.stderr), [important])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    pool = ThreadPool(0, threads, "requests")
    root = _Application(reactor, pool, application, limit)
    site = Site(root, _Request, timeout=_KEEP_ALIVE, parsePOSTFormSubmission=False)
    site.protocol = _Channel
    site.displayTracebacks, site.noisy = False, False
    site.log = lambda request: None  # The front has a log of requests.
    door = _Door(reactor, listener, site)
    reactor.callWhenRunning(pool.start)
    reactor.callWhenRunning(door.open)
    reactor.addSystemEventTrigger("before", "shutdown", door.close, root, pool)
    reactor.run()


@implementer(IReadDescriptor)
class _Door:
    """Lets connections in. Twisted's own port would delete a unix socket when one process ends."""

    _log = Logger()

    def __init__(self, reactor: Any, listener: socket.socket, site: Site) -> None:
        self._reactor, self._listener, self._site = reactor, listener, site
        self._connections: list[Any] = []
        self._ending = False

    def open(self) -> None:
        """Let connections in, if the process is not to end."""
        if not self._ending:
            self._reactor.addReader(self)

    def fileno(self) -> int:
        return self._listener.fileno()

    def doRead(self) -> None:
        try:
            with self._listener.accept()[0] as connection:
                connection.setblocking(False)
                adopted = self._reactor.adoptStreamConnection(
                    connection.fileno(), self._listener.family, self._site
                )
                self._connections = [*self._open(), adopted]
        except OSError as error:
            # Else another process was quicker, or the front has given up.
            if error.errno in _NO_ROOM:
                self._rest(error)

    def _rest(self, error: OSError) -> None:
        """Look away for a moment: the reactor would be told the same at once, again and again."""
        self._log.error("A connection was not let in: {error}", error=error)
        self._reactor.removeReader(self)
        self._reactor.callLater(_PAUSE, self.open)

    def close(self, application: _Application, pool: ThreadPool) -> defer.Deferred[Any]:
        """Let nobody in; the result comes when every answer has left, also to a request that was
        still on its way, and no thread works any more."""
        self._ending = True
        self._reactor.removeReader(self)
        last = self._reactor.seconds() + EXPECTED

        def look() -> None:
            late = not application.running and self._reactor.seconds() > last
            for connection in self._open():
                if late or connection in application.answered:
                    connection.loseConnection()  # After what it still has to write.
            if not self._open():
                watch.stop()

        watch = task.LoopingCall(look)
        # A thread whose client has left may still write, and waits for the reactor to do it: so
        # the reactor turns on, and another thread waits.
        return watch.start(_LOOK).addCallback(lambda _: deferToThread(pool.stop))

    def _open(self) -> list[Any]:
        return [one for one in self._connections if not one.disconnected]

    def connectionLost(self, reason: Any) -> None:
        """Nothing is lost: other processes listen on."""

    def logPrefix(self) -> str:
        return "front"


class _Channel(HTTPChannel):  # type: ignore[misc]
    """HTTP/1.1 with room for the headers that a front lets in."""

    totalHeadersSize = _REQUEST_HEAD


class _Request(Request):  # type: ignore[misc]  # Twisted's types say nothing of subclasses
    """A request on a unix socket, or with a body whose length was not said before."""

    def getClientAddress(self) -> Any:
        found = super().getClientAddress()
        return found if hasattr(found, "port") else _NOWHERE

    def getHost(self) -> Any:
        found = super().getHost()
        return found if hasattr(found, "port") else _NOWHERE

    def process(self) -> None:
        if self.requestHeaders.hasHeader(b"transfer-encoding"):
            length = self.content.seek(0, os.SEEK_END)
            self.content.seek(0)
            self.requestHeaders.setRawHeaders(b"content-length", [b"%d" % length])
        super().process()


class _Application(Resource):  # type: ignore[misc]
    """The application at every URL, and how many of its answers are on their way."""

    isLeaf = True

    def __init__(self, reactor: Any, pool: Any, application: WSGIApplication, limit: int) -> None:
        super().__init__()
        self._reactor, self._pool, self._limit = reactor, pool, limit
        self._application = application
        self.running = 0
        # The connections that wait for nothing.
        self.answered: WeakSet[Any] = WeakSet()

    def render(self, request: Request) -> Any:
        request.responseHeaders.removeHeader(b"server")
        self.running += 1
        connection = request.channel.transport
        self.answered.discard(connection)
        request.notifyFinish().addBoth(self._ended, connection)
        flow = _Flow()
        request.registerProducer(flow, True)
        paced = flow.paced(
            self._application, self._limit, lambda: self._reactor.callFromThread(_done, request)
        )
        WSGIResource(self._reactor, self._pool, paced).render(request)
        return NOT_DONE_YET

    def _ended(self, reason: Any, connection: Any) -> None:
        self.running -= 1
        self.answered.add(connection)


def _done(request: Request) -> None:
    """Nothing more is written, if there still is a connection."""
    if request.channel is not None:
        request.unregisterProducer()


@implementer(IPushProducer)
class _Flow:
    """Keeps an application from writing faster than the connection takes it."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()

    def pauseProducing(self) -> None:
        self._open.clear()

    def resumeProducing(self) -> None:
        self._open.set()

    stopProducing = resumeProducing

    def paced(self, application: WSGIApplication, limit: int, done: Any) -> WSGIApplication:
        """The application, which in a thread waits for the connection, and says when it ended."""

        def answer(
            environ: WSGIEnvironment, start_response: StartResponse
        ) -> Generator[bytes, None, None]:
            environ["wsgi.errors"], environ["wsgi.multiprocess"] = sys.stderr, True
            try:
                with limited(limit):  # But a slow client costs no process, which others share.
                    response = application(environ, start_response)
                try:
                    for part in response:
                        self._open.wait()
                        yield part
                finally:
                    if close := getattr(response, "close", None):
                        close()
            finally:
                done()

        return answer
