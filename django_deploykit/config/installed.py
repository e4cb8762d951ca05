"""What is on this machine: its size, executables, and the versions that they tell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from django_deploykit.config.values import Version

_TIMEOUT = 10


@dataclass(frozen=True)
class Host:
    """What all programs on it share: CPUs, and memory in MiB."""

    cpu: int
    memory: int


def host() -> Host:
    """This machine."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Host(cpu=os.cpu_count() or 1, memory=pages >> 20)


def executable(candidates: Iterable[str]) -> str | None:
    """The first of some names, or paths, that can be run here."""
    return next((path for name in candidates if (path := shutil.which(name))), None)


@cache
def said(*command: str | None) -> str:
    """What a command prints, on either stream; nothing where it is not installed or fails."""
    words = [word for word in command if word is not None]
    if len(words) < len(command):
        return ""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def version(text: str, pattern: str) -> Version | None:
    """The version that the first group of ``pattern`` finds in ``text``."""
    match = re.search(pattern, text)
    return tuple(map(int, match[1].split("."))) if match else None


def openssl_version() -> Version | None:
    """The version of the OpenSSL library, which servers share with the command line tool."""
    return version(said(shutil.which("openssl"), "version"), r"Library: OpenSSL (\d+\.\d+\.\d+)")
