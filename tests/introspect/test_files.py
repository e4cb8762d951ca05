"""Media, protected directories, files at the root, documents, and what must not overlap."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage

import django_deploykit
from django_deploykit.config.facts import Mount, RootFile
from tests.introspect.conftest import Read
from tests.introspect.looking import facts, ids, messages

CODE = Path(__file__).resolve().parents[2]


def overlap(found: Any) -> str:
    """The only fault, which must be an overlap."""
    assert ids(found) == {"E009"}
    return messages(found)


def test_media_is_public_by_default(read: Read, tmp_path: Path) -> None:
    """MEDIA_ROOT lies at MEDIA_URL, below the prefix if that is relative."""
    found = read(MEDIA_ROOT=tmp_path / "media", MEDIA_URL="media/", FORCE_SCRIPT_NAME="/app")
    expected = Mount(url="/app/media/", directory=tmp_path / "media", setting="MEDIA_ROOT")
    assert facts(found).media == expected


@pytest.mark.parametrize("choice", ["protected", "none"])
def test_media_is_not_served_unless_public(choice: str, read: Read, tmp_path: Path) -> None:
    """SITE['MEDIA'] keeps the server from handing uploads to anybody."""
    deploykit = {"SITE": {"MEDIA": choice}}
    found = read(MEDIA_ROOT=tmp_path / "media", MEDIA_URL="/media/", DEPLOYKIT=deploykit)
    assert facts(found).media is None
    assert facts(found).closed_uploads == facts(found).uploads == tmp_path / "media"


def test_uploads_elsewhere_have_no_directory(read: Read, tmp_path: Path) -> None:
    """Where another storage keeps them, MEDIA_ROOT need not even exist."""
    storages = {
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    deploykit = {"SITE": {"MEDIA": "none"}}
    assert facts(read(STORAGES=storages, DEPLOYKIT=deploykit)).uploads is None
    read_again = read(MEDIA_ROOT=tmp_path / "media", STORAGES=storages, DEPLOYKIT=deploykit)
    assert facts(read_again).uploads is None


def test_media_elsewhere_is_not_served(read: Read, tmp_path: Path) -> None:
    """Uploads with a URL on another host are nobody's here."""
    found = read(MEDIA_ROOT=tmp_path / "media", MEDIA_URL="https://cdn.example/media/")
    assert facts(found).media is None
    assert facts(found).closed_uploads == tmp_path / "media"


def test_media_on_a_host_of_the_site(read: Read, tmp_path: Path) -> None:
    """A whole URL, as mails need it, is no other host's where it names the site's own."""
    found = read(MEDIA_ROOT=tmp_path / "media", MEDIA_URL="https://example.com/media/")
    media = Mount(url="/media/", directory=tmp_path / "media", setting="MEDIA_ROOT")
    assert facts(found).media == media


def storages(directory: Path, base_url: str) -> dict[str, Any]:
    """STORAGES whose default one has a place and a URL of its own."""
    options = {"location": directory / "uploads", "base_url": base_url}
    backend = "django.core.files.storage.FileSystemStorage"
    static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    return {"default": {"BACKEND": backend, "OPTIONS": options}, "staticfiles": static}


def test_options_of_the_storage_win(read: Read, tmp_path: Path) -> None:
    """The storage's own location and base_url are where uploads really are."""
    media = facts(read(STORAGES=storages(tmp_path, "/uploads/"))).media
    assert media == Mount(url="/uploads/", directory=tmp_path / "uploads", setting="MEDIA_ROOT")


def own(backend: type, **options: Any) -> dict[str, Any]:
    """STORAGES whose default one is a class of the project."""
    default = {"BACKEND": f"{backend.__module__}.{backend.__name__}", "OPTIONS": options}
    static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    return {"default": default, "staticfiles": static}


class Uploads(FileSystemStorage):
    """As Django's documentation writes one."""

    def __init__(self, location: Any = "/srv/uploads", **options: Any) -> None:
        super().__init__(location, base_url="/uploads/", **options)


class AsSettled(FileSystemStorage):
    """The usual way to write down what is so by itself."""

    def __init__(self) -> None:
        super().__init__(location=settings.MEDIA_ROOT, base_url=settings.MEDIA_URL)


class Unusual(FileSystemStorage):
    """One that cannot be made without what only the site has."""

    def __init__(self) -> None:
        raise ImproperlyConfigured("Set SHOP_UPLOADS.")


def test_a_storage_may_say_its_place_itself(read: Read, tmp_path: Path) -> None:
    """What a storage of the project passes on is where uploads really are, and not MEDIA_ROOT."""
    expected = Mount(url="/uploads/", directory=Path("/srv/uploads"), setting="MEDIA_ROOT")
    assert facts(read(STORAGES=own(Uploads))).media == expected
    found = read(STORAGES=own(Uploads), MEDIA_ROOT=tmp_path / "old", MEDIA_URL="/media/")
    assert facts(found).media == expected
    found = read(
        STORAGES=own(Uploads, location=tmp_path / "own"), DEPLOYKIT={"SITE": {"MEDIA": "none"}}
    )
    assert facts(found).closed_uploads == tmp_path / "own"


def test_a_storage_may_pass_on_what_settings_say(read: Read, tmp_path: Path) -> None:
    """Django puts a prefix before MEDIA_URL, which SITES may replace, and makes "/" of none."""
    uploads = tmp_path / "media"
    found = read(
        STORAGES=own(AsSettled),
        MEDIA_ROOT=uploads,
        MEDIA_URL="media/",
        DEPLOYKIT={"SITE": {"PREFIX": "/app"}},
    )
    assert facts(found).media == Mount(url="/app/media/", directory=uploads, setting="MEDIA_ROOT")
    assert facts(read(STORAGES=own(AsSettled), MEDIA_ROOT=uploads, MEDIA_URL="")).media is None


def test_other_storages_keep_files_too(read: Read, tmp_path: Path) -> None:
    """Those on this machine, wherever nothing else of the site is known to be kept."""
    backend = "django.core.files.storage.FileSystemStorage"
    directories = {
        "invoices": tmp_path / "invoices",
        "again": tmp_path / "invoices",
        "thumbnails": tmp_path / "uploads" / "small",
        "members": tmp_path / "members",
    }
    local = {
        alias: {"BACKEND": backend, "OPTIONS": {"location": directory}}
        for alias, directory in directories.items()
    }
    elsewhere = {
        "memory": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        "absent": {"BACKEND": "no.such.Storage"},
        "none": {},
    }
    found = read(
        STORAGES={**storages(tmp_path, "/uploads/"), **local, **elsewhere},
        DEPLOYKIT={"SITE": {"PROTECTED": {"/members/": tmp_path / "members"}}},
    )
    assert facts(found).stored == (tmp_path / "invoices",)


def test_a_storage_that_cannot_be_made(read: Read, tmp_path: Path) -> None:
    """It is read as any other one: by its class, its options, and the settings."""
    found = read(STORAGES=own(Unusual), MEDIA_ROOT=tmp_path / "media", MEDIA_URL="/media/")
    media = Mount(url="/media/", directory=tmp_path / "media", setting="MEDIA_ROOT")
    assert facts(found).media == media


def test_an_option_may_lack_its_last_slash(read: Read, tmp_path: Path) -> None:
    """Django adds it to the storage's own base_url, though not to MEDIA_URL."""
    media = facts(read(STORAGES=storages(tmp_path, "/uploads"))).media
    assert media
    assert media.url == "/uploads/"
    found = read(STORAGES=storages(tmp_path, "/"))
    assert "STORAGES: '/' would take the whole site" in messages(found)


def test_a_storage_whose_package_is_missing(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """django-storages raises ImproperlyConfigured, not ImportError: that is a finding, no crash."""

    def fail(path: str) -> None:
        raise ImproperlyConfigured("Could not load Boto3's S3 bindings.")

    monkeypatch.setattr("django_deploykit.config.introspect.storages.import_string", fail)
    assert "cannot be imported" in messages(read())


def test_protected_directories(site: Read, tmp_path: Path) -> None:
    """Each URL of PROTECTED has a directory."""
    (mount,) = facts(site(PROTECTED={"/private/": tmp_path / "private"})).protected
    assert (mount.url, mount.directory) == ("/private/", tmp_path / "private")


def test_root_files_of_a_dict(site: Read, tmp_path: Path) -> None:
    """A URL may be given with or without its slash."""
    robots = tmp_path / "robots.txt"
    robots.touch()
    found = facts(site(ROOT_FILES={"robots.txt": robots, "/humans.txt": robots}))
    assert found.root_files == (
        RootFile(url="/humans.txt", path=robots),
        RootFile(url="/robots.txt", path=robots),
    )


def test_root_files_of_a_directory(read: Read, tmp_path: Path) -> None:
    """WHITENOISE_ROOT is walked; of dot-files only .well-known is for clients."""
    for name in ("robots.txt", "icons/a.png", ".well-known/security.txt", ".env", ".git/config"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    urls = [file.url for file in facts(read(WHITENOISE_ROOT=str(tmp_path / "root"))).root_files]
    assert urls == ["/.well-known/security.txt", "/icons/a.png", "/robots.txt"]


def test_env_file_behind_a_closed_directory(site: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the caller may not even look at is not called missing."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr("django_deploykit.config.introspect.context.os.stat", refuse)
        patch.setattr(Path, "stat", refuse)
        found = site(ENV_FILE="/etc/site/env")
    assert ids(found) == set()


@pytest.mark.parametrize("setting", ["MEDIA_ROOT", "STATIC_ROOT", "DOCUMENTS", "WHITENOISE_ROOT"])
def test_code_is_never_public(setting: str, read: Read) -> None:
    """No public directory may hold the project's code."""
    if setting == "DOCUMENTS":
        found = read(DEPLOYKIT={"SITE": {"ROUTES": ["/app/"], "DOCUMENTS": str(CODE)}})
    else:
        found = read(**{setting: str(CODE / "tests")}, MEDIA_URL="/media/")
    assert "settings module" in overlap(found) or "project's code" in overlap(found)


def test_code_of_an_application_is_never_public(read: Read) -> None:
    """An application's package is code, wherever it lies."""
    package = Path(django_deploykit.__file__).parent
    assert "django_deploykit" in overlap(read(MEDIA_ROOT=package, MEDIA_URL="/media/"))


@pytest.mark.parametrize(
    ("outer", "inner"),
    [("media", "media/static"), ("static/media", "static"), ("same", "same")],
    ids=["static in media", "media in static", "the same"],
)
def test_media_and_static_are_apart(outer: str, inner: str, read: Read, tmp_path: Path) -> None:
    """Uploads may not appear among the static files, nor be able to replace them."""
    (tmp_path / inner).mkdir(parents=True, exist_ok=True)
    (tmp_path / inner / "style.css").touch()
    found = read(MEDIA_ROOT=tmp_path / outer, MEDIA_URL="/media/", STATIC_ROOT=tmp_path / inner)
    assert "overlaps STATIC_ROOT" in overlap(found)


def test_link_into_another_directory_is_an_overlap(
    read: Read, tmp_path: Path, collected: Path
) -> None:
    """A symbolic link does not hide an overlap."""
    (tmp_path / "link").symlink_to(collected)
    assert "overlaps" in overlap(read(MEDIA_ROOT=tmp_path / "link", MEDIA_URL="/media/"))


@pytest.mark.parametrize("media", ["media", "private/media"], ids=["around", "inside"])
def test_protected_and_public_are_apart(media: str, read: Read, tmp_path: Path) -> None:
    """S3: a protected directory neither holds a public one nor lies in it."""
    private = tmp_path / ("media/private" if media == "media" else "private")
    deploykit = {"SITE": {"PROTECTED": {"/private/": private}}}
    found = read(MEDIA_ROOT=tmp_path / media, MEDIA_URL="/media/", DEPLOYKIT=deploykit)
    assert "protected directory" in overlap(found)


@pytest.mark.parametrize("name", ["{}/db.sqlite3", "file:{}/db.sqlite3?mode=ro"])
def test_database_is_never_public(
    name: str, read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database file does not lie among the uploads."""
    database = settings.DATABASES["default"]
    monkeypatch.setitem(database, "NAME", name.format(tmp_path / "media"))
    found = read(MEDIA_ROOT=tmp_path / "media", MEDIA_URL="/media/")
    assert "the database" in overlap(found)


@pytest.mark.parametrize("name", ["db.sqlite3", "file:db.sqlite3?mode=rw"])
def test_relative_database_is_said(
    name: str, read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever starts the command elsewhere must not hand that place to the application unawares."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", name)
    found = read()
    assert "DATABASES: 'db.sqlite3' means another place wherever" in messages(found)
    assert facts(found).databases == (tmp_path / "db.sqlite3",)


def test_relative_directory_of_root_files_is_said(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be another one, or none, from where the next command is started."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "robots.txt").touch()
    monkeypatch.chdir(tmp_path)
    assert ids(read(WHITENOISE_ROOT="root")) == {"W066"}


def test_cache_is_never_public(read: Read, tmp_path: Path) -> None:
    """Whoever can write a file of Django's file cache can run code: no upload may get there."""
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    caches = {"default": {"BACKEND": backend, "LOCATION": tmp_path / "media" / "cache"}}
    found = read(MEDIA_ROOT=tmp_path / "media", MEDIA_URL="/media/", CACHES=caches)
    assert "the cache" in overlap(found)


def test_what_settings_would_write(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directories of log files, and of uploads on their way; a device is no file."""
    # Django itself would obey, if it were told of these as of others (6.1, django.test.signals).
    tell = partial(monkeypatch.setattr, settings)
    handlers = {
        "file": {"class": "logging.FileHandler", "filename": tmp_path / "log" / "django.log"},
        "stdout": {"class": "logging.FileHandler", "filename": "/dev/stdout"},
        "console": {"class": "logging.StreamHandler"},
    }
    assert facts(read()).writes == ()
    tell("LOGGING", {"version": 1, "handlers": handlers})
    assert facts(read()).writes == (("LOGGING", tmp_path / "log"),)
    tell("LOGGING", None)
    assert facts(read()).writes == ()
    tell("LOGGING", {"version": 1, "handlers": handlers})
    tell("LOGGING_CONFIG", "mine.configure")
    mine = facts(read(FILE_UPLOAD_TEMP_DIR=tmp_path / "up"))
    assert mine.writes == (("FILE_UPLOAD_TEMP_DIR", tmp_path / "up"),)


def test_sessions_in_files(read: Read, tmp_path: Path) -> None:
    """Their directory is written to, if it is there that they are kept."""
    path = tmp_path / "sessions"
    assert facts(read(SESSION_FILE_PATH=path)).writes == ()
    found = facts(read(SESSION_ENGINE="django.contrib.sessions.backends.file"))
    assert found.writes == (("SESSION_FILE_PATH", path),)


def test_modes_with_special_bits(read: Read) -> None:
    """A service may not set them, and the unit's warning names the setting."""
    assert facts(read(FILE_UPLOAD_PERMISSIONS=None)).special_modes == ()
    found = facts(read(FILE_UPLOAD_DIRECTORY_PERMISSIONS=0o2775))
    assert found.special_modes == ("FILE_UPLOAD_DIRECTORY_PERMISSIONS",)


def test_closed_uploads_are_not_around_static_files(read: Read, tmp_path: Path) -> None:
    """Whoever uploads could replace them, though nobody else reads what was uploaded."""
    (tmp_path / "up" / "static").mkdir(parents=True)
    (tmp_path / "up" / "static" / "a.css").touch()
    deploykit = {"SITE": {"MEDIA": "none"}}
    found = read(
        MEDIA_ROOT=tmp_path / "up", STATIC_ROOT=tmp_path / "up" / "static", DEPLOYKIT=deploykit
    )
    assert "overlaps STATIC_ROOT" in overlap(found)


def test_private_key_is_never_public(read: Read, tmp_path: Path) -> None:
    """The key of TLS does not lie among the uploads."""
    tls = {"CERTIFICATE": "/etc/ssl/site.pem", "KEY": str(tmp_path / "media" / "site.key")}
    found = read(
        MEDIA_ROOT=tmp_path / "media", MEDIA_URL="/media/", DEPLOYKIT={"SITE": {"TLS": tls}}
    )
    assert "private key" in overlap(found)


def test_env_file_is_not_a_root_file(site: Read, tmp_path: Path) -> None:
    """A file with secrets cannot be handed out by name either."""
    secrets = tmp_path / "env"
    secrets.touch(mode=0o600)
    found = site(ENV_FILE=str(secrets), ROOT_FILES={"env": secrets})
    assert "environment file" in overlap(found)


def test_closed_media_is_not_public_through_documents(read: Read, tmp_path: Path) -> None:
    """Uploads that are not public stay so where another public directory holds them."""
    (tmp_path / "www" / "media").mkdir(parents=True)
    documents = {"ROUTES": ["/app/"], "DOCUMENTS": str(tmp_path / "www")}
    deploykit = {"SITE": {"MEDIA": "none", **documents}}
    found = read(MEDIA_ROOT=tmp_path / "www" / "media", MEDIA_URL="/m/", DEPLOYKIT=deploykit)
    assert "not public" in overlap(found)
