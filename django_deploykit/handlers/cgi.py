"""A process per request (CGI, RFC 3875), with an environment that no client has written into."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from wsgiref.handlers import BaseCGIHandler

from django_deploykit.handlers.workers import limited_alone

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def take_request() -> dict[str, str]:
    """Return the request's variables, and take its headers out of this process's environment.

    Call it before anything else: a header ``Proxy: …`` arrives as HTTP_PROXY, which HTTP clients
    believe (https://httpoxy.org/, CVE-2016-5385).
    """
    # PEP 3333: bytes, read as Latin-1.
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in os.environb.items()}
    for name in [name for name in os.environ if name.startswith("HTTP_")]:
        del os.environ[name]
    return found


def answer(application: WSGIApplication, request: dict[str, str], *, seconds: int) -> None:
    """Answer the request on standard output, or end after ``seconds``."""
    if "HTTP_TRANSFER_ENCODING" in request:
        request = {**request, "wsgi.input_terminated": True}  # type: ignore[dict-item]
    handler = _Handler(sys.stdin.buffer, sys.stdout.buffer, sys.stderr, request, False, True)
    with limited_alone(seconds):
        handler.run(application)


class _Handler(BaseCGIHandler):
    """Nothing but the request's own variables, and one request."""

    wsgi_run_once = True
    os_environ: dict[str, str] = {}
