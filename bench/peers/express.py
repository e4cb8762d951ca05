"""mod_wsgi-express with its own defaults.

https://modwsgi.readthedocs.io/en/master/user-guides/quick-configuration-guide.html
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.load import NotMeasured
from bench.sides import Place, Program, Setup, Side
from django_deploykit.config.access import group_name


def _setup(place: Place) -> Setup:
    binary = Path(sys.executable).with_name("mod_wsgi-express")
    if not binary.exists():
        raise NotMeasured("mod_wsgi-express is not installed")
    words = [str(binary), "start-server", str(place.project / "shop" / "wsgi.py")]
    words += ["--host", "127.0.0.1", "--port", str(place.port)]
    words += ["--working-directory", str(place.project)]
    words += ["--server-root", str(place.directory / "express")]
    words += ["--url-alias", "/static", str(place.static)]
    if place.user:
        words += ["--user", place.user, "--group", group_name(place.user)]
    return Setup((Program(tuple(words), drops=True),))


DEFAULTS = Side(
    "mod_wsgi-express: its defaults",
    "https://pypi.org/project/mod-wsgi/, mod_wsgi-express start-server",
    _setup,
)
