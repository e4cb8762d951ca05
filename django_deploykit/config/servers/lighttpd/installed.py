"""Which lighttpd is installed here."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

from django_deploykit.config.deployment import Deployment, Version
from django_deploykit.config.servers.apache.installed import openssl_version

_BINARIES = ("lighttpd", "/usr/sbin/lighttpd", "/usr/local/sbin/lighttpd")


def fill(deployment: Deployment) -> Deployment:
    """Replace versions that nobody named by those installed; absent ones stay None."""
    return replace(
        deployment,
        server_version=deployment.server_version or server_version(),
        openssl_version=deployment.openssl_version or openssl_version(),
    )


def binary() -> str | None:
    """The server's executable, if there is one."""
    return next((path for name in _BINARIES if (path := shutil.which(name))), None)


def server_version() -> Version | None:
    """The version of the installed lighttpd, as ``lighttpd -v`` prints it."""
    path = binary()
    if path is None:
        return None
    try:
        done = subprocess.run([path, "-v"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"lighttpd/(\d+(?:\.\d+)+)", done.stdout)
    return tuple(map(int, match[1].split("."))) if match else None
