"""Views that a web server asks, instead of a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from django_deploykit import contract
from django_deploykit.auth import answers, sessions
from django_deploykit.auth.decision import Decision
from django_deploykit.auth.options import PLACE
from django_deploykit.auth.requests import AreaRequest, normalised, texts
from django_deploykit.auth.state import authenticator
from django_deploykit.exceptions import unknown

# Which headers tell the URL and the method that a server of the dialect asks for.
_DIALECTS = {
    "nginx": (contract.AUTH_URL_HEADER, contract.AUTH_METHOD_HEADER),
    "forward": (contract.FORWARD_AUTH_URL_HEADER, contract.FORWARD_AUTH_METHOD_HEADER),
}
_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}\Z")


class _Answer(HttpResponse):
    """A response without cookies, whatever middleware does: most servers would lose them."""

    def __init__(self, status: HTTPStatus, headers: Sequence[tuple[str, str]]) -> None:
        super().__init__(status=status)
        for name, value in [*headers, ("Cache-Control", "no-store, private")]:
            # UTF-8, as the authorizer writes it; Django would make a MIME word of other letters.
            self[name] = value.encode().decode("latin-1")

    def set_cookie(self, *args: Any, **kwargs: Any) -> None:
        """Set none."""

    def delete_cookie(self, *args: Any, **kwargs: Any) -> None:
        """Touch none."""


class AuthRequestView(View):
    """Says whether a request that a web server holds may pass: nginx's ``auth_request``, or the
    forward authentication of Traefik and Caddy.

    ``policy``   the name of a policy, or a rule with a colon or a dot
    ``dialect``  ``"nginx"``, which understands 200, 401 and 403 only, and is told the way to log in
                 by a header; or ``"forward"``, where the answer goes to the client: with 429, and
                 a redirect to log in for a browser
    ``schemes``  ``"session"``, ``"basic"``, or both
    ``realm``    what a password prompt says

    The policy stands with the URL of the view, and no header changes it. Errors are raised.
    """

    policy = "active"
    dialect = "nginx"
    schemes: tuple[str, ...] = answers.SCHEMES
    realm = "Restricted"

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., HttpResponseBase]:
        """The view, without the transaction that Django would begin before it (ATOMIC_REQUESTS),
        and cannot before an asynchronous one. Raise ImproperlyConfigured for a dialect or a scheme
        that does not exist, or a policy that is no text."""
        cls(**initkwargs)._refuse_mistakes()
        view = login_not_required(csrf_exempt(super().as_view(**initkwargs)))
        for alias in settings.DATABASES:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def _refuse_mistakes(self) -> None:
        origin = f"{type(self).__name__}.as_view()"
        for kind, given, known in (
            ("dialect", [self.dialect], _DIALECTS),
            ("scheme", self.schemes or [""], answers.SCHEMES),
        ):
            for value in given:
                if value not in known:
                    raise ImproperlyConfigured(unknown(kind, str(value), origin, known))
        if not isinstance(self.policy, str):
            what = f"{self.policy!r} is no policy's name"
            raise ImproperlyConfigured(f"{origin}: {what}. Give it one in {PLACE}['POLICIES'].")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer any method alike: nginx asks with GET, others with the client's own."""
        return self.answer(request)

    @sensitive_variables()  # of all that is called from here, in reports of errors
    def answer(self, request: HttpRequest) -> HttpResponse:
        """The response for a request of the web server."""
        # Middleware would save the session (SESSION_SAVE_EVERY_REQUEST); this one never is.
        request.session = sessions.read_session(request)
        held = self._held(request)
        if held is None:
            return _Answer(HTTPStatus.FORBIDDEN, [])
        authorization = request.META.get("HTTP_AUTHORIZATION", "")
        judge = authenticator().behind_middleware(request)
        decision = answers.decide(judge, held, authorization, self.schemes, self.policy)
        return self._respond(decision, held, authorization)

    def _held(self, request: HttpRequest) -> AreaRequest | None:
        """The request that the server holds, or None if its URL could be read in two ways."""
        url_header, method_header = _DIALECTS[self.dialect]
        target = request.META.get(contract.environ_key(url_header), request.get_full_path())
        method = request.META.get(contract.environ_key(method_header), request.method or "")
        path = normalised(target)
        if path is None or not _METHOD.match(method):
            return None
        meta = {
            **texts(request.META),
            "REQUEST_URI": target,
            "QUERY_STRING": target.partition("?")[2],
        }
        return AreaRequest(meta, path, method, secure=request.is_secure())

    def _respond(self, decision: Decision, held: AreaRequest, authorization: str) -> HttpResponse:
        if decision.granted and decision.account:
            return _Answer(HTTPStatus.OK, decision.account.identity)
        is_nginx = self.dialect == "nginx"
        status = answers.nginx_status(decision) if is_nginx else answers.status(decision)
        if status is not HTTPStatus.UNAUTHORIZED:
            return _Answer(status, [])
        headers = [answers.challenge(self.realm)] if "basic" in self.schemes else []
        if "session" in self.schemes and answers.wants_page(held, authorization):
            location = answers.login_url(held.META["REQUEST_URI"])
            if not is_nginx:
                return _Answer(HTTPStatus.FOUND, [("Location", location)])
            headers.append((contract.AUTH_LOGIN_HEADER, location))
        return _Answer(status, headers)


class AsyncAuthRequestView(AuthRequestView):
    """The same for ASGI. All of it runs in a thread: Django's own ``aauthenticate`` computes the
    hash on the event loop, where every other request would wait for it."""

    view_is_async = True

    async def dispatch(  # type: ignore[override]
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        return await sync_to_async(self.answer)(request)
