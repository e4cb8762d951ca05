"""What a front server would do, for an application server that stands alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whitenoise import WhiteNoise

from django_deploykit.proxy.configured import ConfiguredDoor
from django_deploykit.proxy.decision import Refused
from django_deploykit.proxy.prefix import is_below
from django_deploykit.proxy.wsgi import refuse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Django's hashed names: twelve hexadecimal digits before the last extension.
_HASHED = r"^.+\.[0-9a-f]{12}(\.[^./]+)?$"


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
    added to every request. Headers that only a proxy may set are believed where DEPLOYKIT["PROXY"]
    says so, and dropped.
    """
    mounted = _mounted(application, prefix) if prefix else application
    cleaned = _cleaned(mounted, dict(environ or {}))
    return with_static_files(cleaned, files=files or {}, hashed=hashed)


def with_static_files(
    application: WSGIApplication, *, files: Mapping[str, str], hashed: bool = False
) -> WSGIApplication:
    """Wrap ``application`` so that the static files in ``files``, which maps whole URLs to
    directories, are sent here; the server in front sends none, or there is no server in front."""
    return _StaticFiles(application, files, hashed) if files else application


class _StaticFiles(WhiteNoise):  # type: ignore[misc]  # WhiteNoise has no types
    """Static files, with a front server's care: no dot-files, no links out, and a URL below
    which there is no such file is nobody else's."""

    def __init__(
        self, application: WSGIApplication, mounts: Mapping[str, str], hashed: bool
    ) -> None:
        test: str | Callable[[str, str], bool] = _HASHED if hashed else (lambda path, url: False)
        super().__init__(application, max_age=0, immutable_file_test=test)
        self._urls = tuple(mounts)
        for url, directory in mounts.items():
            self._root = Path(directory).resolve()
            self.add_files(directory, prefix=url)

    def add_file_to_dictionary(self, url: str, path: str, stat_cache: Any = None) -> None:
        real = Path(path).resolve()
        if real.is_relative_to(self._root) and "/." not in url:
            super().add_file_to_dictionary(url, path, stat_cache=stat_cache)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # PEP 3333: the bytes of the path, read as Latin-1; WhiteNoise keeps text.
        path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        if path.startswith(self._urls) and path not in self.files:
            return _not_found(start_response)
        found: Iterable[bytes] = super().__call__(environ, start_response)
        return found


def _cleaned(application: WSGIApplication, extra: dict[str, str]) -> WSGIApplication:
    data = {name: value.encode().decode("latin-1") for name, value in extra.items()}
    door = ConfiguredDoor()

    def clean(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            door.wsgi(environ)
        except Refused as refused:
            return refuse(refused, start_response)
        environ.update(data)
        return application(environ, start_response)

    return clean


def _mounted(application: WSGIApplication, prefix: str) -> WSGIApplication:
    def mount(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        outer, path = environ.get("SCRIPT_NAME", "").rstrip("/"), environ.get("PATH_INFO", "")
        if is_below(outer, prefix):  # A proxy has named it, and it is off the path.
            return application(environ, start_response)
        whole = outer + prefix
        if path == prefix:
            query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
            start_response("301 Moved Permanently", [("Location", f"{whole}/{query}")])
            return []
        if not path.startswith(f"{prefix}/"):
            return _not_found(start_response)
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = whole, path[len(prefix) :]
        return application(environ, start_response)

    return mount


def _not_found(start_response: StartResponse) -> Iterable[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"Not Found\n"]
