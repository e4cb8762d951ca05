"""How this process is, for whoever spreads requests over several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error, connections, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views import View


@method_decorator(login_not_required, name="dispatch")
class HealthView(View):
    """A health check: 200 with ``ok``, and 503 where a database that is named does not answer.

    ``database``  the alias of a database to ask, such as ``"default"``; by default none is, so that
                  its trouble does not take every application server out at once.

    It says nothing else to anybody, and no cache keeps it.
    """

    database: str = ""
    http_method_names = ["get", "head"]

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., HttpResponseBase]:
        """The view, without the transaction that Django would begin in each database before it
        (ATOMIC_REQUESTS)."""
        view = super().as_view(**initkwargs)
        for alias in settings.DATABASES:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        well = not self.database or _answers(self.database)
        status, word = (200, "ok") if well else (503, "unavailable")
        headers = {"Content-Type": "text/plain", "Cache-Control": "no-store"}
        return HttpResponse(f"{word}\n", status=status, headers=headers)


def _answers(alias: str) -> bool:
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True
