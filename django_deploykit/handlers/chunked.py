"""Request bodies without a Content-Length, which Django would take for empty ones.

A server that ends the input where a chunked body ends says so (``wsgi.input_terminated``, which
mod_wsgi and gunicorn set), but Django reads only as many bytes as CONTENT_LENGTH names:
https://code.djangoproject.com/ticket/35838
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_IN_MEMORY = 1024 * 1024
_CHUNK = 64 * 1024


def measured(application: WSGIApplication, limit: int) -> WSGIApplication:
    """Wrap ``application`` so that every body has a CONTENT_LENGTH.

    A body without one is read first, beyond 1 MiB into a temporary file. One of more than
    ``limit`` bytes is answered with 413.
    """

    def measure(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("CONTENT_LENGTH") or not environ.get("wsgi.input_terminated"):
            return application(environ, start_response)
        return _answer(application, limit, environ, start_response)

    return measure


def _answer(
    application: WSGIApplication,
    limit: int,
    environ: WSGIEnvironment,
    start_response: StartResponse,
) -> Iterator[bytes]:
    with SpooledTemporaryFile(_IN_MEMORY) as body:
        length = _copy(environ["wsgi.input"], body, limit)
        if length is None:
            start_response("413 Content Too Large", [("Content-Type", "text/plain")])
            yield b"The request body is too large.\n"
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


def _copy(source: IO[bytes], target: IO[bytes], limit: int) -> int | None:
    """Copy all of ``source`` and return its length, or None if that exceeds ``limit``."""
    length = 0
    while chunk := source.read(_CHUNK):
        length += len(chunk)
        if length > limit:
            return None
        target.write(chunk)
    return length
