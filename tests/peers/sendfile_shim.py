"""django-sendfile2's ``utils``, of our parts: its settings in our words, and its call handed on."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test import override_settings

from django_deploykit import sendfile as ours
from django_deploykit.middleware import SendfileMiddleware

_BACKENDS = {"nginx": "nginx", "xsendfile": "mod_xsendfile-0.12"}


def _get_sendfile() -> None:
    """It keeps its backend; nothing is kept here."""


_get_sendfile.cache_clear = lambda: None  # type: ignore[attr-defined]


def sendfile(
    request: HttpRequest, filename: str, attachment: bool = False, **options: Any
) -> HttpResponseBase:
    """Its default is inline; everything else is handed on as it came."""
    backend = str(settings.SENDFILE_BACKEND).rpartition(".")[2]
    root, url = settings.SENDFILE_ROOT, getattr(settings, "SENDFILE_URL", None)
    deploykit = {
        "SITE": {"PROTECTED": {f"{url or ''}/": root} if root else {}},
        "SENDFILE": {"BACKEND": _BACKENDS.get(backend, "stream")},
    }
    request.method = request.method or "GET"
    with override_settings(DEPLOYKIT=deploykit):
        last = SendfileMiddleware(
            lambda request: ours.sendfile(request, filename, attachment, **options)
        )
        answer: Any = last(request)
        return answer
