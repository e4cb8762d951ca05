"""The source distributions of other projects, whose own tests are run against ours."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path


def source(name: str, cache: Path, unpacked: Path) -> Path | None:
    """The source distribution of the installed version of a package, unpacked into a directory of
    the caller's own; None where it cannot be had. It is downloaded once."""
    archives = cache / f"{name}-{version(name)}"
    if not any(archives.glob("*.tar.gz")):
        _download(f"{name}=={version(name)}", archives)
    for archive in archives.glob("*.tar.gz"):
        subprocess.run(("tar", "-xzf", archive, "--directory", unpacked), check=True)
        return unpacked / archive.name.removesuffix(".tar.gz")
    return None


def _download(requirement: str, directory: Path) -> None:
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:")
    # Not checked: without a network there is simply no archive afterwards.
    subprocess.run((*pip, "--dest", str(directory), requirement), check=False, timeout=300)
