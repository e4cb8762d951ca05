"""Tuned by hand for pages that only compute, on this very machine: one thread, nothing logged.

What these leave out is what makes them fast, and what no site should leave out: limits, headers,
logs, and threads for views that wait. They are what a generator's defaults may cost at most.
"""

from __future__ import annotations

import os
import sys

from bench import mains
from bench.peers.django_docs import load_wsgi
from bench.peers.gunicorn_tutorial import GUNICORN
from bench.peers.uwsgi_docs import pyuwsgi
from bench.sides import Place, Program, Setup, Side

_CORES = os.cpu_count() or 1
_SOURCE = "by hand: one process per core, one thread each, no logs"

_APACHE = """
{load}
Listen {address}
WSGIRestrictEmbedded On
WSGIDaemonProcess shop processes={cores} threads=1 python-home={home} python-path={project}
WSGIScriptAlias / {project}/shop/wsgi.py process-group=shop application-group=%{{GLOBAL}}
<Directory {project}/shop>
    Require all granted
</Directory>
"""
_NGINX = """
server {{
    listen {address};
    access_log off;
    location / {{
        {gateway}
    }}
}}
"""
_UWSGI = """[uwsgi]
chdir = {project}
module = shop.wsgi
home = {home}
master = true
single-interpreter = true
processes = {cores}
socket = {socket}
listen = 1024
disable-logging = true
"""


def _apache(place: Place) -> Setup:
    words = {"load": load_wsgi(), "cores": _CORES, "home": sys.prefix, "project": place.project}
    return mains.apache(place, _APACHE.format(address=place.address, **words))


def _gunicorn(place: Place) -> Setup:
    socket = f"{place.directory}/run/gunicorn.sock"
    words = (*GUNICORN, "--chdir", str(place.project), "--workers", str(_CORES))
    words += ("--bind", f"unix:{socket}", "shop.wsgi:application")
    gateway = f"proxy_pass http://unix:{socket}; include /etc/nginx/proxy_params;"
    site = _NGINX.format(address=place.address, gateway=gateway)
    return mains.nginx(place, site, Program(words, socket=socket))


def _uwsgi(place: Place) -> Setup:
    socket, ini = f"{place.directory}/run/uwsgi.sock", place.directory / "tuned.ini"
    text = _UWSGI.format(project=place.project, home=sys.prefix, socket=socket, cores=_CORES)
    gateway = f"uwsgi_pass unix:{socket}; include /etc/nginx/uwsgi_params;"
    site = _NGINX.format(address=place.address, gateway=gateway)
    setup = mains.nginx(place, site, Program((pyuwsgi(), "--ini", str(ini)), socket=socket))
    return Setup(setup.programs, {**setup.files, ini.name: text})


APACHE = Side("hand-tuned: Apache, mod_wsgi", _SOURCE, _apache)
GUNICORN_BEHIND = Side("hand-tuned: nginx, gunicorn", _SOURCE, _gunicorn)
UWSGI_BEHIND = Side("hand-tuned: nginx, uWSGI", _SOURCE, _uwsgi)
