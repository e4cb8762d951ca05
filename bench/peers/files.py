"""Files alone: each server's own way to send them, and to compress them for each request.

https://nginx.org/en/docs/http/ngx_http_gzip_module.html,
https://httpd.apache.org/docs/2.4/mod/mod_deflate.html,
https://redmine.lighttpd.net/projects/lighttpd/wiki/Mod_deflate
"""

from __future__ import annotations

from bench import mains
from bench.sides import Place, Setup, Side

_NGINX = """
server {{
    listen {address};
    root {project};
    {more}
}}
"""
# zlib's own default, which is what the other two have; nginx has 1.
_NGINX_GZIP = "gzip_types text/css text/javascript application/javascript; gzip_comp_level 6;"

# Debian's deflate.conf compresses both of our text files; "bare" is without that.
_APACHE = """
Listen {address}
<VirtualHost {address}>
    DocumentRoot {project}
    CustomLog {here}/log/access.log combined
    <Directory {project}>
        Require all granted
        {more}
    </Directory>
</VirtualHost>
"""
_APACHE_BARE = "SetEnv no-gzip"
_APACHE_GZIP = "AddOutputFilterByType DEFLATE text/javascript application/javascript text/css"

_LIGHTTPD = """
server.modules += ("mod_accesslog", "mod_deflate")
accesslog.filename = "{here}/log/access.log"
server.document-root := "{project}"
{more}
"""
_LIGHTTPD_GZIP = """
deflate.mimetypes = ("text/html", "text/plain", "text/css", "text/javascript", "text/xml")
deflate.allowed-encodings = ("brotli", "gzip", "deflate")
"""


def _nginx(place: Place, more: str) -> Setup:
    text = _NGINX.format(address=place.address, project=place.project, more=more)
    return mains.nginx(place, text)


def _apache(place: Place, more: str) -> Setup:
    words = {"here": place.directory, "project": place.project, "more": more}
    return mains.apache(place, _APACHE.format(address=place.address, **words))


def _lighttpd(place: Place, more: str) -> Setup:
    text = _LIGHTTPD.format(here=place.directory, project=place.project, more=more)
    return mains.lighttpd(place, text)


BARE = {
    "nginx": Side("bare nginx", "root, and Debian's nginx.conf", lambda at: _nginx(at, "")),
    "apache": Side(
        "bare Apache",
        "DocumentRoot, and Debian's apache2.conf",
        lambda at: _apache(at, _APACHE_BARE),
    ),
    "lighttpd": Side(
        "bare lighttpd",
        "server.document-root, and Debian's lighttpd.conf",
        lambda at: _lighttpd(at, ""),
    ),
}
ON_THE_FLY = {
    "nginx": Side(
        "nginx, gzip",
        "https://nginx.org/en/docs/http/ngx_http_gzip_module.html",
        lambda at: _nginx(at, _NGINX_GZIP),
    ),
    "apache": Side(
        "Apache, mod_deflate",
        "https://httpd.apache.org/docs/2.4/mod/mod_deflate.html",
        lambda at: _apache(at, _APACHE_GZIP),
    ),
    "lighttpd": Side(
        "lighttpd, mod_deflate",
        "https://redmine.lighttpd.net/projects/lighttpd/wiki/Mod_deflate",
        lambda at: _lighttpd(at, _LIGHTTPD_GZIP),
    ),
}
