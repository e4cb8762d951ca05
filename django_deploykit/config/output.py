"""Emitted files on disk: the header that marks them, drift, and writing all or none."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from django_deploykit import __version__
from django_deploykit.config.renderer import Rendered
from django_deploykit.exceptions import FileConflict

_HASH_LINE = re.compile(r"^\S+ sha256 of the lines below: ([0-9a-f]{64})$", re.MULTILINE)


class State(Enum):
    """How a file on disk compares with what would be written."""

    SAME = "up to date"
    MISSING = "missing"
    OUTDATED = "outdated: settings, choices or versions changed"
    EDITED = "edited by hand"
    FOREIGN = "not written by django-deploykit"


@dataclass(frozen=True)
class OutputFile:
    """One file of the written set: where it lies, what it holds, and its mode."""

    path: Path
    text: str
    mode: int

    @property
    def state(self) -> State:
        """Compare with the disk. Raise FileConflict if the file cannot be read."""
        on_disk = self.on_disk()
        if on_disk is None:
            return State.MISSING
        if on_disk == self.text:
            return State.SAME
        header = _HASH_LINE.search(on_disk)
        if header is None:
            return State.FOREIGN
        return State.OUTDATED if _hash(on_disk[header.end() + 1 :]) == header[1] else State.EDITED

    def on_disk(self) -> str | None:
        try:
            return self.path.read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FileConflict(f"{str(self.path)!r} cannot be read: {error.strerror}.") from None

    def diff(self) -> Iterator[str]:
        """A unified diff from the disk to what would be written."""
        before = (self.on_disk() or "").splitlines(keepends=True)
        after = self.text.splitlines(keepends=True)
        return difflib.unified_diff(before, after, str(self.path), f"{self.path} (rendered)")


def full_text(rendered: Rendered, invocation: str) -> str:
    """The rendered text below the header that says what wrote it, how, and its hash."""
    mark = rendered.comment
    return (
        f"{mark} Written by django-deploykit {__version__}: {invocation}\n"
        f"{mark} sha256 of the lines below: {_hash(rendered.text)}\n"
        f"{rendered.text}"
    )


def output_files(
    rendered: Sequence[Rendered], directory: Path, invocation: str
) -> list[OutputFile]:
    """The written set for a directory."""
    return [
        OutputFile(directory / one.filename, full_text(one, invocation), one.mode)
        for one in rendered
    ]


def write(files: Sequence[OutputFile], *, overwrite: bool = False) -> list[Path]:
    """Write what differs, all of it or nothing; return the paths written.

    Raise FileConflict, before anything is changed, for a file that was edited by hand or is
    not ours (unless ``overwrite``), and for one that cannot be written.
    """
    states = [(file, file.state) for file in files]
    if not overwrite:
        _refuse_conflicts(states)
    changed = [file for file, state in states if state is not State.SAME]
    prepared: list[tuple[str, Path]] = []
    try:
        for file in changed:
            prepared.append((_prepare(file), file.path))
        for temporary, path in prepared:
            os.replace(temporary, path)
    except OSError as error:
        message = f"{error.filename!r} cannot be written: {error.strerror}. Nothing was changed."
        raise FileConflict(message) from None
    finally:
        for temporary, _ in prepared:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
    return [file.path for file in changed]


def _refuse_conflicts(states: list[tuple[OutputFile, State]]) -> None:
    conflicts = [(f, s) for f, s in states if s in (State.EDITED, State.FOREIGN)]
    if conflicts:
        lines = [f"{str(file.path)!r}: {state.value}." for file, state in conflicts]
        hint = "Nothing was written. Look with --diff; overwrite with --force."
        raise FileConflict("\n".join([*lines, hint]))


def _prepare(file: OutputFile) -> str:
    """Write the text beside its place, complete and on disk, under a temporary name."""
    file.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".deploykit-", dir=file.path.parent)
    try:
        with open(handle, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), file.mode)
            stream.write(file.text)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        os.unlink(name)
        raise
    return name


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
