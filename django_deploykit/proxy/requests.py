"""The door for Django's own requests, already made from an environ or a scope."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest, get_path_info
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from django_deploykit import contract
from django_deploykit.proxy import origin
from django_deploykit.proxy.asgi import AsgiDoor
from django_deploykit.proxy.configured import ConfiguredDoor
from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import Decision, Refused
from django_deploykit.proxy.wsgi import WsgiDoor, take_back
from django_deploykit.trust import Policy, clean_prefix

# Django's own cookies: the setting of the name, and that of the path.
_COOKIES = (
    ("SESSION_COOKIE_NAME", "SESSION_COOKIE_PATH"),
    ("CSRF_COOKIE_NAME", "CSRF_COOKIE_PATH"),
    ("LANGUAGE_COOKIE_NAME", "LANGUAGE_COOKIE_PATH"),
)
_DECISION = contract.DECISION_KEY
_MESSAGES_COOKIE = "messages"  # CookieStorage.cookie_name; its path is the session's.


class RequestDoor:
    """Makes a request what its decision says, by the policy of this process.

    If it ``is_first``, nobody can have looked at a request before.
    """

    def __init__(self, *, is_first: bool = False) -> None:
        self._is_first = is_first
        configured = ConfiguredDoor(_take_back)
        self._wsgi, self._asgi = configured.wsgi, configured.asgi
        self.hides_paths = configured.hides_paths
        nobody = Judge(Policy("a refused request"))
        self._closed_wsgi, self._closed_asgi = WsgiDoor(nobody), AsgiDoor(nobody)

    def enter(self, request: Any) -> Decision:
        """Decide, and write the request anew. Raise Refused, with nothing believed."""
        meta = request.META
        known = meta.get(_DECISION)
        if isinstance(known, Decision):  # Before Django made its request of it.
            return known
        if isinstance(request, ASGIRequest):
            return self._enter_asgi(request)
        mount, path = meta["SCRIPT_NAME"], meta["PATH_INFO"]
        if self.hides_paths and settings.FORCE_SCRIPT_NAME is not None:
            meta["SCRIPT_NAME"] = _own_mount(meta)
        try:
            decision = self._wsgi(meta)
        except Refused:
            _move(request, self._closed_wsgi.enter(meta))
            raise
        finally:
            if not self._is_first:
                forget(request)
        if meta["SCRIPT_NAME"] != mount or meta["PATH_INFO"] != path:
            _move(request, decision)
        return decision

    def _enter_asgi(self, request: ASGIRequest) -> Decision:
        try:
            scope = self._asgi(request.scope)
        except Refused:
            _replace(request, self._closed_asgi.enter(_without_underscores(request.scope)))
            raise
        decision: Decision = scope[contract.DECISION_KEY]
        if scope is not request.scope:
            _replace(request, scope)
        if decision.client.hops:
            for key in ("REMOTE_HOST", "REMOTE_PORT"):  # 0 stands in the scope where none is known
                request.META.pop(key, None)
        request.META.update(decision.data)
        if decision.place.prefix and settings.FORCE_SCRIPT_NAME:
            # Django looks for the forced one in the scope's path, where the proxy's stands.
            _move(request, decision)
            request.script_name = request.META["SCRIPT_NAME"]
            request.META["PATH_INFO"] = request.path_info
        return decision


def _take_back(meta: dict[str, Any]) -> None:
    """The same where Django has read the environ, and left text in it."""
    try:
        take_back(meta)
    finally:
        meta["PATH_INFO"] = get_path_info(meta) or "/"


def _own_mount(meta: dict[str, Any]) -> str:
    """The server's own mount, in whose place Django has put FORCE_SCRIPT_NAME: what the request
    line has before the path; '' where the path does not end it, or what is before is no plain
    prefix, as in /app/../x, which uWSGI resolves."""
    raw, path = meta.get("RAW_URI") or meta.get("REQUEST_URI") or "", meta["PATH_INFO"]
    whole = unquote_to_bytes(origin.request_path(raw)).decode("latin-1")
    line = get_path_info({"PATH_INFO": whole})
    if path == "/":  # Of a bare mount it has none.
        return clean_prefix(line) or ""
    return clean_prefix(line.removesuffix(path)) or "" if line.endswith(path) else ""


def _move(request: WSGIRequest | ASGIRequest, decision: Decision) -> None:
    """Let Django find what moved where it looks. To read META once more would not do: the path
    in it is text by now, no longer WSGI's, which is to be decoded."""
    mount, path, _ = decision.target
    forced = settings.FORCE_SCRIPT_NAME
    if forced is not None:
        mount = forced.rstrip("/")
    request.META["SCRIPT_NAME"], request.path_info = mount, path
    request.path = f"{mount}/{path.removeprefix('/')}"


def _replace(request: ASGIRequest, scope: Any) -> None:
    """Let Django read the new scope, and take over what it made of it."""
    fresh = ASGIRequest(scope, BytesIO())
    for name in ("scope", "META", "path", "path_info", "script_name"):
        setattr(request, name, getattr(fresh, name))
    forget(request)


def _without_underscores(scope: Any) -> Any:
    """The scope without the second spelling of a header, for which it may have been refused."""
    headers = [header for header in scope["headers"] if b"_" not in header[0]]
    return {**scope, "headers": headers}


def forget(request: HttpRequest) -> None:
    """Let Django compute anew what it computes from META at the first look, and keeps."""
    for name in ("headers", "_current_scheme_host"):
        request.__dict__.pop(name, None)


def move_cookies(response: HttpResponseBase, script_name: str) -> None:
    """Give Django's cookies the path of this request's prefix, also where they are deleted.

    A path that settings name is kept; so is a name with __Host-, which has to have the root's.
    """
    if not response.cookies:  # Most pages set none.
        return
    names = {getattr(settings, name): path for name, path in _COOKIES}
    names[_MESSAGES_COOKIE] = "SESSION_COOKIE_PATH"
    for name, path in names.items():
        morsel = response.cookies.get(name)
        if morsel is None or morsel["path"] != "/" or name.startswith("__Host-"):
            continue
        if not settings.is_overridden(path):  # type: ignore[misc]  # the stubs lack it
            morsel["path"] = f"{script_name}/"
