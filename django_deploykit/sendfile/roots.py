"""Protected directories, and the one way to open a file in them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

# A directory that may be searched need not be readable.
_SEARCHED = getattr(os, "O_PATH", os.O_RDONLY)
_STEP = _SEARCHED | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO that took the file's place would otherwise wait for its writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO}


class NoSuchFile(Exception):
    """There is no regular file of that name in a protected directory; it is not said why."""


@dataclass(frozen=True)
class Root:
    """A protected directory. ``url`` is its URL in the web server, encoded; empty without one."""

    directory: str
    url: str = ""

    @cached_property
    def top(self) -> str:
        """What the path of everything in it begins with."""
        return f"{self.directory.rstrip('/')}/"


@dataclass(frozen=True)
class Place:
    """Where a file really lies: ``relative`` to its root, without links and dots."""

    root: Root
    relative: str

    @property
    def path(self) -> str:
        """The path by which the web server knows the file."""
        return self.root.top + self.relative


def find(filename: str, roots: Sequence[Root]) -> tuple[Place, int, os.stat_result]:
    """Find and open a file, given by its path or, if there is one root, relative to it.

    Return its place, its descriptor, and what the system knows of it. Raise NoSuchFile for
    whatever, links followed, lies outside of its root, and for whatever is no regular file.
    """
    filename = _absolute(filename, roots)
    if written := _as_written(filename, roots):
        # It costs less to open a path than to ask of each part whether it is a link.
        try:
            return written, *open_at(written)
        except NoSuchFile:  # Or there is a link.
            pass
    place = locate(filename, roots)
    return place, *open_at(place)


def locate(filename: str, roots: Sequence[Root]) -> Place:
    """Find the place of a file, and follow links for it. Raise NoSuchFile outside of the roots."""
    try:
        real = os.path.realpath(filename)
    except ValueError as error:  # NUL
        raise NoSuchFile from error
    root = _root_of(os.path.normpath(filename), real, roots)
    top = os.path.realpath(root.directory)
    if not is_below(real, top):
        raise NoSuchFile
    return Place(root, real.removeprefix(f"{top.rstrip('/')}/"))


def _absolute(filename: str, roots: Sequence[Root]) -> str:
    if os.path.isabs(filename):
        return filename
    if len(roots) != 1:
        raise NoSuchFile
    return os.path.join(roots[0].directory, filename)


def _as_written(filename: str, roots: Sequence[Root]) -> Place | None:
    """The place that a path without dots names, if there is no link in it below its root."""
    if os.path.normpath(filename) != filename:
        return None
    named = [root for root in roots if filename.startswith(root.top)]
    if not named:
        return None
    root = max(named, key=lambda root: len(root.top))
    return Place(root, filename.removeprefix(root.top))


def _root_of(path: str, real: str, roots: Sequence[Root]) -> Root:
    """The innermost root that holds the path as it was written; else as it is without links."""
    named = [root for root in roots if is_below(path, os.path.normpath(root.directory))]
    found = named or [root for root in roots if is_below(real, os.path.realpath(root.directory))]
    if not found:
        raise NoSuchFile
    return max(found, key=lambda root: len(os.path.normpath(root.directory)))


def is_below(path: str, top: str) -> bool:
    """Compare whole segments: ``/srv/private-too`` is not below ``/srv/private``."""
    return path.startswith(f"{top.rstrip('/')}/")


def open_at(place: Place) -> tuple[int, os.stat_result]:
    """Open the file; return its descriptor, and what the system knows of it.

    No step below the root follows a link: whatever was put in the way since somebody looked is
    refused. Raise NoSuchFile for it, and for whatever is no regular file; that is not opened.
    """
    try:
        descriptor = _walk(place)
    except OSError as error:
        if error.errno in _MISSING:
            raise NoSuchFile from error
        raise
    except ValueError as error:  # NUL, or no name at all
        raise NoSuchFile from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NoSuchFile
    return descriptor, status


def _walk(place: Place) -> int:
    # The kernel follows links above the last name of a path: those that lead to the root.
    first, *names = place.relative.split("/")
    path, directory = place.root.top + first, None
    try:
        for name in names:
            inner = os.open(path, _STEP, dir_fd=directory)
            if directory is not None:
                os.close(directory)
            path, directory = name, inner
        # A device may do something when it is opened.
        if not stat.S_ISREG(os.stat(path, dir_fd=directory, follow_symlinks=False).st_mode):
            raise NoSuchFile
        return os.open(path, _FILE, dir_fd=directory)
    finally:
        if directory is not None:
            os.close(directory)
