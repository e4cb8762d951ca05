"""Which nginx is installed here."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.installed import executable, said, version
from django_deploykit.config.values import Version

_BINARIES = ("nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx")


def fill(deployment: Deployment) -> Deployment:
    """Replace versions that nobody named by those installed; absent ones stay None."""
    build = said(binary(), "-V")
    return replace(
        deployment,
        server_version=deployment.server_version or version(build, r"nginx/(\d+\.\d+\.\d+)"),
        openssl_version=deployment.openssl_version or _openssl(build),
    )


def binary() -> str | None:
    """The server's executable, if there is one."""
    return executable(_BINARIES)


def media_types() -> Path | None:
    """The distribution's table of media types, which lies beside its configuration.

    Where that lies is said only if it was chosen (https://nginx.org/en/docs/configure.html).
    """
    build = said(binary(), "-V")
    prefix = _configured(build, "prefix", "/usr/local/nginx")
    path = Path(prefix, _configured(build, "conf-path", "conf/nginx.conf")).parent / "mime.types"
    return path if path.is_file() else None


def _configured(build: str, option: str, otherwise: str) -> str:
    """With what it was built."""
    match = re.search(rf"--{option}=(\S+)", build)
    return match[1] if match else otherwise


def _openssl(build: str) -> Version | None:
    """What it runs with, which may be newer than what it was built with."""
    running = version(build, r"running with OpenSSL (\d+\.\d+\.\d+)")
    return running or version(build, r"built with OpenSSL (\d+\.\d+\.\d+)")
