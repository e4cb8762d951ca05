"""Static files: collected into STATIC_ROOT, or still in the packages they came with."""

from __future__ import annotations

import site
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import ManifestFilesMixin
from whitenoise.storage import (
    CompressedManifestStaticFilesStorage,
    CompressedStaticFilesStorage,
)

from django_deploykit.config import findings
from django_deploykit.config.facts import Mount, StaticFiles
from django_deploykit.config.introspect.context import Context, contains
from django_deploykit.config.introspect.storages import Storage, location, storage, url

_COMPRESSED = (CompressedManifestStaticFilesStorage, CompressedStaticFilesStorage)


def static(context: Context, prefix: str) -> StaticFiles | None:
    """The static files this host serves; None where they lie on another one, or nowhere."""
    if not context.as_written("STATIC_URL") or not _uses_static_files(context):
        return None
    found = storage(context, "staticfiles")
    path = url(context, found, "STATIC_URL", prefix)
    if found is None or not found.is_local or path is None:
        return None
    root = location(context, found, "STATIC_ROOT")
    if root is None:
        return _without_root(context, found, path)
    _check_collected(context, root, _manifest(found))
    return StaticFiles(
        mounts=(Mount(url=path, directory=root, setting="STATIC_ROOT"),),
        hashed=_is_hashed(found),
        twins=("br", "gz") if issubclass(found.backend, _COMPRESSED) else (),
    )


def admin_static(context: Context, prefix: str) -> Mount | None:
    """Where the admin's static files lie in its package, if the admin is installed."""
    path = url(context, None, "STATIC_URL", prefix)
    if path is None or not apps.is_installed("django.contrib.admin"):
        return None
    package = Path(apps.get_app_config("admin").path)
    return Mount(
        url=f"{path}admin/", directory=package / "static" / "admin", setting="INSTALLED_APPS"
    )


def _uses_static_files(context: Context) -> bool:
    return apps.is_installed("django.contrib.staticfiles") or bool(context.settings.STATIC_ROOT)


def _is_hashed(storage: Storage) -> bool:
    return issubclass(storage.backend, ManifestFilesMixin)


def _manifest(storage: Storage) -> str:
    """The name of its manifest, if it looks for one beside the files."""
    beside = _is_hashed(storage) and not storage.options.get("manifest_storage")
    return str(getattr(storage.backend, "manifest_name", "")) if beside else ""


def _check_collected(context: Context, root: Path, manifest: str) -> None:
    try:
        names = {path.name for path in root.iterdir() if not path.name.startswith(".")}
    except PermissionError:
        return  # Only the server's user may look; the permission walk tells whether it does.
    except OSError:
        names = set()
    if not names:
        message = f"{str(root)!r} does not exist or is empty."
        context.find(findings.STATIC_EMPTY, "STATIC_ROOT", message)
    elif manifest and manifest not in names:
        message = f"{str(root)!r} has no {manifest!r}, which the manifest storage reads."
        context.find(findings.NO_MANIFEST, "STATIC_ROOT", message)


def _without_root(context: Context, storage: Storage, url: str) -> StaticFiles | None:
    if _is_hashed(storage):
        message = "it is unset, and the manifest storage works only with collected files."
        context.find(findings.NO_STATIC_ROOT, "STATIC_ROOT", message)
        return None
    stated = context.settings.STATICFILES_DIRS
    if not isinstance(stated, (list, tuple)):  # Of a text, each letter would be looked into.
        context.find_type("STATICFILES_DIRS", stated, "a list or tuple of directories")
        return None
    tops = dict[str, set[Path]]()
    for top, directory in _found():
        tops.setdefault(top, set()).add(directory)
    if own := sorted(str(one) for found in tops.values() for one in found if not _packaged(one)):
        message = f"it is unset, and the project has static files of its own in {own[0]!r}."
        context.find(findings.NO_STATIC_ROOT, "STATIC_ROOT", message)
        return None
    if shared := sorted(top for top, found in tops.items() if len(found) > 1 or not top):
        message = f"it is unset, and {shared[0] or '/'!r} holds files of several packages."
        context.find(findings.NO_STATIC_ROOT, "STATIC_ROOT", message)
        return None
    return _from_packages(context, url, tops)


def _from_packages(context: Context, url: str, tops: dict[str, set[Path]]) -> StaticFiles | None:
    if not tops:
        return None
    message = "it is unset; the server takes static files from the packages they came with."
    context.find(findings.STATIC_FROM_PACKAGES, "STATIC_ROOT", message)
    mounts = (
        Mount(url=f"{url}{top}/", directory=directory, setting="STATIC_ROOT")
        for top, (directory,) in sorted(tops.items())
    )
    return StaticFiles(mounts=tuple(mounts))


def _found() -> Iterator[tuple[str, Path]]:
    """For every file that the finders know: its first directory below STATIC_URL, and where
    that lies. For a file that is in none: '' and the directory with the file."""
    for finder in get_finders():
        for path, source in finder.list([]):
            parts = Path(path).parts
            home = Path(source.path(path)).parents[len(parts) - 1]
            if prefix := getattr(source, "prefix", None):  # An entry of STATICFILES_DIRS.
                yield str(prefix), home
            else:
                yield ("", home) if len(parts) == 1 else (parts[0], home / parts[0])


def _packaged(directory: Path) -> bool:
    """Tell whether a directory belongs to an installed package, not to the project."""
    paths = sysconfig.get_paths()
    places = [paths["purelib"], paths["platlib"], *site.getsitepackages()]
    places.append(site.getusersitepackages())
    return any(contains(Path(place), directory) for place in places)
