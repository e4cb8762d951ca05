"""Which lighttpd is installed here."""

from __future__ import annotations

from dataclasses import replace

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.installed import executable, openssl_version, said, version

_BINARIES = ("lighttpd", "/usr/sbin/lighttpd", "/usr/local/sbin/lighttpd")


def fill(deployment: Deployment) -> Deployment:
    """Replace versions that nobody named by those installed; absent ones stay None."""
    told = said(binary(), "-v")
    return replace(
        deployment,
        server_version=deployment.server_version or version(told, r"lighttpd/(\d+(?:\.\d+)+)"),
        openssl_version=deployment.openssl_version or openssl_version(),
    )


def binary() -> str | None:
    """The server's executable, if there is one."""
    return executable(_BINARIES)
