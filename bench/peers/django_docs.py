"""Django's documentation: mod_wsgi in daemon mode, and uWSGI.

https://docs.djangoproject.com/en/5.2/howto/deployment/wsgi/modwsgi/ and .../wsgi/uwsgi/
"""

from __future__ import annotations

import sys

from bench import mains
from bench.load import NotMeasured
from bench.peers.uwsgi_docs import UWSGI_SITE, pyuwsgi
from bench.sides import Place, Program, Setup, Side
from django_deploykit.config.servers.apache import installed

_DOCS = "https://docs.djangoproject.com/en/5.2/howto/deployment/wsgi"

# "Using mod_wsgi daemon mode" and "Serving files", in the virtual host that Debian has.
_MOD_WSGI = """
{load}
Listen {address}
<VirtualHost {address}>
    ServerName localhost
    CustomLog {here}/log/access.log combined
    Alias /static/ {project}/static/
    <Directory {project}/static>
        Require all granted
    </Directory>
    WSGIDaemonProcess example.com python-home={home} python-path={project}
    WSGIProcessGroup example.com
    WSGIScriptAlias / {project}/shop/wsgi.py process-group=example.com
    <Directory {project}/shop>
        <Files wsgi.py>
            Require all granted
        </Files>
    </Directory>
</VirtualHost>
"""


def load_wsgi() -> str:
    """The directive that loads the mod_wsgi that fits this Python: the very one that we load."""
    module = installed.package_module() or installed.distribution_module()
    if module is None:
        raise NotMeasured("mod_wsgi is not installed")
    return f"LoadModule wsgi_module {module}"


def _mod_wsgi(place: Place) -> Setup:
    site = _MOD_WSGI.format(
        load=load_wsgi(),
        address=place.address,
        here=place.directory,
        project=place.project,
        home=sys.prefix,
    )
    return mains.apache(place, site)


def _uwsgi(place: Place) -> Setup:
    """ "Configuring and starting the uWSGI server"; nginx as uWSGI's own tutorial has it."""
    socket = f"{place.directory}/run/uwsgi.sock"
    words = (
        pyuwsgi(),
        f"--chdir={place.project}",
        "--module=shop.wsgi:application",
        "--env", "DJANGO_SETTINGS_MODULE=shop.settings",
        "--master", f"--pidfile={place.directory}/run/uwsgi.pid",
        f"--socket={socket}",
        "--processes=5",
        "--harakiri=20",
        "--max-requests=5000",
        "--vacuum",
        f"--home={sys.prefix}",
    )  # fmt: skip
    site = UWSGI_SITE.format(address=place.address, socket=socket, static=place.static)
    return mains.nginx(place, site, Program(words, socket=socket))


MOD_WSGI = Side("Django's documentation: mod_wsgi", f"{_DOCS}/modwsgi/", _mod_wsgi)
UWSGI = Side("Django's documentation: uWSGI", f"{_DOCS}/uwsgi/", _uwsgi)
