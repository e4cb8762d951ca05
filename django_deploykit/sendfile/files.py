"""A file that is about to be sent: measured, with its validators, and open if Python sends it."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import IO, Any, NamedTuple, cast

from django.core.exceptions import SuspiciousFileOperation, SuspiciousOperation
from django.core.files import File
from django.core.files.storage import InMemoryStorage, Storage
from django.db.models.fields.files import FieldFile

from django_deploykit.sendfile.policy import Policy
from django_deploykit.sendfile.roots import (
    NoSuchFile,
    Place,
    Root,
    find,
    is_below,
    look_at,
    open_at,
)


class ProtectedFile(NamedTuple):
    """A file. ``place`` is known for one on this disk; a storage elsewhere has none.

    ``stream`` is None where nobody has opened it yet. ``etag`` and ``modified`` (seconds) are None
    where a storage does not tell. ``changed`` is when this file came to its place, or was written
    to. ``url`` makes one for a file of such a storage.
    """

    stream: IO[bytes] | io.FileIO | None
    name: str
    size: int
    etag: str | None = None
    modified: int | None = None
    place: Place | None = None
    changed: float = 0
    url: Callable[[], str] | None = None

    def open(self) -> IO[bytes] | io.FileIO:
        """Its stream. Raise NoSuchFile where it is gone, or another one has taken its place."""
        if self.stream is not None or self.place is None:
            return cast(IO[bytes], self.stream)
        descriptor, status = open_at(self.place)
        stream = io.FileIO(descriptor)
        if _etag(status) != self.etag:
            stream.close()
            raise NoSuchFile
        return stream


# How a file is found: by its path, in one of these roots.
Reach = Callable[[str, Sequence[Root]], ProtectedFile]


def looked_up(path: str, roots: Sequence[Root]) -> ProtectedFile:
    """Find a file, and do not open it: who hands it over never reads it."""
    place, status = find(path, roots, look_at)
    return _known(path, place, status)


def opened(path: str, roots: Sequence[Root]) -> ProtectedFile:
    """Find a file, and open it."""
    place, (descriptor, status) = find(path, roots, open_at)
    return _known(path, place, status, io.FileIO(descriptor))


def find_protected(source: Any, policy: Policy, reach: Reach) -> ProtectedFile:
    """Find a path, a FieldFile, a pair of storage and name; or take a file that is open.

    ``reach`` is for a file on this disk. Raise NoSuchFile where there is none.
    """
    if isinstance(source, FieldFile):
        if not source:
            raise NoSuchFile
        return _from_storage(source.storage, str(source.name), policy, reach)
    if isinstance(source, tuple):
        storage, name = source
        return _from_storage(storage, name, policy, reach)
    if isinstance(source, File):
        return _measured(source, str(source.name or ""))
    return reach(os.fsdecode(source), policy.roots)


def _from_storage(storage: Storage, name: str, policy: Policy, reach: Reach) -> ProtectedFile:
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
        found = reach(path, policy.roots)
    except NoSuchFile:
        return reach(path, (own,))
    if found.place is None or not _is_in(found.place, own):
        if found.stream is not None:
            found.stream.close()
        raise NoSuchFile
    return found


def _is_in(place: Place, own: Root) -> bool:
    """Tell whether a file of one root lies in another one too, links followed."""
    if place.root.directory == own.directory:
        return True
    return is_below(os.path.realpath(place.path), os.path.realpath(own.directory))


def _etag(status: os.stat_result) -> str:
    # A file that takes another's place, even within a tick of the clock, is another inode.
    return f'"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"'


def _known(
    path: str, place: Place, status: os.stat_result, stream: io.FileIO | None = None
) -> ProtectedFile:
    return ProtectedFile(
        stream,
        name=os.path.basename(path),
        size=status.st_size,
        etag=_etag(status),
        modified=int(status.st_mtime),
        place=place,
        changed=status.st_ctime,
    )


def _from_elsewhere(storage: Storage, name: str) -> ProtectedFile:
    try:
        stream = storage.open(name)
        modified = storage.get_modified_time(name)
    except (FileNotFoundError, SuspiciousOperation) as error:
        raise NoSuchFile from error
    except NotImplementedError:
        return _measured(stream, name)
    known = f"{name}\0{modified.timestamp()}\0{stream.size}"
    etag = f'"{hashlib.sha256(known.encode()).hexdigest()[:32]}"'
    date = int(modified.timestamp())
    if getattr(storage, "gzip", False) and _is_packed(stream):
        # What django-storages has packed, it unpacks while it is read: the size is that of the
        # packed file, which is all that a web server could fetch.
        return _measured(stream, name)._replace(etag=etag, modified=date)
    base = os.path.basename(name)
    url = partial(storage.url, name)
    return ProtectedFile(stream, base, stream.size, etag, date, url=url)


def _is_packed(stream: Any) -> bool:
    """Whether a file may be unpacked as it is read: such a storage packs some types alone. What it
    opens knows of its object (S3) or its blob (Google), which says so."""
    kept = getattr(stream, "obj", None) or getattr(stream, "blob", None)
    return getattr(kept, "content_encoding", "gzip") == "gzip"


def _measured(stream: Any, name: str) -> ProtectedFile:
    """A file of which nobody knows when it was changed."""
    stream.seek(0, io.SEEK_END)
    return ProtectedFile(stream, os.path.basename(name), stream.tell())
