"""A site with one protected directory, and views that send from it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from django_deploykit.sendfile import asendfile, sendfile

FIRST = "django_deploykit.middleware.SendfileMiddleware"

# What was left to do when a response was sent, and has been done.
closed: list[str] = []


def _options(request: HttpRequest) -> dict[str, Any]:
    found: dict[str, Any] = {
        key: request.GET[key]
        for key in ("attachment_filename", "mimetype", "encoding")
        if key in request.GET
    }
    if "inline" in request.GET:
        found["attachment"] = False
    return found


def send(request: HttpRequest) -> HttpResponseBase:
    """Send the file of ``?name``."""
    response = sendfile(request, request.GET["name"], **_options(request))
    if "status" in request.GET:
        response.status_code = int(request.GET["status"])
    return response


async def send_async(request: HttpRequest) -> HttpResponseBase:
    return await asendfile(request, request.GET["name"], **_options(request))


def guarded(request: HttpRequest) -> HttpResponseBase:
    """Ask for permission first."""
    if request.headers.get("X-Allowed") != "yes":
        return HttpResponse("no", status=403)
    return sendfile(request, request.GET["name"])


class Remote(Storage):
    """A storage elsewhere, whose files may have a URL."""

    says: Any = None

    def open(self, name: str, mode: str = "rb") -> Any:
        return ContentFile(b"far away")

    def get_modified_time(self, name: str) -> datetime:
        return datetime(2026, 1, 2, tzinfo=UTC)

    def url(self, name: str | None) -> str:
        if isinstance(self.says, str):
            return self.says
        raise self.says


def remote(request: HttpRequest) -> HttpResponseBase:
    """Send a file of a storage elsewhere."""
    return sendfile(request, (Remote(), "a"))


class Changes:
    """Middleware that turns every response into another one."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self.get_response(request)
        if status := request.headers.get("X-Change-Status"):
            response.status_code = int(status)
        if name := request.headers.get("X-Add"):
            if name == "Set-Cookie":
                response.set_cookie("seen", "yes")
            else:
                response[name] = "yes"
        if word := request.headers.get("X-Closed"):
            response._resource_closers.append(partial(closed.append, word))
        if "X-Change-Body" in request.headers:
            response.streaming_content = iter([b"changed"])  # type: ignore[attr-defined]
            del response["Content-Length"]
        return response


class Swaps:
    """Middleware that puts "swapped", or nothing, in the place of what is about to be sent."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self.get_response(request)
        file, other = Path(root(), request.GET["name"]), Path(root(), "swapped")
        if other.exists():
            other.replace(file)
        else:
            file.unlink()
        return response


def root() -> str:
    """The protected directory."""
    return str(settings.DEPLOYKIT["SITE"]["PROTECTED"]["/private/"])


urlpatterns = [
    path("send/", send),
    path("async/", send_async),
    path("guarded/", guarded),
    path("remote/", remote),
]
