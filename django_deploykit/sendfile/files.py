"""A file that is about to be sent: open, measured, and with the validators of what was opened."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File
from django.core.files.storage import InMemoryStorage, Storage
from django.db.models.fields.files import FieldFile

from django_deploykit.sendfile.policy import Policy
from django_deploykit.sendfile.roots import NoSuchFile, Place, Root, find, is_below


@dataclass(frozen=True)
class ProtectedFile:
    """An open file. ``place`` is known for one on this disk; a storage elsewhere has none.

    ``etag`` and ``modified`` (seconds) are None where a storage does not tell. ``changed`` is when
    this file came to its place, or was written to. ``url`` makes one for a file of such a storage.
    """

    stream: IO[bytes] | io.FileIO
    name: str
    size: int
    etag: str | None = None
    modified: int | None = None
    place: Place | None = None
    changed: float = 0
    url: Callable[[], str] | None = None


def open_protected(source: Any, policy: Policy) -> ProtectedFile:
    """Open a path, a FieldFile, a pair of storage and name; or take a file that is open.

    Raise NoSuchFile where there is none.
    """
    if isinstance(source, FieldFile):
        if not source:
            raise NoSuchFile
        return _from_storage(source.storage, str(source.name), policy)
    if isinstance(source, tuple):
        storage, name = source
        return _from_storage(storage, name, policy)
    if isinstance(source, File):
        return _measured(source, str(source.name or ""))
    path = os.fsdecode(source)
    return _opened(path, *find(path, policy.roots))


def _from_storage(storage: Storage, name: str, policy: Policy) -> ProtectedFile:
    if isinstance(storage, InMemoryStorage):  # It has paths, but no files there.
        return _from_elsewhere(storage, name)
    try:
        path = storage.path(name)
    except NotImplementedError:
        return _from_elsewhere(storage, name)
    except SuspiciousFileOperation as error:
        raise NoSuchFile from error
    # The storage's own directory confines the file too, and is a root where there is no other.
    own = Root(str(getattr(storage, "location", os.path.dirname(path))))
    try:
        found = find(path, policy.roots)
    except NoSuchFile:
        return _opened(path, *find(path, (own,)))
    if not _is_in(found[0], own):
        os.close(found[1])
        raise NoSuchFile
    return _opened(path, *found)


def _is_in(place: Place, own: Root) -> bool:
    """Tell whether a file of one root lies in another one too, links followed."""
    if place.root.directory == own.directory:
        return True
    return is_below(os.path.realpath(place.path), os.path.realpath(own.directory))


def _opened(path: str, place: Place, descriptor: int, status: os.stat_result) -> ProtectedFile:
    # A file that takes another's place, even within a tick of the clock, is another inode.
    etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"'
    return ProtectedFile(
        io.FileIO(descriptor),
        name=os.path.basename(path),
        size=status.st_size,
        etag=etag,
        modified=int(status.st_mtime),
        place=place,
        changed=status.st_ctime,
    )


def _from_elsewhere(storage: Storage, name: str) -> ProtectedFile:
    try:
        stream = storage.open(name)
        modified = storage.get_modified_time(name)
    except FileNotFoundError as error:
        raise NoSuchFile from error
    except NotImplementedError:
        return _measured(stream, name)
    known = f"{name}\0{modified.timestamp()}\0{stream.size}"
    etag = f'"{hashlib.sha256(known.encode()).hexdigest()[:32]}"'
    base = os.path.basename(name)
    url = partial(storage.url, name)
    return ProtectedFile(stream, base, stream.size, etag, int(modified.timestamp()), url=url)


def _measured(stream: Any, name: str) -> ProtectedFile:
    """A file of which nobody knows when it was changed."""
    stream.seek(0, io.SEEK_END)
    return ProtectedFile(stream, os.path.basename(name), stream.tell())
