"""Which Apache, mod_wsgi and OpenSSL are installed here."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.installed import executable, openssl_version, said, version
from django_deploykit.config.values import Version

_BINARIES = ("apache2", "httpd", "/usr/sbin/apache2", "/usr/sbin/httpd")
_MODULE_DIRECTORIES = (
    "/usr/lib/apache2/modules",
    "/usr/lib64/httpd/modules",
    "/usr/lib/httpd/modules",
    "/usr/libexec/apache2",
)


def fill(deployment: Deployment) -> Deployment:
    """Replace versions that nobody named by those installed; absent ones stay None."""
    module = deployment.mod_wsgi_module or package_module()
    return replace(
        deployment,
        mod_wsgi_module=module,
        server_version=deployment.server_version or server_version(),
        mod_wsgi_version=deployment.mod_wsgi_version or module_facts(module)[0],
        openssl_version=deployment.openssl_version or openssl_version(),
    )


def binary() -> str | None:
    """The server's executable, if there is one."""
    return executable(_BINARIES)


def module_directory() -> Path | None:
    """Where the distribution keeps httpd's modules."""
    return next((Path(name) for name in _MODULE_DIRECTORIES if Path(name).is_dir()), None)


def server_version() -> Version | None:
    """The version of the installed httpd, as ``httpd -v`` prints it."""
    return version(said(binary(), "-v"), r"Apache/(\d+\.\d+\.\d+)")


def package_module() -> Path | None:
    """The module that ``pip install mod_wsgi`` built into this environment, if it did."""
    spec = importlib.util.find_spec("mod_wsgi")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        found = sorted(Path(location, "server").glob("mod_wsgi-py*.so"))
        if found:
            return found[0]
    return None


def distribution_module() -> Path | None:
    """The distribution's mod_wsgi, if it is installed."""
    directory = module_directory()
    path = directory / "mod_wsgi.so" if directory else None
    return path if path and path.is_file() else None


def module_facts(path: Path | None) -> tuple[Version | None, Version | None]:
    """The version of a mod_wsgi.so (the distribution's by default), and of its Python."""
    path = path or distribution_module()
    return _written_in(path) if path and path.is_file() else (None, None)


@cache  # by the file itself, never by "the distribution's": which that is may change
def _written_in(module: Path) -> tuple[Version | None, Version | None]:
    """The module says neither without a running server, so its strings are read."""
    content = module.read_bytes()
    python = version(content.decode("latin-1"), r"libpython(\d+\.\d+)")
    candidates = re.findall(rb"\0(\d{1,2}\.\d{1,2}\.\d{1,2})\0", content)
    versions = [tuple(map(int, text.split(b"."))) for text in candidates]
    own = [found for found in versions if found[:2] != python]
    return (own[0] if own else None), python
