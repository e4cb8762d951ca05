"""flup's FastCGI and SCGI, in processes that end and are replaced as they should be.

flup's own prefork server is not used: since Python 3.5 (PEP 475) a signal no longer interrupts
its select(), so that it does not end on SIGTERM; and it never knows that a process is busy.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flup.server import fcgi_base, fcgi_single, scgi_base
from flup.server.singleserver import SingleServer

from django_deploykit.handlers.workers import (
    EXPECTED,
    bound_socket,
    close_databases,
    close_inherited_socket,
    inherited_socket,
    limited_alone,
    supervise,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# What WSGI requires (PEP 3333), should a front leave it out.
_REQUIRED = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "",
    "QUERY_STRING": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.0",
}
# Seconds between two looks whether the process is to end.
_LOOK = 1.0


def serve(
    application: WSGIApplication,
    *,
    protocol: str,
    address: str | tuple[str, int] | None,
    processes: int,
    seconds: int,
) -> None:
    """Answer requests over ``"fastcgi"`` or ``"scgi"``, each within ``seconds``.

    A listening socket on descriptor 0 comes before ``address``, on which this process otherwise
    listens with ``processes`` of its own. Without an address the front server starts, counts and
    ends processes (mod_fcgid, shared hosts); then this is one of them.
    """
    listener = inherited_socket()
    if listener is None and address is None:
        sys.exit("This file is started by a web server, with a FastCGI socket as standard input.")
    listener = listener or bound_socket(address or "")
    listener.setblocking(False)  # Another process may take the connection first.
    close_databases()
    server = _SERVERS[protocol](_told(application), seconds)
    if address is None:
        server.work_alone(listener)
    else:
        supervise(listener, server.work, processes)


def _told(application: WSGIApplication) -> WSGIApplication:
    """Errors go where the process's own go, and there are several processes."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.errors"], environ["wsgi.multiprocess"] = sys.stderr, True
        return application(environ, start_response)

    return answer


class _Repaired(SingleServer):  # type: ignore[misc]  # flup has no types
    """One process: a listening socket that it may share with others, and a limit for requests."""

    _own: socket.socket | None = None

    def work(self, listener: socket.socket) -> None:
        self._web_server_addrs = None
        SingleServer.run(self, listener)

    def work_alone(self, listener: socket.socket) -> None:
        """The same for a socket that a front made, and at which nobody else answers for it."""
        self._own = listener
        self._let_in: list[tuple[socket.socket, Any]] = []
        try:
            self.work(listener)
        except (OSError, ValueError):  # It was waited at when it was closed.
            if self._keepGoing:
                raise
        for connection, address in self._let_in:
            self._jobClass(connection, address, *self._jobArgs).run()

    def _intHandler(self, number: int, frame: object) -> None:
        """Turn new connections away at once: mod_fcgid then asks another process, while one that
        is let in after the last request would be lost."""
        super()._intHandler(number, frame)
        if self._own is None:
            return
        with contextlib.suppress(OSError):  # Until nobody waits; or it is closed already.
            while True:
                self._let_in.append(self._own.accept())
        self._own.close()
        close_inherited_socket()

    def expects(self, connection: socket.socket, begun: bool) -> bool:
        """Wait until something comes, no longer than a request may take, and tell whether it did:
        a front that died without a word would hold the process for ever. If the process is to end,
        a request that has not ``begun`` is awaited for a moment only."""
        since = time.monotonic()
        while not select.select((connection,), (), (), _LOOK)[0]:
            most = self.seconds if begun or self._keepGoing else EXPECTED
            if time.monotonic() - since > most:
                return False
        return True

    def handler(self, request: Any) -> Any:
        with limited_alone(self.seconds):
            return super().handler(request)

    def _sanitizeEnv(self, environ: dict[str, Any]) -> None:
        """Only add: flup would put a part of REQUEST_URI, still encoded, into PATH_INFO."""
        for name, value in _REQUIRED.items():
            environ.setdefault(name, value)


class _Input(fcgi_base.InputStream):  # type: ignore[misc]
    """A body whose sender went away is an OSError, for which Django is prepared."""

    def _waitForData(self) -> None:
        try:
            super()._waitForData()
        except EOFError:
            raise ConnectionResetError("the request ended within its body") from None


class _Connection(fcgi_base.Connection):  # type: ignore[misc]
    """A connection whose loss costs its request, not the process."""

    _inputStreamClass = _Input

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._sock.settimeout(self.server.seconds)
        self._params: dict[int, bytes] = {}

    def run(self) -> None:
        try:
            super().run()
        except OSError:
            with contextlib.suppress(OSError):
                self._sock.close()

    def process_input(self) -> None:
        if not self.server.expects(self._sock, begun=bool(self._requests)):
            raise EOFError
        super().process_input()

    def _cleanupSocket(self) -> None:
        """Let the front, which may still read, close first; flup would wait for that for ever."""
        with contextlib.suppress(OSError):
            self._sock.settimeout(EXPECTED)
            self._sock.shutdown(socket.SHUT_WR)
            while self._sock.recv(1024):
                pass
        self._sock.close()

    def _do_params(self, record: Any) -> None:
        """Join the stream first: a pair may go on in the next record (specification, 3.3)."""
        if record.contentLength:
            parts = self._params.get(record.requestId, b"")
            self._params[record.requestId] = parts + record.contentData
            return
        request = self._requests.get(record.requestId)
        data, position = self._params.pop(record.requestId, b""), 0
        while request is not None and position < len(data):
            position, (name, value) = fcgi_base.decode_pair(data, position)
            request.params[name.decode("latin-1")] = value.decode("latin-1")
        super()._do_params(record)


class _ScgiConnection(scgi_base.Connection):  # type: ignore[misc]
    """A connection that is given up if nothing comes."""

    def run(self) -> None:
        self._sock.settimeout(self.server.seconds)
        if self.server.expects(self._sock, begun=False):
            super().run()
        else:
            self._sock.close()


class _FastCgi(_Repaired, fcgi_single.WSGIServer):  # type: ignore[misc]
    def __init__(self, application: WSGIApplication, seconds: int) -> None:
        fcgi_single.WSGIServer.__init__(self, application)
        self.seconds, self._jobClass = seconds, _Connection


class _Scgi(_Repaired, scgi_base.BaseSCGIServer):  # type: ignore[misc]
    def __init__(self, application: WSGIApplication, seconds: int) -> None:
        # Who may connect is decided by the socket's mode, or by the address.
        scgi_base.BaseSCGIServer.__init__(
            self,
            application,
            multithreaded=False,
            allowedServers=None,
            loggingLevel=logging.WARNING,
        )
        SingleServer.__init__(self, _ScgiConnection, (self, None))
        self.seconds = seconds


_SERVERS = {"fastcgi": _FastCgi, "scgi": _Scgi}
