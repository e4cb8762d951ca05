"""Static files: where they are, and which of them never change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import django.contrib.admin
import pytest
from django.conf import settings as live_settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, StaticFilesStorage
from django.urls import set_script_prefix

from django_deploykit.config.facts import Mount
from tests.introspect.conftest import Read
from tests.introspect.looking import facts, ids, messages

ADMIN = Path(django.contrib.admin.__file__).parent / "static" / "admin"
DEFAULT = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
WHITENOISE = "whitenoise.storage.CompressedManifestStaticFilesStorage"


class OwnStorage(ManifestStaticFilesStorage):
    """As a project would adapt it."""

    manifest_name = "own.json"


def storages(backend: str, **options: Any) -> dict[str, Any]:
    return {"default": DEFAULT, "staticfiles": {"BACKEND": backend, "OPTIONS": options}}


def test_collected_files(read: Read, collected: Path) -> None:
    """STATIC_ROOT lies at STATIC_URL."""
    static = facts(read()).static
    assert static is not None
    mount = Mount(url="/static/", directory=collected, setting="STATIC_ROOT")
    assert static.mounts == (mount,)
    assert (static.hashed, static.twins) == (False, ())


@pytest.mark.parametrize(
    ("url", "prefix", "expected"),
    [
        ("static/", "", "/static/"),
        ("static/", "/app", "/app/static/"),
        ("/app/static/", "/app", "/app/static/"),
        ("/assets/", "/app", "/assets/"),
    ],
)
def test_url_below_the_prefix(url: str, prefix: str, expected: str, read: Read) -> None:
    """A relative STATIC_URL lies below the prefix, an absolute one where it says."""
    static = facts(read(STATIC_URL=url, FORCE_SCRIPT_NAME=prefix or None)).static
    assert static is not None
    assert static.mounts[0].url == expected


def test_url_is_read_as_it_was_written(read: Read, settings: Any) -> None:
    """Django keeps a relative STATIC_URL with the prefix it was first seen with; we do not."""
    settings.STATIC_URL = "static/"
    set_script_prefix("/poison/")
    try:
        assert live_settings.STATIC_URL == "/poison/static/"
        static = facts(read()).static
    finally:
        set_script_prefix("/")
    assert static is not None
    assert static.mounts[0].url == "/static/"


@pytest.mark.parametrize("url", ["https://cdn.example/static/", "//cdn.example/static/"])
def test_files_on_another_host_are_not_served(url: str, read: Read) -> None:
    """With a CDN, this server has no static files."""
    found = read(STATIC_URL=url)
    assert facts(found).static is None
    assert facts(found).admin_static is None


@pytest.mark.parametrize(
    ("url", "allowed", "expected"),
    [
        ("https://example.com/static/", ["example.com"], "/static/"),
        ("//Example.com/a/b/", ["example.com"], "/a/b/"),
        ("https://example.com/static/", [".example.com"], "/static/"),
        ("https://cdn.example.com/static/", [".example.com"], None),
        ("https://example.com:8443/static/", ["example.com"], None),
        ("https://example.com/", ["example.com"], None),
        ("https://example.com/static/", ["*"], None),
    ],
)
def test_a_host_of_the_site_is_no_other_one(
    url: str, allowed: list[str], expected: str | None, read: Read
) -> None:
    """Who writes whole URLs, as mails need them, still has the files served here; what may be a
    CDN, below a suffix or at another port, is left alone."""
    static = facts(read(STATIC_URL=url, ALLOWED_HOSTS=allowed)).static
    assert (static and static.mounts[0].url) == expected


@pytest.mark.parametrize(
    ("backend", "hashed", "twins"),
    [
        ("django.contrib.staticfiles.storage.StaticFilesStorage", False, ()),
        ("django.contrib.staticfiles.storage.ManifestStaticFilesStorage", True, ()),
        ("whitenoise.storage.CompressedStaticFilesStorage", False, ("br", "gz")),
        (WHITENOISE, True, ("br", "gz")),
    ],
)
def test_storage_tells_hashes_and_twins(
    backend: str, hashed: bool, twins: tuple[str, ...], read: Read, collected: Path
) -> None:
    """Only a manifest storage hashes names, only WhiteNoise's leaves compressed twins."""
    (collected / "staticfiles.json").touch()
    static = facts(read(STORAGES=storages(backend))).static
    assert static is not None
    assert (static.hashed, static.twins) == (hashed, twins)


def test_manifest_of_a_subclass(read: Read, collected: Path) -> None:
    """A storage that names its manifest differently is asked for that name."""
    backend = f"{OwnStorage.__module__}.{OwnStorage.__name__}"
    found = read(STORAGES=storages(backend))
    assert ids(found) == {"W052"}
    assert "'own.json'" in messages(found)
    (collected / "own.json").touch()
    assert ids(read(STORAGES=storages(backend))) == set()


class ManifestElsewhere(ManifestStaticFilesStorage):
    """As Django's documentation has it, for a manifest that is kept with the code."""

    def __init__(self, *args: Any, **options: Any) -> None:
        manifests = StaticFilesStorage(location="/srv/shop")
        super().__init__(*args, manifest_storage=manifests, **options)


@pytest.mark.parametrize("prefix", [None, "/app"])
def test_a_manifest_that_is_kept_elsewhere(prefix: str | None, read: Read, collected: Path) -> None:
    """It is not missed among the files; those lie where the settings say."""
    backend = f"{ManifestElsewhere.__module__}.{ManifestElsewhere.__name__}"
    found = read(STORAGES=storages(backend), STATIC_URL="static/", FORCE_SCRIPT_NAME=prefix)
    assert "W052" not in ids(found)
    static = facts(found).static
    assert static is not None
    mount = Mount(url=f"{prefix or ''}/static/", directory=collected, setting="STATIC_ROOT")
    assert (static.mounts, static.hashed) == ((mount,), True)


def test_options_of_the_storage_win(read: Read, tmp_path: Path, collected: Path) -> None:
    """The storage's own location and base_url are where its files really are."""
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    options = {"location": str(collected), "base_url": "/other/"}
    found = read(STATIC_ROOT=str(tmp_path / "none"), STORAGES=storages(backend, **options))
    static = facts(found).static
    assert static is not None
    assert static.mounts == (Mount(url="/other/", directory=collected, setting="STATIC_ROOT"),)


def test_remote_storage_is_not_served(read: Read) -> None:
    """Files in a bucket are nobody's on this host."""
    backend = "django.core.files.storage.InMemoryStorage"
    assert facts(read(STORAGES=storages(backend))).static is None


def test_dot_files_are_not_collected_files(read: Read, tmp_path: Path) -> None:
    """A directory that is only kept in version control has not been collected into."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / ".gitkeep").touch()
    assert ids(read(STATIC_ROOT=str(tmp_path / "kept"))) == {"W051"}


def test_fresh_project_serves_packages(read: Read) -> None:
    """Without STATIC_ROOT the admin's files are served from its package, with a warning."""
    found = read(STATIC_ROOT=None)
    static = facts(found).static
    assert ids(found) == {"W053"}
    assert static is not None
    assert static.mounts == (Mount(url="/static/admin/", directory=ADMIN, setting="STATIC_ROOT"),)


def test_no_static_files_at_all(read: Read, settings: Any) -> None:
    """A project without any static file needs no STATIC_ROOT."""
    settings.STATICFILES_FINDERS = []
    finders.get_finder.cache_clear()
    found = read(STATIC_ROOT=None)
    assert facts(found).static is None
    assert ids(found) == set()


@pytest.mark.parametrize("place", ["", "shop"])
def test_own_files_need_static_root(place: str, read: Read, tmp_path: Path) -> None:
    """A project with static files of its own has to collect them."""
    own = tmp_path / "assets"
    (own / place).mkdir(parents=True)
    (own / place / "logo.svg").touch()
    found = read(STATIC_ROOT=None, STATICFILES_DIRS=[str(own)])
    assert ids(found) == {"E008"}
    assert str(own) in messages(found)
    assert found.facts is not None
    assert found.facts.static is None


@pytest.mark.parametrize("path", ["loose.css", "admin/more.css"])
def test_packages_that_share_a_directory_need_static_root(
    path: str, read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file beside the packages' directories, or two packages in one, fit no single mount."""
    monkeypatch.setattr("site.getsitepackages", lambda: [str(tmp_path)])
    (tmp_path / "more" / path).parent.mkdir(parents=True)
    (tmp_path / "more" / path).touch()
    found = read(STATIC_ROOT=None, STATICFILES_DIRS=[str(tmp_path / "more")])
    assert ids(found) == {"E008"}
    assert "files of several packages" in messages(found)


def test_mounts_never_lie_above_the_files(read: Read, tmp_path: Path) -> None:
    """Whatever the finders know, no directory above a static directory is ever served."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "loose.css").touch()
    static = read(STATIC_ROOT=None, STATICFILES_DIRS=[str(tmp_path / "own")]).facts
    assert static is not None
    assert static.static is None


@pytest.mark.filterwarnings("ignore:.*STATICFILES_DIRS.*")
def test_one_directory_is_no_list_of_letters(read: Read) -> None:
    """A forgotten comma makes a text of the tuple; its letters, of which one is "/", are left
    alone."""
    assert "STATICFILES_DIRS" in messages(read(STATIC_ROOT=None, STATICFILES_DIRS="/srv/assets"))


def test_a_fault_is_told_once(read: Read) -> None:
    """However many look at the setting: the admin has static files, too."""
    assert messages(read(STATIC_URL="/static")).count("deploykit.E011") == 1


def test_relative_static_root(read: Read) -> None:
    """A relative directory is read as Django reads it, and reported."""
    found = read(STATIC_ROOT="collected")
    static = facts(found).static
    assert ids(found) == {"W051", "W066"}
    assert static is not None
    assert static.mounts[0].directory == Path(os.getcwd(), "collected")
