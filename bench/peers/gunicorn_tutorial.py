"""The usual tutorial: nginx in front of gunicorn, three workers and a unix socket.

https://www.digitalocean.com/community/tutorials/how-to-set-up-django-with-postgres-nginx-and-gunicorn-on-ubuntu
"""

from __future__ import annotations

import sys

from bench import mains
from bench.peers.nginx_sites import GUNICORN_SITE
from bench.sides import Place, Program, Setup, Side

GUNICORN = (sys.executable, "-m", "gunicorn")


def _setup(place: Place) -> Setup:
    socket = f"{place.directory}/run/gunicorn.sock"
    words = (*GUNICORN, "--chdir", str(place.project), "--access-logfile", "-", "--workers", "3")
    words += ("--bind", f"unix:{socket}", "shop.wsgi:application")
    site = GUNICORN_SITE.format(address=place.address, project=place.project, socket=socket)
    return mains.nginx(place, site, Program(words, socket=socket))


TUTORIAL = Side(
    "usual tutorial: nginx, gunicorn",
    "https://www.digitalocean.com/community/tutorials/"
    "how-to-set-up-django-with-postgres-nginx-and-gunicorn-on-ubuntu",
    _setup,
)
