"""Small projects on disk, for what example_project is too large or too single for."""

from __future__ import annotations

from pathlib import Path

from tests.servers.harness import Project

_MANAGE = """
import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{name}.settings")
    execute_from_command_line(sys.argv)
"""

_SETTINGS = """
SECRET_KEY = "test"
ALLOWED_HOSTS = ["localhost"]
INSTALLED_APPS = ["django_deploykit"]
ROOT_URLCONF = "{name}.urls"
WSGI_APPLICATION = "{name}.wsgi.application"
NAME = "{name}"
{more}
"""

_URLS = """
import os

from django.conf import settings
from django.http import JsonResponse
from django.urls import path, re_path


def seen(request, rest=""):
    return JsonResponse(
        {
            "name": settings.NAME,
            "module": settings.SETTINGS_MODULE,
            "variable": os.environ.get("DJANGO_SETTINGS_MODULE"),
            "script_name": request.META["SCRIPT_NAME"],
            "path_info": request.path_info,
            "pid": os.getpid(),
            "secure": request.is_secure(),
            "secret": os.environ.get("FROM_ENV_FILE"),
        }
    )


urlpatterns = [path("health/", seen), re_path(r"^(?P<rest>.*)$", seen)]
"""

# As startproject writes it: the environment wins over the default.
_WSGI = """
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{name}.settings")
application = get_wsgi_application()
"""


def make(directory: Path, settings: dict[str, str]) -> Project:
    """Make a project with one package for each name; ``settings`` holds what each adds."""
    directory.mkdir(parents=True)
    first = next(iter(settings))
    (directory / "manage.py").write_text(_MANAGE.format(name=first))
    for name, more in settings.items():
        package = directory / name
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "settings.py").write_text(_SETTINGS.format(name=name, more=more))
        (package / "urls.py").write_text(_URLS)
        (package / "wsgi.py").write_text(_WSGI.format(name=name))
    return Project(directory)
