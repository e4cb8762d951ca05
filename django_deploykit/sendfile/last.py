"""The last step: who sends the file, and how much of it."""

from __future__ import annotations

from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response

from django_deploykit.sendfile import backends, policy, stores
from django_deploykit.sendfile.ranges import Range, requested
from django_deploykit.sendfile.response import ProtectedFileResponse
from django_deploykit.sendfile.roots import MISSING, NoSuchFile
from django_deploykit.sendfile.signals import file_served

# Conditions that nginx would compare with validators which it does not have.
_ONLY_HERE = ("HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE")
_CONDITIONS = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", *_ONLY_HERE)


def decide(
    request: HttpRequest, response: ProtectedFileResponse, *, hand_off: bool
) -> HttpResponseBase:
    """Answer the conditions of a request, then hand the file to the server or send it.

    A response that is no longer a 200 with this very file is left as it is. ``hand_off`` says
    that nothing can change the response any more.
    """
    if response.status_code != 200 or response.is_replaced:
        return response
    may_be_told = hand_off and not response.is_encoded
    if may_be_told:
        response.drop_guard()
    if found := _condition(request, response):
        return _instead(found, response)
    if request.method not in ("GET", "HEAD"):
        return response
    wanted = _ranges(request, response)
    if wanted == []:
        return _unsatisfiable(response)
    if not (may_be_told and _handed_over(request, response, wanted)):
        _send(request, response, wanted)
    return response


def _condition(request: HttpRequest, response: ProtectedFileResponse) -> HttpResponse | None:
    """304 or 412 where the client has the file already, or has another one (RFC 9110 13)."""
    if request.META.keys().isdisjoint(_CONDITIONS):
        return None
    etag, modified = response.get("ETag"), response.file.modified
    plain = cast(HttpResponse, response)
    found = get_conditional_response(request, etag, modified, plain)
    return None if found is plain else found


def _instead(answer: Any, of: Any) -> HttpResponse:
    """Answer without the file. No cache keeps that longer than it would keep the file."""
    answer.headers.setdefault("Cache-Control", of.headers.get("Cache-Control", "private, no-store"))
    answer.cookies = of.cookies
    # What other middleware has left to do when the response is sent.
    answer._resource_closers.extend(of._resource_closers)
    of.let_go()
    found: HttpResponse = answer
    return found


def _handed_over(
    request: HttpRequest, response: ProtectedFileResponse, wanted: list[Range] | None
) -> bool:
    """Make the server send the file, if it can: by a header, of a response without a body."""
    backend = response.backend
    told = None if backend is None else _told(backend, request, response, wanted)
    if backend is None or told is None:
        return False
    response.send_nothing()
    # With the length of the file, a server would wait for a body that never comes.
    response.headers["Content-Length"] = "0"
    for name, value in told.items():
        response.headers[name] = value
    _tell(request, response, backend.name)
    return True


def _told(
    backend: backends.Backend,
    request: HttpRequest,
    response: ProtectedFileResponse,
    wanted: list[Range] | None,
) -> dict[str, str] | None:
    """The headers that make this server send the file; None where Python has to."""
    file, asked = response.file, request.META.keys()
    if file.place is None:
        return stores.told(request, file, policy.read().stores, wanted) if backend.fetches else None
    # What is open was opened to be sent from here.
    if file.stream is not None or not asked.isdisjoint(_ONLY_HERE):
        return None
    if "HTTP_RANGE" in asked and not backend.sends_ranges:
        return None
    value = backend.value(file.place, response)
    return None if value is None else {backend.header: value}


def _send(
    request: HttpRequest, response: ProtectedFileResponse, wanted: list[Range] | None
) -> None:
    """Send the file from Python: all of it, or what the client asks for."""
    if not response.is_encoded:
        response.headers["Accept-Ranges"] = "bytes"
    if request.method == "HEAD":
        return response.send_nothing()
    _open(response)
    _tell(request, response, backends.STREAM)
    if wanted:
        response.send_ranges(wanted)
    else:
        response.let_server_send()


def _open(response: ProtectedFileResponse) -> None:
    """Open what a server was to send. Whatever is not what was looked up by now is missing."""
    try:
        response.open()
    except NoSuchFile as error:
        raise Http404(MISSING) from error


def _ranges(request: HttpRequest, response: ProtectedFileResponse) -> list[Range] | None:
    """The parts that are asked for; None for the whole file."""
    header = request.META.get("HTTP_RANGE")
    if header is None or request.method != "GET" or response.is_encoded:
        return None
    condition = request.META.get("HTTP_IF_RANGE")
    validators = {response.get("ETag"), response.get("Last-Modified")}
    if condition is not None and (condition not in validators or condition.startswith("W/")):
        return None
    return requested(header, response.file.size)


def _unsatisfiable(response: ProtectedFileResponse) -> HttpResponseBase:
    answer = HttpResponse(status=416, content_type="text/plain")
    answer.headers["Content-Range"] = f"bytes */{response.file.size}"
    answer.headers["Content-Length"] = "0"
    return _instead(answer, response)


def _tell(request: HttpRequest, response: ProtectedFileResponse, backend: str) -> None:
    if request.method != "GET":  # Of HEAD, a server sends the headers.
        return
    file_served.send(
        sender=ProtectedFileResponse, request=request, file=response.file, backend=backend
    )
