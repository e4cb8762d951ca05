"""Which files can be sent at all (S1 to S6)."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from django.http import Http404
from django.test import Client, RequestFactory

from django_deploykit.sendfile import roots, sendfile
from tests.sendfile.asking import body, get, handed
from tests.sendfile.conftest import CONTENT
from tests.sendfile.site import FIRST


def _outside(private: Path) -> dict[str, str]:
    """Names that lead out of the directory, or nowhere."""
    beside = private.parent
    (private / "link").symlink_to(beside / "secret.txt")
    (private / "way").symlink_to(beside)
    (private / "loop").symlink_to("loop")
    (beside / "private-too").mkdir()
    (beside / "private-too" / "secret.txt").write_text("secret")
    return {
        "dots": "../secret.txt",
        "dots inside": f"{private}/a/../../secret.txt",
        "absolute": str(beside / "secret.txt"),
        "NUL": "report.txt\0",
        "link": "link",
        "link in between": "way/secret.txt",
        "loop": "loop",
        "sibling": str(beside / "private-too" / "secret.txt"),
        "sibling by dots": "../private-too/secret.txt",
        "backslash": "..\\secret.txt",
        "case": "REPORT.TXT",
        "dot at the end": "report.txt.",
        "slash at the end of a file in the way": "report.txt/x",
        "empty": "",
        "itself": ".",
        "long": "a" * 300,
        "surrogate": "\ud800",
    }


def test_s1_nothing_outside_of_the_root(private: Path, stack: str, client: Client) -> None:
    """S1: whatever does not resolve to a file below its root is as missing as a missing file."""
    missing = get(client, "missing.txt")
    assert missing.status_code == 404
    for why, name in _outside(private).items():
        answer = get(client, name.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
        assert (answer.status_code, body(answer)) == (404, body(missing)), why
        with pytest.raises(Http404, match="There is no such file"):
            sendfile(RequestFactory().get("/"), name)


def test_s1_a_link_within_the_root_is_followed(private: Path, client: Client, stack: str) -> None:
    """S1: what stays inside is sent, under the path without links."""
    (private / "deep").mkdir()
    (private / "deep" / "file").write_bytes(b"deep")
    (private / "short").symlink_to("deep")
    answer = get(client, "short/file")
    assert answer.status_code == 200
    assert body(answer) == b"deep" if not stack else "deep/file" in (handed(answer) or "")


@pytest.mark.usefixtures("a_while_ago")
def test_s1_the_root_itself_may_be_a_link(private: Path, client: Client, settings: Any) -> None:
    """S1: a root that is switched by a link is the one that the server knows."""
    current = private.parent / "current"
    current.symlink_to(private)
    settings.DEPLOYKIT = {
        "SITE": {"PROTECTED": {"/private/": str(current)}},
        "SENDFILE": {"BACKEND": "nginx"},
    }
    for name in ("report.txt", str(current / "report.txt"), str(private / "report.txt")):
        assert handed(get(client, name)) == "/private/report.txt"
    settings.DEPLOYKIT = {**settings.DEPLOYKIT, "SENDFILE": {"BACKEND": "lighttpd"}}
    assert handed(get(client, "report.txt")) is None  # It refuses a path with any link.
    settings.DEPLOYKIT = {**settings.DEPLOYKIT, "SITE": {"PROTECTED": {"/private/": str(private)}}}
    assert handed(get(client, "report.txt")) == str(private / "report.txt")


def test_s1_a_link_put_in_the_way_after_the_check(private: Path) -> None:
    """S1: between the check and the opening, nothing can be swapped for a link."""
    (private / "a").mkdir()
    (private / "a" / "file").write_text("mine")
    place = roots.locate(f"{private}/a/file", [roots.Root(str(private))])
    (private / "a" / "file").unlink()
    (private / "a" / "file").symlink_to(private.parent / "secret.txt")
    for reach in (roots.look_at, roots.open_at):
        with pytest.raises(roots.NoSuchFile):
            reach(place)
    (private / "a" / "file").unlink()
    (private / "a").rmdir()
    (private / "a").symlink_to(private.parent)
    (private.parent / "file").write_text("secret")
    for reach in (roots.look_at, roots.open_at):
        with pytest.raises(roots.NoSuchFile):
            reach(place)


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_s1_what_takes_the_files_place_while_it_is_opened(
    private: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """S1: what comes there after the last look is not followed, nor waited for."""
    file, look = private / "report.txt", roots._status

    def swap(path: str, directory: int | None) -> os.stat_result:
        found = look(path, directory)
        file.unlink()
        os.mkfifo(file) if kind == "fifo" else file.symlink_to(private.parent / "secret.txt")
        return found

    monkeypatch.setattr(roots, "_status", swap)
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(roots.NoSuchFile):
        roots.open_at(roots.Place(roots.Root(str(private)), "report.txt"))
    assert set(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize("kind", ["link", "file", "nothing"])
def test_s1_what_was_put_there_before_the_last_step(
    private: Path, client: Client, settings: Any, stack: str, kind: str
) -> None:
    """S1: what a server cannot be told is opened last, and only if it is what was looked up."""
    missing, etag = get(client, "missing.txt"), get(client, "report.txt")["ETag"]
    if kind == "link":
        (private / "swapped").symlink_to(private.parent / "secret.txt")
    elif kind == "file":
        (private / "swapped").write_bytes(b"another")
    settings.MIDDLEWARE = [FIRST, "tests.sendfile.site.Swaps"]
    answer = get(client, "report.txt", If_Match=etag)
    if stack:
        assert (answer.status_code, body(answer)) == (404, body(missing))
    else:  # It was open all the time.
        assert body(answer) == CONTENT


@pytest.mark.parametrize("name", ["a/b/file", "a/b/none", "a/none/file", "a/b", "a/file/x"])
def test_no_directory_on_the_way_is_left_open(private: Path, name: str) -> None:
    """Neither where the way leads to a file nor where it ends before."""
    (private / "a" / "b").mkdir(parents=True)
    for file in ("a/file", "a/b/file"):
        (private / file).touch()
    place = roots.Place(roots.Root(str(private)), name)
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with contextlib.suppress(roots.NoSuchFile):
            roots.look_at(place)
        with contextlib.suppress(roots.NoSuchFile):
            os.close(roots.open_at(place)[0])
    assert set(os.listdir("/proc/self/fd")) <= before


def test_s2_only_regular_files(private: Path, stack: str, client: Client) -> None:
    """S2: a directory, a FIFO without a writer, a socket: 404 at once."""
    (private / "directory").mkdir()
    os.mkfifo(private / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(private, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
        for name in ("directory", "directory/", "fifo", "socket"):
            assert get(client, name).status_code == 404, name


def test_s2_a_device_is_not_opened(private: Path, settings: Any, client: Client) -> None:
    """S2: nor is a device, which may do something when it is opened."""
    settings.DEPLOYKIT = {"SITE": {"PROTECTED": {"/dev/": "/dev"}}}
    assert get(client, "null").status_code == 404


def test_s4_a_place_that_no_server_knows_is_streamed(
    private: Path, client: Client, stack: str
) -> None:
    """S4: an open file of a storage has no URL in the server: its path is not given away."""
    from django.core.files.storage import FileSystemStorage

    elsewhere = private.parent / "elsewhere"
    storage = FileSystemStorage(elsewhere)
    (elsewhere).mkdir()
    (elsewhere / "file").write_text("text")
    request = RequestFactory().get("/")
    answer: Any = sendfile(request, storage.open("file"))
    assert handed(answer) is None
    assert body(answer) == b"text"
    answer.close()


def test_s5_roots_match_whole_segments_the_longest_first(private: Path) -> None:
    """S5: a name belongs to the innermost root, and to none whose name it only begins with."""
    (private / "inner").mkdir()
    (private / "inner" / "file").touch()
    outer, inner = roots.Root(str(private), "/o/"), roots.Root(str(private / "inner"), "/i/")
    for known in ([outer, inner], [inner, outer]):
        assert roots.locate(str(private / "inner" / "file"), known).root is inner
        assert roots.find(str(private / "inner" / "file"), known, roots.look_at)[0].root is inner
        assert roots.locate(str(private / "report.txt"), known).root is outer
    shorter = roots.Root(str(private)[:-1])
    with pytest.raises(roots.NoSuchFile):
        roots.locate(str(private / "report.txt"), [shorter])
    with pytest.raises(roots.NoSuchFile):
        roots.locate(str(private).upper() + "/report.txt", [outer])


def test_a_relative_name_needs_one_root(private: Path) -> None:
    """With two roots nobody can say which one a relative name means."""
    with pytest.raises(roots.NoSuchFile):
        roots.find("report.txt", [roots.Root(str(private)), roots.Root("/srv")], roots.open_at)


def test_s6_no_request_header_switches_anything(
    private: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S6: no header of a client chooses a mechanism, its name or its mapping."""
    monkeypatch.delenv("DEPLOYKIT_STACK", raising=False)
    spoofed = {
        "X-Sendfile-Type": "X-Accel-Redirect",
        "X-Accel-Mapping": f"{private}=/private",
        "X-Accel-Redirect": "/private/report.txt",
        "X-Sendfile": "/etc/hostname",
        "X-Location": "/private/report.txt",
        "Deploykit-Stack": "nginx/http",
        "DEPLOYKIT_STACK": "nginx/http",
    }
    answer = client.get("/send/", {"name": "report.txt"}, headers=spoofed)
    assert handed(answer) is None
    assert body(answer) == (private / "report.txt").read_bytes()
