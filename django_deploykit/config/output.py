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

# Both lines of the header. Only a line that names an interpreter may precede them: what else
# stands above is somebody's own.
_FIRST = re.compile(r"(?:#!.*\n)?")
_HEADER = re.compile(
    r"\S+ Written by django-deploykit [^\n]*\n\S+ sha256 of the other lines: ([0-9a-f]{64})\n"
)


class State(Enum):
    """How a file on disk compares with what would be written."""

    SAME = "up to date"
    MODE = "not executable"
    MISSING = "missing"
    OUTDATED = "outdated: settings, choices or versions changed"
    EDITED = "edited by hand"
    FOREIGN = "not written by django-deploykit"
    LINK = "a symbolic link"


# What is only overwritten when that is asked for.
_SOMEBODYS = (State.EDITED, State.FOREIGN, State.LINK)


@dataclass(frozen=True)
class OutputFile:
    """One file of the written set: where it lies, what it holds, and its mode."""

    path: Path
    text: str
    mode: int

    @property
    def state(self) -> State:
        """Compare with the disk. Raise FileConflict if the file cannot be read."""
        if os.path.islink(self.path):
            return State.LINK  # Never written through: its target is somebody else's file.
        on_disk = self.on_disk()
        if on_disk is None:
            return State.MISSING
        if on_disk == self.text:
            return State.SAME if self._may_run() else State.MODE
        first = _first_line(on_disk)
        header = _HEADER.match(on_disk, len(first))
        if header is None:
            return State.FOREIGN
        others = first + on_disk[header.end() :]
        return State.OUTDATED if _hash(others) == header[1] else State.EDITED

    def _may_run(self) -> bool:
        """Whether everybody may run it who is to: a copy or a checkout can have lost that."""
        wanted = self.mode & 0o111
        return self.path.stat().st_mode & wanted == wanted

    def on_disk(self) -> str | None:
        """What lies there now, byte for byte. Raise FileConflict if it cannot be read."""
        try:
            if self.path.exists() and not self.path.is_file():
                raise FileConflict(f"{str(self.path)!r} is not a file. Nothing was changed.")
            return self.path.read_bytes().decode(errors="surrogateescape")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FileConflict(
                f"{str(self.path)!r} cannot be read: {error.strerror}. Nothing was changed."
            ) from None

    def diff(self) -> Iterator[str]:
        """A unified diff from the disk to what would be written."""
        before = (self.on_disk() or "").splitlines(keepends=True)
        after = self.text.splitlines(keepends=True)
        return difflib.unified_diff(before, after, str(self.path), f"{self.path} (rendered)")


def full_text(rendered: Rendered, invocation: str) -> str:
    """The rendered text below the header that says what wrote it, how, and its hash; but a line
    that names an interpreter has to be the first (execve(2))."""
    mark, text = rendered.comment, rendered.text
    first = _first_line(text)
    return (
        f"{first}"
        f"{mark} Written by django-deploykit {__version__}: {invocation}\n"
        f"{mark} sha256 of the other lines: {_hash(text)}\n"
        f"{text[len(first) :]}"
    )


def _first_line(text: str) -> str:
    """The line that names an interpreter, if there is one."""
    found = _FIRST.match(text)
    return found[0] if found else ""


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

    Raise FileConflict, before anything is changed, for a file that was edited by hand, is not
    ours or is a link (unless ``overwrite``), and for one that cannot be written.
    """
    states = [(file, file.state) for file in files]
    if not overwrite:
        _refuse_conflicts(states)
    changed = [file for file, state in states if state is not State.SAME]
    with contextlib.ExitStack() as undo:
        try:
            prepared = [(_prepare(file, undo), file) for file in changed]
            for temporary, file in prepared:
                undo.callback(_put_back, file, file.on_disk())
                os.replace(temporary, file.path)
        except OSError as error:
            path = error.filename2 or error.filename
            message = f"{str(path)!r} cannot be written: {error.strerror}. Nothing was changed."
            raise FileConflict(message) from None
        undo.pop_all()
    return [file.path for file in changed]


def _refuse_conflicts(states: list[tuple[OutputFile, State]]) -> None:
    conflicts = [(file, state) for file, state in states if state in _SOMEBODYS]
    if conflicts:
        lines = [f"{str(file.path)!r}: {state.value}." for file, state in conflicts]
        hint = "Nothing was written. Look with --diff; overwrite with --force."
        raise FileConflict("\n".join([*lines, hint]))


def _prepare(file: OutputFile, undo: contextlib.ExitStack) -> Path:
    """Write the text beside its place, complete and on disk, under a temporary name."""
    _make_directories(file.path.parent, undo)
    handle, name = tempfile.mkstemp(prefix=".deploykit-", dir=file.path.parent)
    temporary = Path(name)
    undo.callback(temporary.unlink, missing_ok=True)
    with open(handle, "w", encoding="utf-8", newline="") as stream:
        os.fchmod(stream.fileno(), file.mode)
        stream.write(file.text)
        stream.flush()
        os.fsync(stream.fileno())
    return temporary


def _make_directories(directory: Path, undo: contextlib.ExitStack) -> None:
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir()
        undo.callback(path.rmdir)
        path.chmod(0o755)  # Whatever the umask is: a server's user has to come through.


def _put_back(file: OutputFile, text: str | None) -> None:
    """Restore what was there, after a later file of the set could not be moved into place."""
    file.path.unlink(missing_ok=True)
    if text is not None:
        file.path.write_bytes(text.encode(errors="surrogateescape"))
        file.path.chmod(file.mode)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
