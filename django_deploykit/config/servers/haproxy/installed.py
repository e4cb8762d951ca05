"""Which HAProxy is installed here."""

from __future__ import annotations

from dataclasses import replace

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.installed import executable, said, version

_BINARIES = ("haproxy", "/usr/sbin/haproxy", "/usr/local/sbin/haproxy")


def fill(deployment: Deployment) -> Deployment:
    """Replace versions that nobody named by those installed; absent ones stay None."""
    told = said(binary(), "-vv")
    return replace(
        deployment,
        server_version=deployment.server_version or version(told, r"version (\d+\.\d+\.\d+)"),
        openssl_version=deployment.openssl_version
        or version(told, r"Running on OpenSSL version : OpenSSL (\d+\.\d+\.\d+)"),
    )


def binary() -> str | None:
    """The server's executable, if there is one."""
    return executable(_BINARIES)
