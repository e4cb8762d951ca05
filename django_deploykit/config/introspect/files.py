"""The directories that a web server serves itself, and those it must never serve."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.storage import FileSystemStorage
from django.utils.module_loading import import_string
from whitenoise.storage import (
    CompressedManifestStaticFilesStorage,
    CompressedStaticFilesStorage,
)

from django_deploykit.config import findings
from django_deploykit.config.facts import (
    Application,
    Interpreter,
    Mount,
    RootFile,
    SiteFacts,
    StaticFiles,
)
from django_deploykit.config.introspect.context import Context, contains, is_elsewhere, key, real

MEDIA_CHOICES = ("none", "protected", "public")


def static(
    context: Context, prefix: str, application: Application, interpreter: Interpreter
) -> StaticFiles | None:
    """The static files this host serves; None where they lie on another one, or nowhere."""
    url = _url(context, "STATIC_URL", prefix)
    storage, options = _storage(context, "staticfiles")
    if url is None or storage is None:
        return None
    root = options.get("location") or context.settings.STATIC_ROOT
    if not root:
        return _static_without_root(context, url, application, interpreter)
    hashed = issubclass(storage, ManifestFilesMixin)
    _check_collected(context, Path(root), getattr(storage, "manifest_name", "") if hashed else "")
    compressed = (CompressedManifestStaticFilesStorage, CompressedStaticFilesStorage)
    return StaticFiles(
        mounts=(Mount(url=url, directory=Path(root).absolute(), setting="STATIC_ROOT"),),
        hashed=hashed,
        twins=("br", "gz") if issubclass(storage, compressed) else (),
    )


def media(context: Context, prefix: str) -> Mount | None:
    """Uploaded files, if the web server may hand them to anybody."""
    choice = context.site.get("MEDIA", "public")
    if choice not in MEDIA_CHOICES:
        message = f"{choice!r} is none of {', '.join(MEDIA_CHOICES)}."
        context.find(findings.CONF_TYPE, key("MEDIA"), message)
    root, url = context.settings.MEDIA_ROOT, _url(context, "MEDIA_URL", prefix)
    if choice != "public" or not root or url is None:
        return None
    if _storage(context, "default")[0] is None:
        message = "the default storage keeps files elsewhere than in MEDIA_ROOT."
        context.find(findings.MEDIA_SERVED_ELSEWHERE, "STORAGES", message)
        return None
    return Mount(url=url, directory=Path(root).absolute(), setting="MEDIA_ROOT")


def protected(context: Context, prefix: str) -> tuple[Mount, ...]:
    """The directories of which Django decides, request by request, who may read."""
    raw = context.site.get("PROTECTED", {})
    if not isinstance(raw, Mapping):
        context.find(findings.CONF_TYPE, key("PROTECTED"), f"{raw!r} is not a dict.")
        return ()
    mounts = []
    for url, directory in raw.items():
        if not Path(str(directory)).is_absolute():
            message = f"{directory!r} is not an absolute path."
            context.find(findings.MISSING_PATH, key("PROTECTED"), message)
        path = _absolute_url(context, key("PROTECTED"), str(url), prefix)
        mounts.append(Mount(url=path, directory=Path(str(directory)), setting=key("PROTECTED")))
    return tuple(mounts)


def root_files(context: Context) -> tuple[RootFile, ...]:
    """The files at the root of the host, by default those of WHITENOISE_ROOT."""
    default = getattr(context.settings, "WHITENOISE_ROOT", None)
    raw = context.site.get("ROOT_FILES", default)
    setting = key("ROOT_FILES") if "ROOT_FILES" in context.site else "WHITENOISE_ROOT"
    pairs = raw.items() if isinstance(raw, Mapping) else _directory_entries(context, setting, raw)
    found = []
    for url, path in sorted((str(url), Path(str(path))) for url, path in pairs):
        if not path.is_absolute() or not path.is_file():
            context.find(findings.MISSING_PATH, setting, f"{str(path)!r} is not an existing file.")
        found.append(RootFile(url="/" + url.lstrip("/"), path=path))
    return tuple(found)


def documents(context: Context) -> Path | None:
    """The directory that answers every URL which ROUTES does not name."""
    value = context.site.get("DOCUMENTS")
    if value is None:
        return None
    if not Path(str(value)).is_dir() or not Path(str(value)).is_absolute():
        message = f"{value!r} is not an existing directory."
        context.find(findings.MISSING_PATH, key("DOCUMENTS"), message)
    return Path(str(value))


def admin_static(context: Context, prefix: str) -> Mount | None:
    """Where the admin's static files lie in its package, if the admin is installed."""
    url = _url(context, "STATIC_URL", prefix)
    if url is None or not apps.is_installed("django.contrib.admin"):
        return None
    package = Path(apps.get_app_config("admin").path)
    return Mount(
        url=f"{url}admin/", directory=package / "static" / "admin", setting="INSTALLED_APPS"
    )


def check_overlaps(context: Context, facts: SiteFacts) -> None:
    """Refuse a public directory that holds, or lies in, something that is not public."""
    static = facts.static.mounts[:1] if facts.static else ()
    public = [*static, *([facts.media] if facts.media else [])]
    for mount in public:
        for label, path in _private_paths(facts):
            if contains(mount.directory, path):
                message = f"{str(mount.directory)!r} is served to anybody and holds {label}."
                context.find(findings.OVERLAP, mount.setting, message)
        for secret in facts.protected:
            if contains(secret.directory, mount.directory):
                message = f"{str(mount.directory)!r} lies in a protected directory."
                context.find(findings.OVERLAP, mount.setting, message)
    if facts.media and static and _overlap(static[0], facts.media):
        message = f"{str(facts.media.directory)!r} overlaps STATIC_ROOT."
        context.find(findings.OVERLAP, "MEDIA_ROOT", message)
    _check_urls(context, [*public, *facts.protected])


def _overlap(one: Mount, other: Mount) -> bool:
    a, b = one.directory, other.directory
    return contains(a, b) or contains(b, a)


def _private_paths(facts: SiteFacts) -> Iterator[tuple[str, Path]]:
    app = facts.application
    settings_file = importlib.import_module(app.settings_module).__file__
    yield "the project's code", app.root
    yield "the settings module", Path(settings_file or app.root)
    yield "the virtual environment", facts.interpreter.prefix
    if app.env_file:
        yield "the environment file", app.env_file
    if facts.tls:
        yield "the private key", facts.tls.key
    for mount in facts.protected:
        yield f"the protected directory {str(mount.directory)!r}", mount.directory
    for name in _database_files():
        yield f"the database {str(name)!r}", name


def _database_files() -> Iterator[Path]:
    from django.conf import settings

    for database in settings.DATABASES.values():
        if database.get("ENGINE", "").endswith("sqlite3") and database.get("NAME"):
            yield Path(str(database["NAME"])).absolute()


def _check_urls(context: Context, mounts: list[Mount]) -> None:
    for index, mount in enumerate(mounts):
        for other in mounts[index + 1 :]:
            if mount.url.startswith(other.url) or other.url.startswith(mount.url):
                message = f"its URL {mount.url!r} and {other.url!r} of {other.setting} overlap."
                context.find(findings.URL_CONFLICT, mount.setting, message)


def _storage(context: Context, alias: str) -> tuple[type | None, dict[str, Any]]:
    """The storage class if it keeps files on this machine, and its options."""
    entry = context.settings.STORAGES.get(alias, {})
    backend = import_string(entry["BACKEND"]) if "BACKEND" in entry else None
    local = isinstance(backend, type) and issubclass(backend, FileSystemStorage)
    return (backend if local else None), entry.get("OPTIONS", {})


def _url(context: Context, setting: str, prefix: str) -> str | None:
    value = context.unprefixed(setting)
    if not value or is_elsewhere(value):
        return None
    if value == "/" or not value.endswith("/"):
        message = f"{value!r} would take the whole site, or does not end in a slash."
        context.find(findings.BAD_URL, setting, message)
    return value if value.startswith("/") else f"{prefix}/{value}"


def _absolute_url(context: Context, setting: str, url: str, prefix: str) -> str:
    if not url.startswith("/") or not url.endswith("/") or url == "/":
        context.find(findings.BAD_URL, setting, f"{url!r} is not such a path.")
    return prefix + url


def _static_without_root(
    context: Context, url: str, application: Application, interpreter: Interpreter
) -> StaticFiles | None:
    if not apps.is_installed("django.contrib.staticfiles"):
        return None
    mounts = _package_mounts(url)
    own = [mount for mount in mounts if not contains(interpreter.packages, mount.directory)]
    if own:
        message = f"it is unset, and the project has static files of its own: {own[0].directory}."
        context.find(findings.NO_STATIC_ROOT, "STATIC_ROOT", message)
    elif mounts:
        message = "it is unset; the server takes static files from the packages they came with."
        context.find(findings.STATIC_FROM_PACKAGES, "STATIC_ROOT", message)
    return StaticFiles(mounts=mounts) if mounts else None


def _package_mounts(url: str) -> tuple[Mount, ...]:
    """One mount for each top directory that the finders know, such as ``/static/admin/``."""
    found: dict[str, Path] = {}
    for finder in get_finders():
        for path, storage in finder.list([]):
            top = Path(str(getattr(storage, "prefix", None) or ""), path).parts[0]
            found.setdefault(top, Path(storage.path(path)).parents[len(Path(path).parts) - 2])
    return tuple(
        Mount(url=f"{url}{top}/", directory=directory, setting="STATIC_ROOT")
        for top, directory in sorted(found.items())
    )


def _check_collected(context: Context, root: Path, manifest: str) -> None:
    if not root.is_dir() or not any(root.iterdir()):
        message = f"{str(root)!r} does not exist or is empty."
        context.find(findings.STATIC_EMPTY, "STATIC_ROOT", message)
    elif manifest and not (root / manifest).is_file():
        message = f"{str(root)!r} has no {manifest!r}, which the manifest storage reads."
        context.find(findings.NO_MANIFEST, "STATIC_ROOT", message)


def _directory_entries(context: Context, setting: str, root: object) -> Iterator[tuple[str, Path]]:
    if root is None:
        return
    top = Path(str(root))
    if not top.is_dir():
        context.find(findings.MISSING_PATH, setting, f"{str(root)!r} is not an existing directory.")
    for path in sorted(real(top).rglob("*")):
        relative = path.relative_to(real(top))
        hidden = [part for part in relative.parts if part.startswith(".")]
        if path.is_file() and hidden in ([], [".well-known"]):
            yield str(relative), top.absolute() / relative
