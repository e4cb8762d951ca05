"""A FastCGI authorizer: Apache's mod_authnz_fcgi and lighttpd ask it who may pass.

lighttpd takes an answer without ``Status`` for a yes. So each begins with it, in every path; and
where there is none at all, both servers answer 500.
"""

from __future__ import annotations

import hmac
import logging
import os
import socket
import socketserver
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.urls import set_script_prefix

from django_deploykit import contract
from django_deploykit.auth import answers, fastcgi
from django_deploykit.auth.credentials import Credentials, from_wire, is_one_line
from django_deploykit.auth.database import fresh_connections
from django_deploykit.auth.decision import Decision
from django_deploykit.auth.requests import AreaRequest, normalised
from django_deploykit.auth.state import authenticator

logger = logging.getLogger("django_deploykit.auth")

_Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Authorizer:
    """Answers the parameters of one request with header lines.

    ``token``, if there is one, has to arrive from the web server; who cannot show it gets 500.
    """

    policy: str
    realm: str
    token: str = field(default="", repr=False)

    def __call__(self, params: dict[str, str]) -> bytes:
        try:
            with fresh_connections():
                return _head(*self._answer(params))
        except Exception:
            # 500 and nothing else: Apache counts every other status as a wrong password.
            logger.exception("an authorization failed")
            return _head(HTTPStatus.INTERNAL_SERVER_ERROR, [])

    def _answer(self, params: dict[str, str]) -> tuple[HTTPStatus, _Headers]:
        shown = params.pop(contract.AUTH_TOKEN_KEY, "")
        if not hmac.compare_digest(shown.encode(), self.token.encode()):
            logger.error("a request came without the token of the web server")
            return HTTPStatus.INTERNAL_SERVER_ERROR, []
        path = normalised(params.get("REQUEST_URI", ""))
        if path is None:
            return HTTPStatus.FORBIDDEN, []
        # mod_ssl sets HTTPS only after Apache has asked.
        secure = params.get("REQUEST_SCHEME") == "https" or params.get("HTTPS") in ("on", "1")
        request = AreaRequest(params, path, params.get("REQUEST_METHOD", "GET"), secure=secure)
        return self._asked(params, request, params.get(contract.AUTH_POLICY_KEY) or self.policy)

    def _asked(
        self, params: dict[str, str], request: AreaRequest, policy: str
    ) -> tuple[HTTPStatus, _Headers]:
        """What was asked: is this the password, may this user pass, or who is this at all?"""
        login = from_wire(params.get("REMOTE_USER", ""))
        if "REMOTE_PASSWD" in params:
            credentials = Credentials(login, from_wire(params["REMOTE_PASSWD"]))
            return self._checked(authenticator().by_password(credentials, request, policy), login)
        if params.get("FCGI_APACHE_ROLE") == "AUTHORIZER":
            return self._checked(authenticator().by_name(login, request, policy), login)
        return self._converse(params, request, policy)

    def _checked(self, decision: Decision, login: str) -> tuple[HTTPStatus, _Headers]:
        """The server keeps the name as it was typed; so no other spelling may pass."""
        if not decision.granted:
            return self._refused(answers.status(decision))
        if decision.account is None or decision.account.name != login:
            return HTTPStatus.FORBIDDEN, []
        return HTTPStatus.OK, _variables(login)

    def _converse(
        self, params: dict[str, str], request: AreaRequest, policy: str
    ) -> tuple[HTTPStatus, _Headers]:
        """The answer goes to the client: a page, a password prompt, or the way to log in."""
        authorization = params.get("HTTP_AUTHORIZATION", "")
        decision = answers.decide(request, authorization, answers.SCHEMES, policy)
        if decision.granted and decision.account:
            return HTTPStatus.OK, _variables(decision.account.name)
        status = answers.status(decision)
        is_nobody = status is HTTPStatus.UNAUTHORIZED
        if is_nobody and answers.wants_page(request, authorization):
            return HTTPStatus.FOUND, [("Location", answers.login_url(params["REQUEST_URI"]))]
        return self._refused(status)

    def _refused(self, status: HTTPStatus) -> tuple[HTTPStatus, _Headers]:
        """Without a challenge, the client that sent a wrong password would not ask for another."""
        asks = status is HTTPStatus.UNAUTHORIZED
        return status, [answers.challenge(self.realm)] if asks else []


def _variables(name: str) -> _Headers:
    """Only these on a 200: Apache would send any other header to the client."""
    if not is_one_line(name):
        raise ValueError(f"{name!r} cannot be told to a web server.")
    return [(f"Variable-{contract.AUTH_USER_KEY}", name)]


def _head(status: HTTPStatus, headers: _Headers) -> bytes:
    """Status first. With the phrase: Apache would write "Unknown Reason" instead."""
    if status is not HTTPStatus.OK:
        headers = [*headers, ("Cache-Control", "no-store"), ("Content-Type", "text/plain")]
    lines = [f"Status: {status.value} {status.phrase}", *(f"{n}: {v}" for n, v in headers)]
    body = "" if status is HTTPStatus.OK else f"{status.phrase}\n"
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


class _Handler(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        try:
            fastcgi.converse(self.request, self.server.authorizer)
        except (fastcgi.ProtocolError, EOFError, OSError) as error:
            # Nothing was granted: where the answer is missing, the web server refuses.
            logger.warning("a web server's request was dropped: %s", error)


class Server(socketserver.TCPServer):
    """Listens on ``host:port`` or a path, and asks ``authorizer`` in so many threads.

    ``serve_forever()`` runs until ``shutdown()``; ``server_close()`` then waits for what was
    begun.
    """

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int] | str, authorizer: Authorizer, threads: int
    ) -> None:
        self.address_family = _family(address)
        self.authorizer = authorizer
        self._free = threading.BoundedSemaphore(threads)
        self._pool = ThreadPoolExecutor(
            threads, "authorizer", set_script_prefix, (settings.FORCE_SCRIPT_NAME or "/",)
        )
        super().__init__(address, _Handler)  # type: ignore[arg-type]  # a path is one, too

    def server_bind(self) -> None:
        """Nobody connects to a path but its owner and group, which may be the web server's."""
        super().server_bind()
        if isinstance(self.server_address, str):
            os.chmod(self.server_address, 0o660)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take no more connections than there are threads; the others wait with the kernel."""
        self._free.acquire()
        self._pool.submit(self._work, request, client_address)

    def _work(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            logger.exception("a connection failed")
        finally:
            self.shutdown_request(request)
            self._free.release()

    def server_close(self) -> None:
        super().server_close()
        self._pool.shutdown(wait=True)


def _family(address: tuple[str, int] | str) -> socket.AddressFamily:
    if isinstance(address, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET
