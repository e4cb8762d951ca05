"""Request bodies without a Content-Length, which Django would take for empty ones, and those that
nobody reads.

A server that ends the input where a chunked body ends says so (``wsgi.input_terminated``, which
mod_wsgi and gunicorn set), but Django reads only as many bytes as CONTENT_LENGTH names:
https://code.djangoproject.com/ticket/35838
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING

from django.core.handlers.wsgi import LimitedStream

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_IN_MEMORY = 1024 * 1024
_CHUNK = 64 * 1024


def measured(application: WSGIApplication, limit: int) -> WSGIApplication:
    """Wrap ``application`` so that every body has a CONTENT_LENGTH of at most ``limit``.

    A body without one is read first, beyond 1 MiB into a temporary file. One of more bytes is
    answered with 413: a front that has stored it says its length, and may not have looked at it
    (mod_proxy, which knows no LimitRequestBody).
    """

    def measure(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or ""
        if length.isdecimal() and int(length) > limit:
            return _refuse(start_response)
        if length.isdecimal():
            return _read_out(application, int(length), environ, start_response)
        if not environ.get("wsgi.input_terminated"):
            return application(environ, start_response)
        first = environ["wsgi.input"].read(_CHUNK)
        if not first:  # Most requests have no body: nothing is kept of them.
            return application(environ, start_response)
        return _answer(application, limit, first, environ, start_response)

    return measure


def _refuse(start_response: StartResponse) -> list[bytes]:
    start_response("413 Content Too Large", [("Content-Type", "text/plain")])
    return [b"The request body is too large.\n"]


def _read_out(
    application: WSGIApplication,
    length: int,
    environ: WSGIEnvironment,
    start_response: StartResponse,
) -> Iterable[bytes]:
    """Answer once all of the body has come. Where the application leaves some of it (a refused
    upload, a form without its cookie), the server would close the connection before the front has
    sent that, and the front would answer with 502 or 503.

    A stream may still read from it.
    """
    environ["wsgi.input"] = body = LimitedStream(environ["wsgi.input"], length)
    response = application(environ, start_response)
    if getattr(response, "streaming", None) is False:
        with suppress(OSError):  # The client has gone, or is too slow for the server.
            while body.read(_CHUNK):
                pass
    return response


def _answer(
    application: WSGIApplication,
    limit: int,
    first: bytes,
    environ: WSGIEnvironment,
    start_response: StartResponse,
) -> Iterator[bytes]:
    with SpooledTemporaryFile(_IN_MEMORY) as body:
        length = _copy(first, environ["wsgi.input"], body, limit)
        if length is None:
            yield from _refuse(start_response)
            return
        body.seek(0)
        environ["CONTENT_LENGTH"], environ["wsgi.input"] = str(length), body
        # The body stays open until the response, which may still read from it, is sent.
        response = application(environ, start_response)
        try:
            yield from response
        finally:
            if close := getattr(response, "close", None):
                close()


def _copy(chunk: bytes, source: IO[bytes], target: IO[bytes], limit: int) -> int | None:
    """Copy ``chunk`` and all of ``source``, and return the length, or None if that exceeds
    ``limit``."""
    length = 0
    while chunk:
        length += len(chunk)
        if length > limit:
            return None
        target.write(chunk)
        chunk = source.read(_CHUNK)
    return length
