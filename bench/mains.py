"""The main configurations that Debian installs, around a site's own: the same for every side.

/etc/nginx/nginx.conf, /etc/apache2/apache2.conf and /etc/lighttpd/lighttpd.conf, with paths and
port of a place of its own. What they say of workers and keep-alive is what a site gets unless its
administrator says something else, so no emitted or documented site file does.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.load import NotMeasured
from bench.sides import Place, Program, Setup
from django_deploykit.config.access import group_name
from django_deploykit.config.servers.apache import installed as apache_installed
from django_deploykit.config.servers.lighttpd import installed as lighttpd_installed
from django_deploykit.config.servers.nginx import installed as nginx_installed

_NGINX = """
daemon off;
{user}
worker_processes auto;
pid {here}/run/nginx.pid;
error_log {here}/log/error.log;
events {{
    worker_connections 768;
}}
http {{
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log {here}/log/access.log;
    gzip on;
    client_body_temp_path {here}/run/body;
    proxy_temp_path {here}/run/proxy;
    uwsgi_temp_path {here}/run/uwsgi;
    fastcgi_temp_path {here}/run/fastcgi;
    scgi_temp_path {here}/run/scgi;
{site}
}}
"""

# /etc/apache2/mods-enabled of a fresh installation.
_APACHE_MODULES = (
    *("access_compat", "alias", "auth_basic", "authn_core", "authn_file", "authz_core"),
    *("authz_host", "authz_user", "autoindex", "deflate", "dir", "env", "filter", "mime"),
    *("mpm_event", "negotiation", "reqtimeout", "setenvif", "status"),
)
_APACHE = """
ServerRoot {here}
ServerName localhost
DefaultRuntimeDir {here}/run
PidFile {here}/run/apache.pid
Timeout 300
KeepAlive On
MaxKeepAliveRequests 100
KeepAliveTimeout 5
{user}
HostnameLookups Off
ErrorLog {here}/log/error.log
LogLevel warn
{modules}
<Directory />
    Options FollowSymLinks
    AllowOverride None
    Require all denied
</Directory>
AccessFileName .htaccess
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
{site}
<IfModule wsgi_module>
    WSGISocketPrefix {here}/run/wsgi
</IfModule>
"""

_LIGHTTPD = """
server.modules = ("mod_indexfile", "mod_access", "mod_alias", "mod_redirect")
server.document-root = "{here}/run"
server.upload-dirs = ("{here}/run")
server.errorlog = "{here}/log/error.log"
server.bind = "127.0.0.1"
server.port = {port}
{user}
server.http-parseopts = (
  "header-strict" => "enable",
  "host-strict" => "enable",
  "host-normalize" => "enable",
  "url-normalize-unreserved" => "enable",
  "url-normalize-required" => "enable",
  "url-ctrls-reject" => "enable",
  "url-path-2f-decode" => "enable",
  "url-path-dotseg-remove" => "enable",
)
index-file.names = ("index.html")
url.access-deny = ("~", ".inc")
include_shell "/usr/share/lighttpd/create-mime.conf.pl"
{site}
server.modules += ("mod_dirlisting", "mod_staticfile")
"""


def nginx(place: Place, site: str, *behind: Program) -> Setup:
    """Run nginx with text at http level; programs that it needs come before."""
    binary = _found(nginx_installed.binary(), "nginx")
    user = f"user {place.user} {group_name(place.user)};" if place.user else ""
    text = _NGINX.format(here=place.directory, user=user, site=site)
    words = (binary, "-p", f"{place.directory}/", "-c", f"{place.directory}/nginx.conf")
    return Setup((*behind, Program((*words, "-e", "stderr"), drops=True)), {"nginx.conf": text})


def apache(place: Place, site: str, *behind: Program, modules: Iterable[str] = ()) -> Setup:
    """Run httpd with text at server level, and Debian's modules with more."""
    binary = _found(apache_installed.binary(), "Apache")
    user = f"User {place.user}\nGroup {group_name(place.user)}" if place.user else ""
    names = dict.fromkeys((*_APACHE_MODULES, *modules))
    text = _APACHE.format(
        here=place.directory, user=user, modules="\n".join(map(_module, names)), site=site
    )
    words = (binary, "-f", f"{place.directory}/httpd.conf", "-DFOREGROUND")
    program = Program(words, drops=True, environment={"APACHE_RUN_DIR": f"{place.directory}/run"})
    return Setup((*behind, program), {"httpd.conf": text})


def lighttpd(place: Place, site: str, *behind: Program) -> Setup:
    """Run lighttpd with text at its top level."""
    binary = _found(lighttpd_installed.binary(), "lighttpd")
    user = ""
    if place.user:
        user = f'server.username = "{place.user}"\n'
        user += f'server.groupname = "{group_name(place.user)}"'
    text = _LIGHTTPD.format(here=place.directory, port=place.port, user=user, site=site)
    words = (binary, "-D", "-f", f"{place.directory}/lighttpd.conf")
    return Setup((*behind, Program(words, drops=True)), {"lighttpd.conf": text})


def _module(name: str) -> str:
    """What a2enmod would link: how a module is loaded, and its own configuration."""
    directory = Path("/etc/apache2/mods-available")
    if not (directory / f"{name}.load").is_file():
        return ""  # Debian compiles it in.
    return f"Include {directory}/{name}.load\nIncludeOptional {directory}/{name}.con[f]"


def _found(binary: str | None, name: str) -> str:
    if binary is None:
        raise NotMeasured(f"{name} is not installed")
    return binary
