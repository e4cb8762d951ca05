"""Middleware: the doors through which Django meets proxies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import get_script_prefix, set_script_prefix

from django_deploykit import contract
from django_deploykit.proxy.configured import ConfiguredDoor
from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import Decision, Refused
from django_deploykit.proxy.asgi import AsgiDoor
from django_deploykit.proxy.wsgi import WsgiDoor
from django_deploykit.trust import Policy

Handler = Callable[[HttpRequest], Any]

# What Django computes from META at the first look, and keeps.
_KEPT = ("headers", "_current_scheme_host")
# Cookies of Django's own, with the setting of each one's name and path.
_COOKIES = (
    ("SESSION_COOKIE_NAME", "SESSION_COOKIE_PATH"),
    ("CSRF_COOKIE_NAME", "CSRF_COOKIE_PATH"),
    ("LANGUAGE_COOKIE_NAME", "LANGUAGE_COOKIE_PATH"),
)
_MESSAGES = "messages"  # CookieStorage.cookie_name; it has the path of the session's.


class TrustedProxyMiddleware:
    """Makes a request what trusted proxies say it is, by DEPLOYKIT["PROXY"]; put it first.

    ``request.deploykit`` is the Decision on it. Whoever spoke, the headers that only a proxy may
    set are gone from META and ``request.headers``.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Handler) -> None:
        name = f"{__name__}.{type(self).__name__}"
        if list(settings.MIDDLEWARE).count(name) > 1:
            raise ImproperlyConfigured(f"MIDDLEWARE: {name!r} stands there twice; leave the first.")
        self._get_response = get_response
        self._door = ConfiguredDoor()
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if self._is_async:
            return self._answer_async(request)
        before = self._enter(request)
        try:
            response = self._get_response(request)
        except BaseException:
            set_script_prefix(before)
            raise
        return _leave(request, response, before)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        before = self._enter(request)
        try:
            response = await self._get_response(request)
        except BaseException:
            set_script_prefix(before)
            raise
        return _leave(request, response, before)
