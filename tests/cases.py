"""Named sites and choices: every renderer's golden file is made from each of them.

Pure data with fixed versions and paths, so that the output is the same on any machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import (
    Application,
    Area,
    Endpoint,
    Hosts,
    Interpreter,
    Limits,
    Mount,
    Pool,
    RootFile,
    SecurityHeaders,
    SiteFacts,
    StaticFiles,
    Tls,
)
from django_deploykit.config.plan import Plan
from django_deploykit.config.registry import renderers
from django_deploykit.config.renderer import Renderer
from django_deploykit.config.stack import Stack, resolve
from django_deploykit.config.values import Address, Backend, Version
from django_deploykit.exceptions import DeploykitError

DIRECTORY = Path("/etc/deploykit")
DEPLOYMENT = Deployment(
    processes=2,
    server_version=(2, 4, 71),
    mod_wsgi_version=(4, 9, 4),
    openssl_version=(3, 0, 19),
)

# Of the servers whose version is not that of Apache, as in DEPLOYMENT.
VERSIONS = {"haproxy": (2, 6, 12), "lighttpd": (1, 4, 69), "nginx": (1, 22, 1)}


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a renderer is given. ``gateway`` holds for the targets that have it, ``versions`` for
    the servers that it names.

    ``app_server`` stands behind whatever needs one; otherwise it is one for WSGI.

    Without a ``directory`` the text is printed, and the project's own wsgi.py is used.
    """

    sites: tuple[SiteFacts, ...]
    deployment: Deployment = DEPLOYMENT
    directory: Path | None = DIRECTORY
    gateway: str = ""
    app_server: str = ""
    versions: Mapping[str, Version] = field(default_factory=dict)

    def stack(self, renderer: type[Renderer]) -> Stack:
        app_server = resolve(renderer.name, self._gateway(renderer)).app_server
        return Stack(
            renderer, self._gateway(renderer), app_server if renderer.runs_app_server else None
        )

    def plan(self, renderer: type[Renderer]) -> Plan:
        """The plan of this case; unlike ``Stack.plan`` it never looks at what is installed."""
        stack = self.stack(renderer)
        stack.check(self.deployment, self.sites)
        plan = Plan(
            sites=self.sites,
            deployment=self._deployment(renderer),
            label=stack.label,
            gateway=self._gateway(renderer),
            directory=self.directory,
            stands_alone=(stack.app_server or renderer).stands_alone,
            app_server=stack.behind_front,
            interface=self._interface(renderer),
            front_sends_files=renderer.sends_files,
        )
        return stack.placed(plan)

    def _interface(self, renderer: type[Renderer]) -> str:
        gateway = self._gateway(renderer)
        app_server = renderers()[self.app_server] if self.app_server else None
        is_behind = app_server and gateway in app_server.protocols and not renderer.protocols
        return app_server.interface if app_server and is_behind else renderer.interface

    def _deployment(self, renderer: type[Renderer]) -> Deployment:
        usual = VERSIONS.get(renderer.name, self.deployment.server_version)
        version = self.versions.get(renderer.name, usual)
        return replace(self.deployment, server_version=version)

    def _gateway(self, renderer: type[Renderer]) -> str:
        return self.gateway if self.gateway in renderer.gateways else renderer.gateways[0]


def site(name: str = "shop", root: str = "", **facts: Any) -> SiteFacts:
    """A site as startproject makes it, with STATIC_ROOT, for example.com; ``facts`` on top."""
    home = Path(root or f"/srv/{name}")
    prefix = facts.get("prefix", "")
    standard: dict[str, Any] = {
        "application": Application(
            settings_module=f"{name}.settings",
            wsgi=f"{name}.wsgi.application",
            wsgi_file=home / name / "wsgi.py",
            asgi=f"{name}.asgi.application",
            root=home,
        ),
        "interpreter": Interpreter(
            prefix=home / "venv",
            packages=home / "venv/lib/python3.11/site-packages",
            version=(3, 11),
        ),
        "hosts": Hosts(names=("example.com", "www.example.com")),
        "static": StaticFiles(mounts=(_static(f"{prefix}/static/", home / "static"),)),
        "headers": SecurityHeaders(
            nosniff=True, referrer_policy="same-origin", opener_policy="same-origin"
        ),
        "limits": Limits(upload_memory=2621440),
        "admin_static": Mount(
            url=f"{prefix}/static/admin/",
            directory=home / "venv/lib/python3.11/site-packages/django/contrib/admin/static/admin",
            setting="INSTALLED_APPS",
        ),
    }
    return SiteFacts(name=name, **{**standard, **facts})


def _static(url: str, directory: Path) -> Mount:
    return Mount(url=url, directory=directory, setting="STATIC_ROOT")


def _with_application(facts: SiteFacts, **changes: Any) -> SiteFacts:
    return replace(facts, application=replace(facts.application, **changes))


def _area(url: str, policy: str, directory: Path | None = None) -> Area:
    setting = f"DEPLOYKIT['SITE']['AUTH_AREAS'][{url!r}]"
    return Area(url=url, policy=policy, setting=setting, directory=directory)


def pool(url: str, name: str, **choices: Any) -> Pool:
    """A pool as it is read from settings; ``url`` is whole."""
    setting = f"DEPLOYKIT['SITE']['POOLS'][{url!r}]"
    return Pool(url=url, name=name, setting=setting, choices=tuple(sorted(choices.items())))


def _root_files(directory: str, names: Iterable[str]) -> tuple[RootFile, ...]:
    return tuple(RootFile(url=f"/{name}", path=Path(directory, name)) for name in names)


TLS = Tls(
    certificate=Path("/etc/letsencrypt/live/example.com/fullchain.pem"),
    key=Path("/etc/letsencrypt/live/example.com/privkey.pem"),
    acme_webroot=Path("/var/www/html"),
)
# As HAProxy wants it.
ONE_FILE = replace(TLS, certificate=Path("/etc/ssl/shop.pem"), key=Path("/etc/ssl/shop.pem"))
SHARED = Interpreter(
    prefix=Path("/srv/venv"),
    packages=Path("/srv/venv/lib/python3.11/site-packages"),
    version=(3, 11),
)
HSTS = SecurityHeaders(
    hsts="max-age=31536000; includeSubDomains",
    nosniff=True,
    referrer_policy="strict-origin-when-cross-origin",
    opener_policy="same-origin",
)
MEDIA = Mount(url="/media/", directory=Path("/srv/shop/media"), setting="MEDIA_ROOT")
PROTECTED = Mount(
    url="/protected/",
    directory=Path("/srv/shop/private"),
    setting="DEPLOYKIT['SITE']['PROTECTED']",
)
BLOG_PROTECTED = replace(PROTECTED, url="/blog/protected/", directory=Path("/srv/blog/private"))
BACKENDS = (
    Backend(where=Path("/run/shop/shop.sock")),
    Backend(where=Address("10.0.0.6", 8000), weight=3),
    Backend(where=Address("::1", 8000), role="drain"),
    Backend(where=Address("10.0.0.7", 8000), role="backup"),
    Backend(where=Address("10.0.0.8", 8000)),
)
PUBLIC = Path("/srv/www/example.com")
AWKWARD = '/srv/it\'s #1 ("böse") 100%'
# Slow pages, one at a time in each process.
REPORTS = {"processes": 1, "threads": 1, "request_timeout": 300}
WHITENOISE = StaticFiles(
    mounts=(_static("/static/", Path("/srv/shop/static")),), hashed=True, twins=("br", "gz")
)

CASES: dict[str, Case] = {
    # What `deployconfig TARGET` prints for a new project; the project's own wsgi.py is used.
    "minimal": Case(sites=(_with_application(site(), asgi=None),), directory=None),
    "prefixed": Case(
        sites=(
            site(
                prefix="/shop",
                media=replace(MEDIA, url="/shop/media/"),
            ),
        ),
        deployment=replace(
            DEPLOYMENT, listen=(Address("127.0.0.1", 8080), Address("::1", 8080)), user="shop"
        ),
    ),
    "tls": Case(sites=(site(tls=TLS, headers=HSTS, media=MEDIA),)),
    "tls_exempt": Case(
        sites=(
            site(
                tls=TLS,
                hosts=Hosts(names=("example.com", ".example.org")),
                headers=HSTS,
                redirect_exempt=(r"^health/$", r"\.well-known/webfinger"),
            ),
        )
    ),
    "protected": Case(sites=(site(media=MEDIA, protected=(PROTECTED,)),)),
    "protected_stores": Case(
        sites=(site(stores=("https://files.s3.example.com", "http://10.0.0.2:9000")),),
        deployment=replace(DEPLOYMENT, resolver=Address("127.0.0.53", 53)),
    ),
    "protected_mod_xsendfile": Case(
        sites=(site(protected=(PROTECTED,)),),
        deployment=replace(DEPLOYMENT, mod_xsendfile_version=(0, 12)),
        gateway="http",
    ),
    # A directory of its own, Django's own pages, and a URL of the operator's own directives.
    "areas": Case(
        sites=(
            site(
                tls=TLS,
                prefix="/shop",
                redirect_exempt=(r"^health/$",),
                areas=(
                    _area("/shop/files/", "active", directory=Path(f"{AWKWARD}/files")),
                    _area("/shop/reports/", "staff"),
                    _area("/shop/svn/", "press"),
                ),
            ),
        ),
    ),
    # What every front can guard that guards anything.
    **{
        f"areas_of_files{suffix}": Case(
            sites=(
                site(
                    areas=(
                        _area("/files/", "active", directory=Path("/srv/files")),
                        _area("/press/", "press", directory=Path("/srv/press")),
                    ),
                    login_url="/accounts/login/",
                    endpoints=(
                        Endpoint(url="/auth/active/", policy="active"),
                        Endpoint(url="/auth/press/", policy="press"),
                    ),
                ),
            ),
            gateway=gateway,
        )
        for suffix, gateway in (("", ""), ("_uwsgi", "uwsgi"))
    },
    # Django has no endpoint for them.
    "areas_of_files_asked": Case(
        sites=(
            site(
                tls=TLS,
                prefix="/shop",
                areas=(_area("/shop/press/", "press", directory=Path("/srv/press")),),
                login_url="/shop/accounts/login/",
            ),
        ),
        gateway="http",
    ),
    "protected_scgi": Case(
        sites=(
            site(protected=(PROTECTED,)),
            site("blog", prefix="/blog", protected=(BLOG_PROTECTED,)),
            site("intranet", hosts=Hosts(names=("intranet.example.com",))),
        ),
        gateway="scgi",
    ),
    "whitenoise": Case(
        sites=(
            site(
                static=WHITENOISE,
                whitenoise=True,
                root_files=_root_files("/srv/shop/root", ("favicon.ico", "robots.txt")),
            ),
        )
    ),
    # STATIC_URL names another host, so that this one serves no static files.
    "static_on_cdn": Case(sites=(site(static=None, admin_static=None, media=MEDIA),)),
    # Nothing but the application answers.
    "no_files": Case(
        sites=(
            site(static=None, admin_static=None),
            site(
                "api",
                static=None,
                admin_static=None,
                hosts=Hosts(names=("api.example.com",)),
                tls=replace(
                    TLS, certificate=Path("/etc/ssl/api.pem"), key=Path("/etc/ssl/api.key")
                ),
            ),
        ),
    ),
    "awkward_paths": Case(
        sites=(
            site(
                root=f"{AWKWARD}/code",
                media=Mount(
                    url="/média (1)/", directory=Path(AWKWARD, "média"), setting="MEDIA_ROOT"
                ),
                root_files=_root_files(f"{AWKWARD}/root", ("robots.txt", "über uns (neu).txt")),
            ),
        )
    ),
    # httpd would replace the variable, and has no way to write it otherwise.
    "variable_path": Case(sites=(site(root="/srv/${HOME}"),)),
    "two_sites": Case(
        sites=(
            site("shop", prefix="/shop", environ=(("BRANCH", "Zurich"),)),
            site("blog", prefix="/blog", needs_authorization=True),
            site("intranet", hosts=Hosts(names=("intranet.example.com",))),
        )
    ),
    "interpreters": Case(
        sites=(
            site("shop", prefix="/shop", interpreter=SHARED),
            site("blog", prefix="/blog", interpreter=SHARED),
        ),
        deployment=replace(DEPLOYMENT, isolation="interpreters"),
    ),
    "routes": Case(
        sites=(site(routes=("/app/", "/accounts/"), documents=Path("/var/www/example")),)
    ),
    "pools": Case(
        sites=(site(pools=(pool("/reports/", "reports", **REPORTS),), protected=(PROTECTED,)),)
    ),
    # A pool that is a whole route, and one within another route.
    "pools_routes": Case(
        sites=(
            site(
                routes=("/accounts/", "/reports/"),
                pools=(
                    pool("/accounts/export/", "export", socket=Address("127.0.0.1", 9001)),
                    pool("/reports/", "reports", **REPORTS),
                ),
            ),
        ),
        gateway="http",
    ),
    # Below a prefix, beside another site, and some of it on plain HTTP.
    "pools_scgi": Case(
        sites=(
            site(
                prefix="/shop",
                tls=TLS,
                redirect_exempt=(r"^shop/reports/health/$",),
                pools=(pool("/shop/reports/", "reports", **REPORTS),),
            ),
            site("blog", prefix="/blog", tls=TLS),
        ),
        gateway="scgi",
    ),
    "embedded": Case(sites=(site(),), gateway="mod_wsgi-embedded"),
    "apache22": Case(
        sites=(site(static=WHITENOISE),), deployment=replace(DEPLOYMENT, server_version=(2, 2))
    ),
    "mod_wsgi6": Case(
        sites=(site(),),
        deployment=replace(
            DEPLOYMENT,
            user="shop",
            group="www-data",
            mod_wsgi_version=(6, 1),
            mod_wsgi_module=Path(
                "/srv/shop/venv/lib/python3.11/site-packages/mod_wsgi/server"
                "/mod_wsgi-py311.cpython-311-x86_64-linux-gnu.so"
            ),
        ),
    ),
    "own_logs": Case(
        sites=(site(), site("blog", prefix="/blog")),
        deployment=replace(DEPLOYMENT, log_directory=Path("/var/log")),
    ),
    "any_host": Case(sites=(site(hosts=Hosts(names=("*",))),)),
    "environ": Case(
        sites=(
            _with_application(
                site(
                    environ=(("BRANCH", "Zürich"), ("MOTTO", 'say "%{HOME}" \\ and go')),
                    needs_authorization=True,
                ),
                env_file=Path("/srv/shop/.env"),
            ),
        )
    ),
    **{
        f"proxied_{gateway}": Case(
            sites=(
                site(
                    static=WHITENOISE,
                    media=MEDIA,
                    root_files=_root_files("/srv/shop/root", ("robots.txt",)),
                    environ=(("BRANCH", "Zürich"),),
                    needs_authorization=True,
                ),
                site("blog", prefix="/blog"),
                site(
                    "secure",
                    hosts=Hosts(names=("secure.example.com",)),
                    tls=TLS,
                    headers=HSTS,
                    redirect_exempt=(r"^health/$",),
                    routes=("/app/", "/accounts/"),
                ),
            ),
            gateway=gateway,
        )
        for gateway in ("http", "uwsgi", "fastcgi", "scgi", "fcgid", "cgi")
    },
    "vhost_path": Case(
        sites=(
            site(tls=TLS, redirect_exempt=(r"^health/$",)),
            site("blog", prefix="/blog", tls=TLS),
        ),
        deployment=replace(DEPLOYMENT, vhost_path="kX3-vhost"),
        gateway="http",
    ),
    "apache2410": Case(
        sites=(site(tls=TLS, headers=HSTS, media=MEDIA),),
        gateway="http",
        versions={"apache": (2, 4, 10)},
    ),
    "nginx118": Case(sites=(site(tls=TLS),), versions={"nginx": (1, 18)}),
    "nginx125": Case(sites=(site(tls=TLS),), versions={"nginx": (1, 25, 1)}),
    "nginx130": Case(sites=(site(tls=TLS, headers=HSTS),), versions={"nginx": (1, 30)}),
    "lighttpd1459": Case(sites=(site(tls=TLS),), versions={"lighttpd": (1, 4, 59)}),
    # Looked for by nginx alone.
    "files": Case(
        sites=(
            site(
                static=replace(WHITENOISE, mounts=(_static("/static/", PUBLIC / "static"),)),
                media=replace(MEDIA, directory=PUBLIC / "media"),
                root_files=_root_files("/srv/shop/root", ("robots.txt",)),
            ),
            site(
                "blog",
                prefix="/blog",
                static=StaticFiles(mounts=(_static("/blog/static/", PUBLIC / "blog/static"),)),
            ),
        ),
        deployment=replace(DEPLOYMENT, static_lookup="file"),
    ),
    # The directory above STATIC_ROOT is the project's own.
    "files_beside_code": Case(
        sites=(site(),), deployment=replace(DEPLOYMENT, static_lookup="file")
    ),
    # Two sites with websockets, and one without; only over HTTP do they get through.
    "websockets": Case(
        sites=(
            site("shop", prefix="/shop", websockets=("/live", "/ws/")),
            site("blog", prefix="/blog"),
            site(
                "chat",
                hosts=Hosts(names=("chat.example.com",)),
                websockets=("/",),
                routes=("/chat/",),
            ),
        ),
        gateway="http",
        app_server="uvicorn",
    ),
    "websockets_alone": Case(
        sites=(site(websockets=("/ws/echo/",), environ=(("BRANCH", "Zürich"),)),),
        deployment=replace(DEPLOYMENT, socket=Address("127.0.0.1", 9000), request_timeout=15),
        gateway="http",
        app_server="uvicorn",
    ),
    "apache_without_upgrade": Case(
        sites=(site(websockets=("/ws/",)),),
        deployment=replace(DEPLOYMENT, server_version=(2, 4, 46)),
        gateway="http",
        app_server="uvicorn",
    ),
    # Every choice of a cluster, and files that are not for an image.
    "cluster": Case(
        sites=(
            _with_application(
                site(
                    "My_Shop",
                    prefix="/shop",
                    tls=replace(TLS, key=Path("/srv/My_Shop/tls.key")),
                    hosts=Hosts(names=("example.com", ".example.org", "192.0.2.1")),
                    media=Mount(
                        url="/shop/media/", directory=Path("/srv/My_Shop/up"), setting="MEDIA_ROOT"
                    ),
                    static=StaticFiles(mounts=(_static("/shop/static/", Path("/var/static")),)),
                    databases=(Path("/srv/My_Shop/data/db [1].sqlite3"),),
                    believes_proxies=True,
                ),
                env_file=Path("/srv/My_Shop/secrets/site.txt"),
            ),
        ),
        directory=Path("/srv/My_Shop/ops"),
        deployment=replace(
            DEPLOYMENT,
            image="registry.example.com:5000/shop:1.2",
            base_image=f"python:3.11-slim@sha256:{'0a' * 32}",
            requirements="requirements/live.txt",
            cpu=3,
            memory="2Gi",
            replicas=3,
            max_replicas=6,
            ingress_class="nginx",
            health="/healthz/",
        ),
    ),
    # Several application servers: what the cookie binds to, over each kind of gateway.
    **{
        f"backends_{gateway}": Case(
            sites=(
                site(tls=ONE_FILE, prefix="/shop", headers=HSTS, redirect_exempt=(r"^health/$",)),
            ),
            deployment=replace(DEPLOYMENT, backends=BACKENDS, sticky=True),
            gateway=gateway,
        )
        for gateway in ("http", "uwsgi")
    },
    # What every front can do that has several application servers.
    "backends_equal": Case(
        sites=(site(websockets=("/ws/",)),),
        deployment=replace(
            DEPLOYMENT,
            backends=(
                Backend(where=Path("/run/shop/shop.sock")),
                Backend(where=Address("10.0.0.6", 8000), role="down"),
                Backend(where=Address("::1", 8000)),
            ),
            balance="round-robin",
        ),
        gateway="http",
        app_server="uvicorn",
    ),
    "backends_sticky": Case(
        sites=(site(),),
        deployment=replace(DEPLOYMENT, backends=BACKENDS[:1] + BACKENDS[4:], sticky=True),
        gateway="scgi",
    ),
    "health": Case(
        sites=(site(hosts=Hosts(names=(".example.com",)), prefix="/shop", static=None),),
        deployment=replace(DEPLOYMENT, health="/health/", socket=Address("127.0.0.1", 9000)),
    ),
    "admin_alias": Case(sites=(site(),), deployment=replace(DEPLOYMENT, admin_static="alias")),
}


def produced(target: str, name: str) -> tuple[str, str]:
    """What a target makes of a case: a file suffix and the text, or the refusal as ".error"."""
    renderer = renderers()[target]
    try:
        rendered = renderer(CASES[name].plan(renderer)).render()
    except DeploykitError as error:
        return ".error", f"{type(error).__name__}: {error}\n"
    return Path(rendered.filename).suffix or ".txt", rendered.text


def everything() -> str:
    """All that is produced, in one text."""
    return "".join(
        f"{target}/{name}{suffix}\n{text}"
        for target in renderers()
        for name in CASES
        for suffix, text in [produced(target, name)]
    )
