"""TrustedProxyMiddleware: the door within Django, which keeps the URL prefix of each request."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.http import Http404, HttpRequest
from django.urls import get_script_prefix, set_script_prefix
from django.utils.module_loading import import_string

from django_deploykit.proxy.decision import Decision, Refused
from django_deploykit.proxy.requests import RequestDoor, move_cookies


class TrustedProxyMiddleware:
    """Makes each request what trusted proxies say it is, by DEPLOYKIT["PROXY"]; it comes first.

    ``request.deploykit`` is the Decision. Whoever spoke, the headers that only a proxy may set
    are gone from META, ``request.headers`` and the ASGI scope.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        same = [name for name in settings.MIDDLEWARE if import_string(name) is type(self)]
        if len(same) > 1:
            raise ImproperlyConfigured(f"MIDDLEWARE: {same[0]!r} stands there more than once.")
        self._get_response = get_response
        door = RequestDoor(is_first=bool(same) and settings.MIDDLEWARE[0] == same[0])
        self._decide, self._hides_paths = door.enter, door.hides_paths
        if door.hides_paths:  # Only then: Django asks in each request, and may need a thread.
            self.process_view = self._hide
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if self._is_async:
            return self._answer_async(request)
        before = self._enter(request)
        if before is None:
            return self._get_response(request)
        try:
            return _leave(request, self._get_response(request), before)
        except BaseException:
            _restore(before)
            raise

    async def _answer_async(self, request: HttpRequest) -> Any:
        before = self._enter(request)
        if before is None:
            return await self._get_response(request)
        try:
            return _leave(request, await self._get_response(request), before)
        except BaseException:
            _restore(before)
            raise

    def _hide(self, request: Any, *args: Any) -> None:
        """Answer a path that is nobody's as any other unknown one: from the middle of Django."""
        if hasattr(request, "_deploykit_hides"):
            raise Http404

    def _enter(self, request: Any) -> str | None:
        """Decide; return None where nothing is left to do after the answer, else Django's prefix of
        before, or '' for a request that has no other."""
        mount = request.META["SCRIPT_NAME"]  # Where Django's handlers have just taken theirs from.
        try:
            decision = request.deploykit = self._decide(request)
        except Refused as refused:
            decision = request.deploykit = self._hidden(request, refused, mount)
        present = request.META["SCRIPT_NAME"]
        if present == mount:
            return "" if decision.place.prefix else None
        before = get_script_prefix()
        set_script_prefix(present)
        return before

    def _hidden(self, request: Any, refused: Refused, mount: str) -> Decision:
        """What holds for a path that is nobody's. Raise SuspiciousOperation for anything else."""
        if refused.status != HTTPStatus.NOT_FOUND or not self._hides_paths:
            if request.META["SCRIPT_NAME"] != mount:  # The page that says so has URLs too.
                set_script_prefix(request.META["SCRIPT_NAME"])
            raise SuspiciousOperation(str(refused)) from None
        request._deploykit_hides = True
        # Nothing is believed of it any more; that is decided, and said to later middleware.
        return self._decide(request)


def _leave(request: Any, response: Any, before: str) -> Any:
    """Keep the prefix while the body, which may be a stream, is sent; and no longer."""
    if request.deploykit.place.prefix:
        move_cookies(response, request.META["SCRIPT_NAME"])
    if before:
        response._resource_closers.append(partial(set_script_prefix, before))
    return response


def _restore(before: str) -> None:
    if before:
        set_script_prefix(before)
