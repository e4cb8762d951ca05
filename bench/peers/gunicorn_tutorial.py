"""The usual tutorial: nginx in front of gunicorn, three workers and a unix socket.

https://www.digitalocean.com/community/tutorials/how-to-set-up-django-with-postgres-nginx-and-gunicorn-on-ubuntu
"""

from __future__ import annotations

import sys

from bench import mains
from bench.sides import Place, Program, Setup, Side

_SITE = """
server {{
    listen {address};
    server_name localhost;
    location = /favicon.ico {{ access_log off; log_not_found off; }}
    location /static/ {{
        root {project};
    }}
    location / {{
        include /etc/nginx/proxy_params;
        proxy_pass http://unix:{socket};
    }}
}}
"""
GUNICORN = (sys.executable, "-m", "gunicorn")


def _setup(place: Place) -> Setup:
    socket = f"{place.directory}/run/gunicorn.sock"
    words = (*GUNICORN, "--chdir", str(place.project), "--access-logfile", "-", "--workers", "3")
    words += ("--bind", f"unix:{socket}", "shop.wsgi:application")
    site = _SITE.format(address=place.address, project=place.project, socket=socket)
    return mains.nginx(place, site, Program(words, socket=socket))


TUTORIAL = Side(
    "usual tutorial: nginx, gunicorn",
    "https://www.digitalocean.com/community/tutorials/"
    "how-to-set-up-django-with-postgres-nginx-and-gunicorn-on-ubuntu",
    _setup,
)
