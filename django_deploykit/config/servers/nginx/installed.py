"""Which nginx is installed here."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

from django_deploykit.config.deployment import Deployment, Version

_BINARIES = ("nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx")


def fill(deployment: Deployment) -> Deployment:
    """Replace versions that nobody named by those installed; absent ones stay None."""
    said = _said(binary())
    return replace(
        deployment,
        server_version=deployment.server_version or _version(said, r"nginx/(\d+\.\d+\.\d+)"),
        openssl_version=deployment.openssl_version or _openssl(said),
    )


def binary() -> str | None:
    """The server's executable, if there is one."""
    return next((path for name in _BINARIES if (path := shutil.which(name))), None)


def media_types() -> Path | None:
    """The distribution's table of media types, which lies beside its configuration."""
    match = re.search(r"--conf-path=(\S+)", _said(binary()))
    path = Path(match[1]).parent / "mime.types" if match else None
    return path if path and path.is_file() else None


def _openssl(said: str) -> Version | None:
    """What it runs with, which may be newer than what it was built with."""
    running = _version(said, r"running with OpenSSL (\d+\.\d+\.\d+)")
    return running or _version(said, r"built with OpenSSL (\d+\.\d+\.\d+)")


def _version(text: str, pattern: str) -> Version | None:
    match = re.search(pattern, text)
    return tuple(map(int, match[1].split("."))) if match else None


@cache
def _said(path: str | None) -> str:
    """What ``nginx -V`` prints, all of it on stderr."""
    if path is None:
        return ""
    try:
        done = subprocess.run([path, "-V"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stderr
