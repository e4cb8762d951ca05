"""Emitted files on disk: what marks them, how they compare, and writing all or nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config.output import OutputFile, State, full_text, output_files, write
from django_deploykit.config.renderer import Rendered
from django_deploykit.config.syntax.printer import Line
from django_deploykit.exceptions import FileConflict


def rendered(name: str = "apache/shop.conf", text: str = "Listen 80", **more: Any) -> Rendered:
    lines = tuple(Line(line, None) for line in text.splitlines())
    return Rendered(filename=name, lines=lines, **more)


def one(directory: Path, text: str = "Listen 80") -> OutputFile:
    """The only file of a set."""
    (file,) = output_files([rendered(text=text)], directory, "manage.py deployconfig apache")
    return file


def tree(directory: Path) -> dict[str, str]:
    """Every file below a directory, and every empty directory."""
    return {
        str(path.relative_to(directory)): path.read_text() if path.is_file() else ""
        for path in directory.rglob("*")
        if path.is_file() or not any(path.iterdir())
    }


@pytest.fixture
def closed(tmp_path: Path) -> OutputFile:
    """A file that nobody can write, not even root: its directory is a file."""
    (tmp_path / "file").touch()
    return OutputFile(tmp_path / "file" / "shop.conf", "text", 0o644)


def test_header_is_the_same_for_the_same_text() -> None:
    """No time, machine or user goes into a file."""
    first = full_text(rendered(), "manage.py deployconfig apache")
    assert first == full_text(rendered(), "manage.py deployconfig apache")
    assert first.splitlines()[0].endswith(": manage.py deployconfig apache")
    assert first.endswith("\nListen 80\n")


def test_written_file_is_up_to_date(tmp_path: Path) -> None:
    """What was just written is the same, with the mode that was asked for; again is nothing."""
    file = one(tmp_path / "new" / "deploy")
    assert file.state is State.MISSING
    assert write([file]) == [file.path]
    assert file.state is State.SAME
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o644
    assert write([file]) == []


def test_mode_is_kept_from_the_umask(tmp_path: Path) -> None:
    """A file for some is never, not even for a moment, there for all."""
    (file,) = output_files([rendered(mode=0o600)], tmp_path, "x")
    before = os.umask(0)
    try:
        write([file])
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_directories_are_kept_from_the_umask(tmp_path: Path) -> None:
    """The server's user has to come through what an administrator makes."""
    file = one(tmp_path / "new" / "deploy")
    before = os.umask(0o077)
    try:
        write([file])
    finally:
        os.umask(before)
    made = [tmp_path / "new", tmp_path / "new" / "deploy"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o755, 0o755]


def test_a_script_that_may_not_run_is_drift(tmp_path: Path) -> None:
    """A copy or a checkout may have lost it; nothing else of the mode is ours to say."""
    (file,) = output_files([rendered(mode=0o755)], tmp_path, "x")
    write([file])
    file.path.chmod(0o644)
    assert file.state is State.MODE
    assert write([file]) == [file.path]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o755
    file.path.chmod(0o775)
    assert file.state is State.SAME


def test_outdated_file_is_written_anew(tmp_path: Path) -> None:
    """A file that only this command wrote may be replaced."""
    write([one(tmp_path)])
    file = one(tmp_path, "Listen 81")
    assert file.state is State.OUTDATED
    write([file])
    assert file.state is State.SAME


@pytest.mark.parametrize(
    ("edit", "state"),
    [
        (lambda text: text + "Listen 82\n", State.EDITED),
        (lambda text: text.replace("Listen 80", "Listen 82"), State.EDITED),
        (lambda text: text.replace("\n", "\r\n"), State.FOREIGN),
        (lambda text: "Listen 82\n" + text, State.FOREIGN),
        (lambda text: "Listen 82\n", State.FOREIGN),
        (lambda text: "", State.FOREIGN),
        (lambda text: text.replace("manage.py", "./manage.py"), State.OUTDATED),
    ],
    ids=["appended", "changed", "line ends", "above", "foreign", "empty", "header"],
)
def test_edited_file_is_known(edit: Any, state: State, tmp_path: Path) -> None:
    """Whatever somebody wrote into a file, above or below the header, is theirs."""
    file = one(tmp_path)
    write([file])
    file.path.write_bytes(edit(file.text).encode())
    assert file.state is state


@pytest.mark.parametrize("content", [b"Listen 82\n", b"\xff\xfe\0"])
def test_somebodys_file_is_not_overwritten(content: bytes, tmp_path: Path) -> None:
    """A file that is not ours stays, and so does the rest of the set, until told otherwise."""
    file = one(tmp_path)
    other = OutputFile(tmp_path / "other.conf", "text", 0o644)
    file.path.parent.mkdir()
    file.path.write_bytes(content)
    with pytest.raises(FileConflict, match="not written by django-deploykit"):
        write([other, file])
    assert file.path.read_bytes() == content
    assert not other.path.exists()
    assert write([other, file], overwrite=True) == [other.path, file.path]
    assert file.state is State.SAME


@pytest.mark.parametrize("exists", [True, False], ids=["link", "dangling link"])
def test_link_is_not_followed(exists: bool, tmp_path: Path) -> None:
    """A symbolic link is refused; overwriting replaces it, and never writes to its target."""
    target, file = tmp_path / "target", one(tmp_path / "deploy")
    if exists:
        target.write_text(file.text)
    file.path.parent.mkdir(parents=True)
    file.path.symlink_to(target)
    assert file.state is State.LINK
    with pytest.raises(FileConflict, match="a symbolic link"):
        write([file])
    write([file], overwrite=True)
    assert file.state is State.SAME
    assert not file.path.is_symlink()
    assert target.exists() is exists


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "pipe"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_what_is_no_file_stays(make: Any, overwrite: bool, tmp_path: Path) -> None:
    """A directory or a pipe in the place of a file is refused at once, even with overwriting."""
    file = OutputFile(tmp_path / "shop.conf", "text", 0o644)
    make(file.path)
    with pytest.raises(FileConflict, match=r"is not a file\. Nothing was changed\."):
        write([file], overwrite=overwrite)


def test_unwritable_set_leaves_everything(tmp_path: Path, closed: OutputFile) -> None:
    """If one file cannot be written, no other one is, and no directory is left behind."""
    new = OutputFile(tmp_path / "new" / "deep" / "shop.conf", "text", 0o644)
    before = tree(tmp_path)
    with pytest.raises(FileConflict, match=r"Nothing was changed\."):
        write([new, closed])
    assert tree(tmp_path) == before
    assert not (tmp_path / "new").exists()


def test_failure_half_way_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the last file cannot be moved into place, the ones before get their content back."""
    old, new, last = (OutputFile(tmp_path / name, "new", 0o644) for name in ("old", "new", "last"))
    write([OutputFile(old.path, "before", 0o644)])
    before = tree(tmp_path)
    replace = os.replace

    def fail_at_last(source: Path, target: Path) -> None:
        if target == last.path:
            raise PermissionError(1, "Operation not permitted", str(source), None, str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_at_last)
    with pytest.raises(FileConflict, match=r"last' cannot be written: Operation not permitted"):
        write([old, new, last], overwrite=True)
    assert tree(tmp_path) == before


def test_diff_goes_from_the_disk_to_the_text(tmp_path: Path) -> None:
    """Lines to be added have a plus."""
    write([one(tmp_path)])
    file = one(tmp_path, "Listen 81")
    lines = [line for line in file.diff() if line[0] in "+-"]
    assert lines[0].startswith(f"--- {file.path}")
    assert [line for line in lines if "Listen" in line] == ["-Listen 80\n", "+Listen 81\n"]


def test_comment_mark_is_that_of_the_target() -> None:
    """The header is a comment in the target's own grammar."""
    text = full_text(rendered(comment=";"), "x")
    assert [line.split()[0] for line in text.splitlines()[:2]] == [";", ";"]
