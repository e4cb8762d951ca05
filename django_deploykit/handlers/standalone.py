"""What a front server would do, for an application server that stands alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from whitenoise import WhiteNoise

from django_deploykit import contract

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Django's hashed names: twelve hexadecimal digits before the last extension.
_HASHED = r"^.+\.[0-9a-f]{12}(\.[^./]+)?$"

_FORBIDDEN_KEYS = tuple(
    "HTTP_" + name.upper().replace("-", "_") for name in contract.CLIENT_FORBIDDEN_HEADERS
)


def standalone(
    application: WSGIApplication,
    *,
    prefix: str = "",
    files: Mapping[str, str] | None = None,
    hashed: bool = False,
    environ: Mapping[str, str] | None = None,
) -> WSGIApplication:
    """Wrap ``application`` so that it can face clients without a web server in front.

    ``prefix`` is the URL below which the site lies, ``files`` maps URLs to directories of
    static files, ``hashed`` tells whether names carry a hash (and never change), ``environ`` is
    added to every request. Headers that only a proxy may set are dropped.
    """
    mounted = _mounted(application, prefix) if prefix else application
    cleaned = _cleaned(mounted, dict(environ or {}))
    test: str | Callable[..., bool] = _HASHED if hashed else (lambda path, url: False)
    static = WhiteNoise(cleaned, max_age=0, immutable_file_test=test)
    for url, directory in (files or {}).items():
        static.add_files(directory, prefix=url)
    served: WSGIApplication = static
    return served


def _cleaned(application: WSGIApplication, extra: dict[str, str]) -> WSGIApplication:
    def clean(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for key in _FORBIDDEN_KEYS:
            environ.pop(key, None)
        environ.update(extra)
        return application(environ, start_response)

    return clean


def _mounted(application: WSGIApplication, prefix: str) -> WSGIApplication:
    def mount(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: Any = environ.get("PATH_INFO", "")
        if path == prefix:
            start_response("301 Moved Permanently", [("Location", f"{prefix}/")])
            return []
        if not path.startswith(f"{prefix}/"):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"Not Found\n"]
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = prefix, path[len(prefix) :]
        return application(environ, start_response)

    return mount
