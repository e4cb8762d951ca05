"""uWSGI's own tutorial, "Setting up Django and your web server with uWSGI and nginx".

https://uwsgi-docs.readthedocs.io/en/latest/tutorials/Django_and_nginx.html
"""

from __future__ import annotations

import sys

from bench import mains
from bench.peers.django_docs import pyuwsgi
from bench.peers.nginx_sites import UWSGI_SITE
from bench.sides import Place, Program, Setup, Side

_INI = """[uwsgi]
chdir = {project}
module = shop.wsgi
home = {home}
master = true
processes = 10
socket = {socket}
chmod-socket = 664
vacuum = true
"""


def _setup(place: Place) -> Setup:
    socket, ini = f"{place.directory}/run/uwsgi.sock", place.directory / "shop_uwsgi.ini"
    text = _INI.format(project=place.project, home=sys.prefix, socket=socket)
    site = UWSGI_SITE.format(address=place.address, socket=socket, static=place.static)
    setup = mains.nginx(place, site, Program((pyuwsgi(), "--ini", str(ini)), socket=socket))
    return Setup(setup.programs, {**setup.files, ini.name: text})


TUTORIAL = Side(
    "uWSGI's documentation: uWSGI, nginx",
    "https://uwsgi-docs.readthedocs.io/en/latest/tutorials/Django_and_nginx.html",
    _setup,
)
