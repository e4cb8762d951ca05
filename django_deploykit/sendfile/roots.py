"""Protected directories, and the one way to a file in them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from django.utils.functional import cached_property

# A directory that may be searched need not be readable.
_SEARCHED = getattr(os, "O_PATH", os.O_RDONLY)
_STEP = _SEARCHED | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO that took the file's place would otherwise wait for its writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO}


# Said for every reason, so that nobody learns which it was.
MISSING = "There is no such file."

_Found = TypeVar("_Found")


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

    @cached_property
    def encoded(self) -> str:
        """The same, percent-encoded."""
        return quote(os.fsencode(self.top))


class Place(NamedTuple):
    """Where a file really lies: ``relative`` to its root, without links and dots."""

    root: Root
    relative: str

    @property
    def path(self) -> str:
        """The path by which the web server knows the file."""
        return self.root.top + self.relative


def find(
    filename: str, roots: Sequence[Root], reach: Callable[[Place], _Found]
) -> tuple[Place, _Found]:
    """Find a file, given by its path or, if there is one root, relative to it.

    Return its place, and what ``reach`` (``look_at`` or ``open_at``) found there. Raise NoSuchFile
    for whatever, links followed, lies outside of its root, and for whatever is no regular file.
    """
    filename = _absolute(filename, roots)
    if written := _as_written(filename, roots):
        # It costs less to open a path than to ask of each part whether it is a link.
        try:
            return written, reach(written)
        except NoSuchFile:  # Or there is a link.
            pass
    place = locate(filename, roots)
    return place, reach(place)


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


def look_at(place: Place) -> os.stat_result:
    """What the system knows of a file, which is not opened for it. Raise as ``open_at`` does."""
    return _walk(place, _status)


def open_at(place: Place) -> tuple[int, os.stat_result]:
    """Open the file; return its descriptor, and what the system knows of it.

    No step below the root follows a link: whatever was put in the way since somebody looked is
    refused. Raise NoSuchFile for it, and for whatever is no regular file; that is not opened.
    """
    return _walk(place, _opened)


def _walk(place: Place, last: Callable[[str, int | None], _Found]) -> _Found:
    """Go down to the directory that holds the file; ``last`` is the step from there."""
    # The kernel follows links above the last name of a path: those that lead to the root.
    first, *names = place.relative.split("/")
    path, directory = place.root.top + first, None
    try:
        for name in names:
            inner = os.open(path, _STEP, dir_fd=directory)
            if directory is not None:
                os.close(directory)
            path, directory = name, inner
        return last(path, directory)
    except OSError as error:
        if error.errno in _MISSING:
            raise NoSuchFile from error
        raise
    except ValueError as error:  # NUL, or no name at all
        raise NoSuchFile from error
    finally:
        if directory is not None:
            os.close(directory)


def _status(path: str, directory: int | None) -> os.stat_result:
    return _regular(os.stat(path, dir_fd=directory, follow_symlinks=False))


def _opened(path: str, directory: int | None) -> tuple[int, os.stat_result]:
    _status(path, directory)  # A device may do something when it is opened.
    descriptor = os.open(path, _FILE, dir_fd=directory)
    try:
        return descriptor, _regular(os.fstat(descriptor))
    except NoSuchFile:
        os.close(descriptor)
        raise


def _regular(status: os.stat_result) -> os.stat_result:
    if not stat.S_ISREG(status.st_mode):
        raise NoSuchFile
    return status
