"""The place where the last step is the last one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any

from asgiref.sync import markcoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from django_deploykit.sendfile import last
from django_deploykit.sendfile.response import ProtectedFileResponse

_MADE = "_deploykit_files"


def waiting(request: HttpRequest) -> list[ProtectedFileResponse] | None:
    """The responses that the middleware is going to see the last of; None where it is not there."""
    return getattr(request, _MADE, None)


class SendfileMiddleware:
    """Hands protected files to the web server when nothing changes the response any more.

    It stands first in MIDDLEWARE; the scripts that deployconfig writes put it there. Without it
    Python sends the files.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        setattr(request, _MADE, [])
        if self._is_async:
            return self._answer_async(request)
        response: HttpResponseBase = self._get_response(request)
        return self._last(request, response)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = await self._get_response(request)
        if not getattr(request, _MADE):
            return response
        return await sync_to_async(self._last)(request, response)

    def _last(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        for made in getattr(request, _MADE):
            if made is not response:  # Another middleware answered something else in its place.
                made.let_go()
        if isinstance(response, ProtectedFileResponse):
            return last.decide(request, response, hand_off=True)
        return response
