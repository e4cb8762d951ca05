"""Pages that show what a web server made of a request on its way to Django."""

from __future__ import annotations

import hashlib
import locale
import os
import sys
import time
from asyncio import sleep
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.core.handlers.asgi import ASGIRequest
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

CHUNK = 64 * 1024
CREDENTIALS = {"HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_PROXY_AUTHORIZATION"}
MAX_LINES = 20
MAX_PAUSE = 2
MAX_SLEEP = 10


@never_cache
def whoami(request: HttpRequest) -> JsonResponse:
    """Show how Django saw the request: to staff, or to everybody where settings say so."""
    if not (settings.DEBUG or settings.WHOAMI_PUBLIC or request.user.is_staff):
        raise Http404
    facts = {**_client(request), **_path(request), **_site(request), **_process(request)}
    return JsonResponse(facts, json_dumps_params={"indent": 2})


def echo(request: HttpRequest, rest: str) -> JsonResponse:
    """Answer the path as it arrived."""
    return JsonResponse({**_path(request), "rest": rest})


def to_whoami(request: HttpRequest) -> HttpResponseRedirect:
    """Redirect by URL name, so that the prefix has to be right."""
    return redirect("library:whoami")


@csrf_exempt  # It stores nothing, and is called by programs without a cookie.
@require_http_methods(["POST", "PUT"])
def upload_raw(request: HttpRequest) -> JsonResponse:
    """Read the body as a stream; answer its length and checksum."""
    digest, length = hashlib.sha256(), 0
    for chunk in _body(request):
        digest.update(chunk)
        length += len(chunk)
    return JsonResponse({"bytes": length, "sha256": digest.hexdigest()})


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Send ?n lines, one at a time, with ?pause seconds between them."""
    count = int(_number(request, "n", default=5, limit=MAX_LINES))
    pause = _number(request, "pause", default=0.2, limit=MAX_PAUSE)
    # Each kind of handler would collect the other's iterator before it sends anything.
    lines = _lines_async if isinstance(request, ASGIRequest) else _lines
    return StreamingHttpResponse(lines(count, pause), content_type="text/plain; charset=utf-8")


def slow(request: HttpRequest) -> HttpResponse:
    """Hold a worker for ?seconds."""
    time.sleep(_number(request, "seconds", default=1, limit=MAX_SLEEP))
    return HttpResponse("done", content_type="text/plain; charset=utf-8")


def _client(request: HttpRequest) -> dict[str, Any]:
    meta = request.META
    return {
        "scheme": request.scheme,
        "is_secure": request.is_secure(),
        "host": request.get_host(),
        "port": request.get_port(),
        "client": meta.get("REMOTE_ADDR"),
        "behind_proxy": request.deploykit.trusted,
        "user": request.user.get_username(),
        "remote_user": meta.get("REMOTE_USER"),
        "authorization": "HTTP_AUTHORIZATION" in meta,
        "headers": {
            name: value
            for name, value in sorted(meta.items())
            if name.startswith("HTTP_") and name not in CREDENTIALS
        },
    }


def _path(request: HttpRequest) -> dict[str, Any]:
    raw = request.scope.get("raw_path") if isinstance(request, ASGIRequest) else None
    return {
        "script_name": request.META.get("SCRIPT_NAME"),
        "path": request.path,
        "path_info": request.path_info,
        "path_info_hex": request.path_info.encode().hex(),
        "query_string": request.META.get("QUERY_STRING", ""),
        # What the client sent, by whichever name the server passes it on.
        "request_uri": request.META.get("REQUEST_URI"),
        "raw_uri": request.META.get("RAW_URI"),
        "raw_path": raw.decode("latin-1") if raw else None,
    }


def _site(request: HttpRequest) -> dict[str, Any]:
    names = settings.DEPLOYKIT["SITE"]["ENVIRON"]
    return {
        "absolute_uri": request.build_absolute_uri(),
        "reversed": reverse("library:home"),
        "static": static("library/site.css"),
        "settings_variable": os.environ.get("DJANGO_SETTINGS_MODULE"),
        "settings_module": settings.SETTINGS_MODULE,
        "data": {name: request.META.get(name) for name in names},
    }


def _process(request: HttpRequest) -> dict[str, Any]:
    return {
        "interface": "asgi" if isinstance(request, ASGIRequest) else "wsgi",
        "pid": os.getpid(),
        "multiprocess": request.META.get("wsgi.multiprocess"),
        "multithread": request.META.get("wsgi.multithread"),
        "filesystem_encoding": sys.getfilesystemencoding(),
        "locale_encoding": locale.getencoding(),
    }


def _body(request: HttpRequest) -> Iterator[bytes]:
    # Django takes a request without Content-Length for one without a body. gunicorn and mod_wsgi
    # say by wsgi.input_terminated that reading ends by itself where a chunked body does.
    chunked = request.META.get("wsgi.input_terminated") and not request.META.get("CONTENT_LENGTH")
    source = request.META["wsgi.input"] if chunked else request
    while chunk := source.read(CHUNK):
        yield chunk


def _number(request: HttpRequest, name: str, *, default: float, limit: float) -> float:
    """Read a query argument, at most ``limit``."""
    try:
        value = float(request.GET.get(name, default))
    except ValueError as error:
        raise BadRequest(f"{name} is not a number") from error
    if not value >= 0:  # so written that it catches NaN too
        raise BadRequest(f"{name} is not 0 or more")
    return min(value, limit)


def _lines(count: int, pause: float) -> Iterator[str]:
    for number in range(1, count + 1):
        yield f"{number}\n"
        time.sleep(pause)


async def _lines_async(count: int, pause: float) -> AsyncIterator[str]:
    for number in range(1, count + 1):
        yield f"{number}\n"
        await sleep(pause)
