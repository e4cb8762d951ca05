"""A tiny Django project on disk, for what only an interpreter can tell about emitted Python."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from django_deploykit.config.facts import Interpreter, Mount, SiteFacts

_SETTINGS = """
import os

SECRET_KEY = "test"
ALLOWED_HOSTS = ["example.com"]
INSTALLED_APPS = []
ROOT_URLCONF = __name__
STATIC_URL = "static/"
urlpatterns = []
FROM_ENV_FILE = os.environ.get("FROM_ENV_FILE", "")
"""
_WSGI = """
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""
_ASGI = _WSGI.replace("wsgi", "asgi")


def relocated(site: SiteFacts, root: Path) -> SiteFacts:
    """The same site, for a project that really lies in ``root`` and a Python that exists."""
    app, package = site.application, root / site.name
    for name, text in {"__init__": "", "settings": _SETTINGS, "wsgi": _WSGI, "asgi": _ASGI}.items():
        package.mkdir(exist_ok=True)
        (package / f"{name}.py").write_text(text)
    env_file = root / "env" if app.env_file else None
    if env_file:
        env_file.write_text("FROM_ENV_FILE=read\n")
    mounts = site.static.mounts if site.static else ()
    return replace(
        site,
        application=replace(app, root=root, wsgi_file=package / "wsgi.py", env_file=env_file),
        interpreter=Interpreter(
            prefix=Path(sys.prefix),
            packages=Path(sysconfig.get_path("purelib")),
            version=sys.version_info[:2],
        ),
        static=site.static and replace(site.static, mounts=_relocated(mounts, root)),
        admin_static=_relocated([site.admin_static], root)[0] if site.admin_static else None,
    )


def _relocated(mounts: Sequence[Mount], root: Path) -> tuple[Mount, ...]:
    """Empty directories of the same names, but below ``root``."""
    moved = [replace(mount, directory=root / mount.directory.name) for mount in mounts]
    for mount in moved:
        mount.directory.mkdir(exist_ok=True)
    return tuple(moved)


def environment(**more: str) -> dict[str, str]:
    """An environment in which nothing of the test run's settings is left."""
    source = str(Path(__file__).resolve().parents[2])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    return {**kept, "PYTHONPATH": source, "PYTHONWARNINGS": "error", **more}
