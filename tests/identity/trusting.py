"""A stand-in for TrustedProxyMiddleware."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def trusting(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Stands where TrustedProxyMiddleware does, for a peer that is trusted unless it says not."""

    def handle(request: HttpRequest) -> Any:
        said = request.META.pop("HTTP_TEST_PEER", "trusted")
        if said != "no record":
            request.deploykit = SimpleNamespace(trusted=said == "trusted", reason="a test")
        return get_response(request)

    return markcoroutinefunction(handle) if iscoroutinefunction(get_response) else handle
