"""The environment that this process was started with."""

from __future__ import annotations

import os
from pathlib import Path


def first_environment() -> dict[str, str]:
    """What this process was started with. Django has added TZ to it since, and settings modules
    whatever they read from a file; no other site, and no server, may take that for its own."""
    try:
        lines = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:  # Not Linux.
        return dict(os.environ)
    pairs = (os.fsdecode(line).partition("=") for line in lines if b"=" in line)
    return {name: value for name, _, value in pairs}
