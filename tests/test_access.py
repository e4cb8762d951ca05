"""The permission walk: at which component of a path a user stops."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from django_deploykit.config.access import denied, group_name, server_account
from django_deploykit.config.facts import Interpreter
from django_deploykit.config.registry import renderers
from django_deploykit.config.renderer import Access, site_access
from tests.cases import CASES
from tests.servers.harness import public_directory

NOBODY = "nobody"


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that everybody can enter."""
    with public_directory() as directory:
        yield directory.resolve()


@pytest.fixture
def site(public: Path) -> Path:
    """A file below two directories, for everybody to read."""
    file = public / "srv" / "static" / "style.css"
    file.parent.mkdir(parents=True)
    for directory in (file.parent, file.parent.parent):
        directory.chmod(0o755)
    file.touch()
    file.chmod(0o644)
    return file


def obstacle(path: Path, *, write: bool = False) -> tuple[Path, str] | None:
    """The component and the problem, if there is any."""
    found = denied([Access(path, "static files", write)], NOBODY)
    assert len(found) <= 1
    return (found[0].component, found[0].problem) if found else None


def test_open_path(site: Path) -> None:
    """Where everybody may pass and read, nobody is denied."""
    assert obstacle(site) is None
    assert obstacle(site.parent) is None


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o754, 0o644])
def test_directory_that_cannot_be_passed(mode: int, site: Path) -> None:
    """The exact directory is named, not the path that was asked for."""
    site.parent.parent.chmod(mode)
    assert obstacle(site) == (site.parent.parent, "the user may not pass")


def test_directory_that_can_only_be_passed(site: Path) -> None:
    """A directory on the way need not be readable; the last one must be."""
    site.parent.chmod(0o711)
    assert obstacle(site) is None
    assert obstacle(site.parent) == (site.parent, "the user may not read")


def test_file_that_cannot_be_read(site: Path) -> None:
    """The file itself counts too."""
    site.chmod(0o640)
    assert obstacle(site) == (site, "the user may not read")


def test_directory_that_cannot_be_written(site: Path) -> None:
    """Uploads need more than reading."""
    assert obstacle(site.parent, write=True) == (site.parent, "the user may not write to")
    site.parent.chmod(0o777)
    assert obstacle(site.parent, write=True) is None


@pytest.mark.parametrize("rest", ["none", "none/below", "style.css/below"])
def test_path_that_does_not_exist(rest: str, site: Path) -> None:
    """The first component that is not there is named."""
    path = site.parent / rest
    missing = path if rest == "style.css/below" else site.parent / "none"
    assert obstacle(path) == (missing, "there is no")


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_link_into_a_closed_directory(relative: bool, site: Path, public: Path) -> None:
    """The way through a symbolic link counts, not only where it ends."""
    closed = public / "home"
    (closed / "static").mkdir(parents=True)
    (closed / "static").chmod(0o755)
    closed.chmod(0o700)
    link = site.parent / "link"
    link.symlink_to(Path("../../home/static") if relative else closed / "static")
    assert obstacle(link) == (closed, "the user may not pass")
    closed.chmod(0o755)
    assert obstacle(link) is None


def test_an_interpreter_in_a_closed_home(public: Path) -> None:
    """A virtual environment leads to the Python that it was made from, wherever that lies."""
    home, venv = public / "home", public / "venv"
    (home / "python").mkdir(parents=True)
    (home / "python/python3").touch(mode=0o755)
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(home / "python/python3")
    for directory in (home, home / "python", venv, venv / "bin"):
        directory.chmod(0o755)
    interpreter = Interpreter(prefix=venv, packages=venv / "lib", version=(3, 11), base=home)
    plan = CASES["minimal"].plan(renderers()["nginx"])
    (needed,) = [
        one
        for one in site_access(plan, replace(plan.sites[0], interpreter=interpreter))
        if one.why == "the interpreter"
    ]
    assert denied([needed], NOBODY) == []
    home.chmod(0o700)
    (found,) = denied([needed], NOBODY)
    assert (found.component, found.problem) == (home, "the user may not pass")


def test_link_that_leads_nowhere(site: Path) -> None:
    """Neither a dangling link nor a circle is a traceback."""
    dangling, circle = site.parent / "dangling", site.parent / "circle"
    dangling.symlink_to("none")
    circle.symlink_to("circle")
    assert obstacle(dangling) == (site.parent / "none", "there is no")
    found = obstacle(circle)
    assert found is not None
    assert found[1].startswith("Too many levels of symbolic links")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owner_and_group_come_first(site: Path) -> None:
    """The owner is judged by the owner's bits and the group by the group's, as the kernel does."""
    account = pwd.getpwnam(NOBODY)
    os.chown(site, account.pw_uid, 0)
    site.chmod(0o044)
    assert obstacle(site) == (site, "the user may not read")
    os.chown(site, 0, account.pw_gid)
    site.chmod(0o604)
    assert obstacle(site) == (site, "the user may not read")
    site.chmod(0o640)
    assert obstacle(site) is None


def test_root_passes_everywhere(site: Path) -> None:
    """Root is never denied."""
    site.parent.chmod(0o000)
    assert denied([Access(site, "static files", write=True)], "root") == []


def test_server_account() -> None:
    """The named account, or a usual one; none if there is no such account here."""
    assert server_account("root") == "root"
    assert server_account("no-such-user") is None
    assert server_account() in ("www-data", "apache", "http", "nobody")
    assert group_name("root") == "root"


def test_a_chosen_group_counts(site: Path) -> None:
    """A service runs in the group that was chosen for it, which its user need not belong to."""
    site.chmod(0o640)
    group = grp.getgrgid(site.stat().st_gid).gr_name
    needed = [Access(site, "the environment file")]
    assert denied(needed, NOBODY, group) == []
    for other in ("", "no-such-group"):
        (found,) = denied(needed, NOBODY, other)
        assert (found.user, found.component) == (NOBODY, site)


def test_sentence(site: Path) -> None:
    """A person reads the path, why it is needed, and where the user stops."""
    site.parent.chmod(0o700)
    (found,) = denied([Access(site, "static files")], NOBODY)
    assert str(found) == f"{site} (static files): the user may not pass {site.parent}"
