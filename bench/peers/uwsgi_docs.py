"""uWSGI's own tutorial, "Setting up Django and your web server with uWSGI and nginx".

https://uwsgi-docs.readthedocs.io/en/latest/tutorials/Django_and_nginx.html
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench import mains
from bench.load import NotMeasured
from bench.sides import Place, Program, Setup, Side

UWSGI_SITE = """
upstream django {{
    server unix://{socket};
}}
server {{
    listen {address};
    server_name localhost;
    charset utf-8;
    client_max_body_size 75M;
    location /static {{
        alias {static};
    }}
    location / {{
        uwsgi_pass django;
        include /etc/nginx/uwsgi_params;
    }}
}}
"""
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


def pyuwsgi() -> str:
    """uWSGI, as a wheel: the very one that we run."""
    found = Path(sys.executable).with_name("pyuwsgi")
    if not found.exists():
        raise NotMeasured("pyuwsgi is not installed")
    return str(found)


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
