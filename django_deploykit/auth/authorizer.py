"""A FastCGI authorizer: Apache's mod_authnz_fcgi, lighttpd and nginx ask it who may pass.

lighttpd and nginx take an answer without ``Status`` for a yes. So each begins with it, in every
path; and where there is none at all, all three servers refuse.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from django.views.decorators.debug import sensitive_variables

from django_deploykit import contract
from django_deploykit.auth import answers, fastcgi
from django_deploykit.auth.credentials import Credentials, from_wire, is_one_line
from django_deploykit.auth.database import fresh_connections
from django_deploykit.auth.decision import Decision
from django_deploykit.auth.requests import AreaRequest, normalised, unclaimed
from django_deploykit.auth.state import authenticator
from django_deploykit.auth.waiting import at_once, takes_time

logger = logging.getLogger("django_deploykit.auth")

_Headers = Sequence[tuple[str, str]]

# With the phrase: Apache would write "Unknown Reason" instead.
_STATUS = {one: f"Status: {one.value} {one.phrase}" for one in HTTPStatus}


@dataclass(frozen=True)
class Authorizer:
    """Answers the parameters of one request with header lines.

    ``token``, if there is one, has to arrive from the web server; who cannot show it gets 500. So
    does who asks for another ``site``, or for none, if it is known whose users these are.
    """

    policy: str
    realm: str
    token: str = field(default="", repr=False)
    site: str = ""

    @sensitive_variables()  # of all that is called from here, where the log is mailed
    def __call__(self, role: int, params: dict[str, str]) -> bytes:
        try:
            with fresh_connections():
                return _head(*self._answer(role, params))
        except Exception:
            # 500 and nothing else: Apache counts every other status as a wrong password.
            logger.exception("an authorization failed")
            return _head(HTTPStatus.INTERNAL_SERVER_ERROR, [])

    def at_once(self, role: int, params: dict[str, str]) -> bytes | None:
        """The answer, where memory is enough for it; else None, and nothing was done."""
        try:
            with at_once:
                return _head(*self._answer(role, params))
        except Exception:  # MustWait; of an error the call itself will tell.
            return None

    def _answer(self, role: int, params: dict[str, str]) -> tuple[HTTPStatus, _Headers]:
        if mistake := self._mistake(params):
            takes_time()
            logger.error(mistake)
            return HTTPStatus.INTERNAL_SERVER_ERROR, []
        target = params.get("REQUEST_URI", "")
        path = normalised(target)
        if path is None:
            return HTTPStatus.FORBIDDEN, []
        if role == fastcgi.RESPONDER:  # nginx's own question has no query.
            params["QUERY_STRING"] = target.partition("?")[2]
        # mod_ssl sets HTTPS only after Apache has asked.
        secure = params.get("REQUEST_SCHEME") == "https" or params.get("HTTPS") in ("on", "1")
        method = params.get("REQUEST_METHOD", "GET")
        request = AreaRequest(unclaimed(params), path, method, secure=secure)
        policy = params.get(contract.AUTH_POLICY_KEY) or self.policy
        if role == fastcgi.RESPONDER:
            return self._tell_nginx(params, request, policy)
        return self._asked(params, request, policy)

    def _mistake(self, params: dict[str, str]) -> str:
        """Why this is no question of the web server's for this site; "" if it is one."""
        shown = params.get(contract.AUTH_TOKEN_KEY, "")
        if not hmac.compare_digest(shown.encode(), self.token.encode()):
            return "a request came without the token of the web server"
        named = params.get(contract.SITE_KEY, "")
        if self.site and named != self.site:
            return (
                f"a request came for the site {named!r}, and these are the users of {self.site!r}; "
                "give each site an authorizer of its own (DEPLOYMENT['authorizer'])"
            )
        return ""

    def _tell_nginx(
        self, params: dict[str, str], request: AreaRequest, policy: str
    ) -> tuple[HTTPStatus, _Headers]:
        """What ``auth_request`` understands, which shows the client nothing of it."""
        authorization = params.get("HTTP_AUTHORIZATION", "")
        decision = answers.decide(authenticator(), request, authorization, answers.SCHEMES, policy)
        if decision.granted and decision.account:
            return HTTPStatus.OK, decision.account.identity
        status, headers = self._refused(answers.nginx_status(decision))
        if status is HTTPStatus.UNAUTHORIZED and answers.wants_page(request, authorization):
            location = answers.login_url(params["REQUEST_URI"])
            headers = [*headers, (contract.AUTH_LOGIN_HEADER, location)]
        return status, headers

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
        decision = answers.decide(authenticator(), request, authorization, answers.SCHEMES, policy)
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
    """Only these on a 200: Apache would send any other header to the client.

    A server takes blanks around a value away, and the user for another one.
    """
    if not is_one_line(name) or name != name.strip():
        raise ValueError(f"{name!r} cannot be told to a web server.")
    return [(f"Variable-{contract.AUTH_USER_KEY}", name)]


def _head(status: HTTPStatus, headers: _Headers) -> bytes:
    """Status first."""
    if status is not HTTPStatus.OK:
        headers = [*headers, ("Cache-Control", "no-store"), ("Content-Type", "text/plain")]
    lines = [_STATUS[status], *[f"{name}: {value}" for name, value in headers]]
    body = "" if status is HTTPStatus.OK else f"{status.phrase}\n"
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
