"""Other directories and files that a web server serves itself, or must never serve."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from django_deploykit.config import findings
from django_deploykit.config.facts import Mount, RootFile
from django_deploykit.config.introspect.context import (
    Context,
    is_directory,
    is_file,
    not_there,
    real,
)
from django_deploykit.config.introspect.databases import in_a_file
from django_deploykit.config.introspect.storages import entries, location, others, storage, url

MEDIA_CHOICES = ("none", "protected", "public")
_SPECIAL = stat.S_ISUID | stat.S_ISGID
# What servers take out of the path of a URL before they look it up, each in its own way.
_LOST = {"", ".", ".."}
# What a file of a log may be called that is none: such as /dev/stdout.
_NO_FILES = (Path("/dev"), Path("/proc"))
_SESSIONS_IN_FILES = "django.contrib.sessions.backends.file"


def uploads(context: Context, prefix: str) -> tuple[Mount | None, Path | None]:
    """Uploaded files that the web server may hand to anybody; else the directory of those that it
    may not, if they lie on this machine."""
    choice = context.site.get("MEDIA", "public")
    if choice not in MEDIA_CHOICES:
        message = f"{choice!r} is none of {', '.join(MEDIA_CHOICES)}."
        context.find(findings.CONF_TYPE, context.key("MEDIA"), message)
    found = storage(context, "default") if "default" in entries(context) else None
    if found is None:
        return None, None
    path = url(context, found, "MEDIA_URL", prefix) if choice == "public" else None
    root = location(context, found, "MEDIA_ROOT")
    if path and root and not found.is_local:
        message = "the default storage keeps files elsewhere than in MEDIA_ROOT."
        context.find(findings.MEDIA_SERVED_ELSEWHERE, "STORAGES", message)
    if root is None or not found.is_local:
        return None, None
    if path is None:
        return None, root
    return Mount(url=path, directory=root, setting="MEDIA_ROOT"), None


def protected(context: Context, prefix: str) -> tuple[Mount, ...]:
    """The directories of which Django decides, request by request, who may read."""
    raw, setting = context.site.get("PROTECTED", {}), context.key("PROTECTED")
    if not isinstance(raw, Mapping):
        context.find_type(setting, raw, "a dict of URLs and directories")
        return ()
    mounts = []
    for key, directory in raw.items():
        if not Path(str(directory)).is_absolute():
            message = f"{str(directory)!r} is not an absolute path."
            context.find(findings.MISSING_PATH, setting, message)
        path = _absolute_url(context, setting, str(key), prefix)
        mounts.append(Mount(url=path, directory=Path(str(directory)), setting=setting))
    return tuple(mounts)


def stored(context: Context, known: Iterable[Mount | Path | None]) -> tuple[Path, ...]:
    """The directories of further storages on this machine, but for what lies in ``known`` ones."""
    around = [one.directory if isinstance(one, Mount) else one for one in known if one]
    places = [location(context, one, "MEDIA_ROOT") for one in others(context) if one.is_local]
    own = [path for path in places if path and not any(map(path.is_relative_to, around))]
    return tuple(dict.fromkeys(own))


def databases(context: Context) -> tuple[Path, ...]:
    """The files of SQLite databases, which the application writes, beside others it makes."""
    found = []
    for database in context.settings.DATABASES.values():
        name = str(database.get("NAME") or "")
        in_memory = not name or ":memory:" in name or "mode=memory" in name
        if in_a_file(database) and not in_memory:
            path = name.removeprefix("file:").partition("?")[0]
            found.append(context.absolute("DATABASES", path))
    return tuple(found)


def caches(context: Context) -> tuple[Path, ...]:
    """The directories of caches in files, which are code to Django: it unpickles them."""
    return tuple(
        context.absolute("CACHES", cache["LOCATION"])
        for cache in context.settings.CACHES.values()
        if cache.get("BACKEND", "").endswith("FileBasedCache") and cache.get("LOCATION")
    )


def writes(context: Context) -> tuple[tuple[str, Path], ...]:
    """The directories of log files, of uploads on their way, and of sessions in files, each with
    its setting."""
    names = ["FILE_UPLOAD_TEMP_DIR"]
    if context.settings.SESSION_ENGINE == _SESSIONS_IN_FILES:
        names.append("SESSION_FILE_PATH")
    found = [("LOGGING", path.parent) for path in _log_files(context)]
    for name in names:
        if directory := getattr(context.settings, name):
            found.append((name, context.absolute(name, directory)))
    return tuple(dict.fromkeys(found))


def special_modes(context: Context) -> tuple[str, ...]:
    """The settings that give uploads a set-user-ID or set-group-ID bit."""
    names = ("FILE_UPLOAD_PERMISSIONS", "FILE_UPLOAD_DIRECTORY_PERMISSIONS")
    modes = {name: getattr(context.settings, name) for name in names}
    return tuple(name for name, mode in modes.items() if isinstance(mode, int) and mode & _SPECIAL)


def root_files(context: Context) -> tuple[RootFile, ...]:
    """The files at the root of the host, by default those of WHITENOISE_ROOT."""
    default = getattr(context.settings, "WHITENOISE_ROOT", None)
    raw = context.site.get("ROOT_FILES", default)
    setting = context.key("ROOT_FILES") if "ROOT_FILES" in context.site else "WHITENOISE_ROOT"
    found = []
    for name, path in sorted(_entries(context, setting, raw)):
        if not name.strip("/") or name.endswith("/"):
            context.find(findings.BAD_URL, setting, f"{name!r} is not the URL of a file.")
        if problem := not_there(path, is_file(path), "file"):
            context.find(findings.MISSING_PATH, setting, problem)
        found.append(RootFile(url="/" + name.lstrip("/"), path=path))
    return tuple(found)


def documents(context: Context) -> Path | None:
    """The directory that answers every URL which ROUTES does not name."""
    value, setting = context.site.get("DOCUMENTS"), context.key("DOCUMENTS")
    if value is None:
        return None
    path = Path(str(value))
    if problem := not_there(path, is_directory(path), "directory"):
        context.find(findings.MISSING_PATH, setting, problem)
    return path


def _log_files(context: Context) -> Iterator[Path]:
    """The files of the handlers of LOGGING, where Django configures them."""
    settings = context.settings
    usual = settings.LOGGING_CONFIG == "logging.config.dictConfig"
    handlers = (settings.LOGGING or {}).get("handlers") if usual else None
    for handler in (handlers or {}).values():
        name = handler.get("filename")
        if name and not any(Path(str(name)).is_relative_to(place) for place in _NO_FILES):
            yield context.absolute("LOGGING", name)


def _absolute_url(context: Context, setting: str, url: str, prefix: str) -> str:
    segments = url[1:-1].split("/")
    if not url.startswith("/") or not url.endswith("/") or not _LOST.isdisjoint(segments):
        message = f"{url!r} is not such a path, without '//', '.' and '..' in it."
        context.find(findings.BAD_URL, setting, message)
    return prefix + url


def _entries(context: Context, setting: str, raw: object) -> Iterator[tuple[str, Path]]:
    if raw is None:
        return
    if isinstance(raw, Mapping):
        yield from ((str(url), Path(str(path))) for url, path in raw.items())
    elif isinstance(raw, (str, os.PathLike)):
        yield from _directory_entries(context, setting, Path(raw))
    else:
        context.find_type(setting, raw, "a directory, or a dict of URLs and files")


def _directory_entries(context: Context, setting: str, top: Path) -> Iterator[tuple[str, Path]]:
    if not is_directory(top):
        context.find(findings.MISSING_PATH, setting, f"{str(top)!r} is not an existing directory.")
        return
    for path in sorted(real(top).rglob("*")):
        relative = path.relative_to(real(top))
        hidden = [part for part in relative.parts if part.startswith(".")]
        if path.is_file() and hidden in ([], [".well-known"]):
            yield str(relative), context.absolute(setting, top) / relative
