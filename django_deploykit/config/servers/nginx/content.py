"""Files that nginx serves itself: static, media, files at the root, documents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from django_deploykit.config.facts import Mount, RootFile, SecurityHeaders, SiteFacts, StaticFiles
from django_deploykit.config.fronts import AS_DJANGO, HASHED, files_root, security_headers
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.nginx import protected, stores
from django_deploykit.config.servers.nginx.dialect import variable
from django_deploykit.config.syntax import nginx
from django_deploykit.config.syntax.nginx import regex
from django_deploykit.config.syntax.nodes import (
    Argument,
    Comment,
    Node,
    Option,
    Raw,
    block,
    directive,
)

_IMMUTABLE = "public, max-age=31536000, immutable"
_REVALIDATE = "no-cache"

# Types that a browser would run in the site's own origin.
_ACTIVE_CONTENT = r"~*^(?:text/html|multipart/)|[/+]xml"
_SANDBOX = "sandbox; default-src 'none'"


def maps(plan: Plan) -> list[Node]:
    """The values of headers that depend on a file's name or type, or on the status of an answer;
    they stand at http level."""
    hashed = any(site.static and site.static.hashed for site in plan.sites)
    protects = any(site.protected for site in plan.sites)
    return [
        *(_cache_map(plan) if hashed else []),
        *(_sandbox_map(plan) if any(site.media for site in plan.sites) else []),
        *(_refusal_map(plan, protects) if hashed or protects else []),
    ]


def _cache_map(plan: Plan) -> list[Node]:
    values = {"default": _REVALIDATE, f"~{HASHED}": _IMMUTABLE}
    return [
        Comment("A static file with a hash in its name never changes."),
        _map(plan, "$uri", "cache", values, "STORAGES"),
    ]


def _sandbox_map(plan: Plan) -> list[Node]:
    values = {"default": "", _ACTIVE_CONTENT: _SANDBOX}
    return [
        Comment("An uploaded page or drawing must not act in the site's name."),
        _map(plan, "$sent_http_content_type", "sandbox", values, "MEDIA_ROOT"),
    ]


def _refusal_map(plan: Plan, protects: bool) -> list[Node]:
    values = {"default": "", "~^[45]": "no-store"}
    setting = "DEPLOYKIT['SITE']['PROTECTED']" if protects else "STORAGES"
    why = "a part that is not there (416) is an error only when it was taken for an answer"
    again = directive("volatile", why=why, setting=setting)
    return [
        Comment("What is said of a file is not for an error in its place."),
        _map(plan, "$status", "refusal", values, setting, again),
    ]


def _map(
    plan: Plan, source: str, name: str, values: dict[str, str], setting: str, *more: Node
) -> Node:
    why = "one header for some answers, another or none for the rest"
    children: list[Node] = [
        directive(nginx.literal(key), value, why=why, setting=setting)
        for key, value in values.items()
    ]
    where = Raw(source), variable(plan, name)
    return block("map", *where, children=[*more, *children], why=why, setting=setting)


def serve(plan: Plan, site: SiteFacts, hsts: list[Node]) -> list[Node]:
    """Everything of one site that nginx serves without asking Django.

    ``hsts`` is said again in each location: the first ``add_header`` of one drops all those
    from around it.
    """
    return [
        *_root_files(site, hsts),
        *_static(plan, site, hsts),
        *_media(plan, site, hsts),
        *protected.locations(plan, site, hsts),
        *stores.locations(plan, site, hsts),
        *_documents(site, hsts),
    ]


def guarded(site: SiteFacts, mount: Mount, rules: list[Node], hsts: list[Node]) -> Node:
    """The files of an area, for those whom ``rules`` let in; and for no cache but their own."""
    children = [
        *rules,
        *_headers(replace(site.headers, nosniff=True), hsts),
        _cache_control("private, no-cache", "what one may see is not for the next"),
    ]
    return _mounted(mount, children)


def _static(plan: Plan, site: SiteFacts, hsts: list[Node]) -> list[Node]:
    if site.static is None:
        return []
    nodes: list[Node] = [Comment("Static files")]
    for mount in plan.static_mounts(site):
        children = [*_kept_open(), *_twins(site.static), *_headers(site.headers, hsts)]
        children += _static_cache(plan, site.static)
        linked = plan.deployment.admin_static == "symlink"
        nodes.append(_mounted(mount, [*children, _scripts()], linked=linked))
    return nodes


def found_files(plan: Plan, site: SiteFacts, hsts: list[Node], otherwise: str) -> Node:
    """Inside the location of ``site``: the file of a URL; where there is none, the location
    ``otherwise``. No name with a leading dot is looked for.

    Static files have a location of their own, as ever: a name that nginx refuses there (a dot-file,
    a symbolic link) must not be asked of Django, whose WhiteNoise may send it."""
    root, setting = files_root(plan, site), "STATIC_ROOT"
    lookup = directive(
        "try_files",
        Raw("$uri"),
        Raw(otherwise),
        why="a file, and no directory; whatever is none is Django's",
        setting="static_lookup",
    )
    linked = plan.deployment.admin_static == "symlink"
    children = [
        directive("root", str(root), why="where a file lies at the path of its URL"),
        *_plain_files(None if linked else root, setting),
        *_headers(site.headers, hsts),
        _cache_control(_REVALIDATE, "it may change"),
        lookup,
        _scripts(lookup),
    ]
    pattern = rf"(?s)^{regex(site.prefix)}/(?!(?:.*/)?\.(?!well-known/))"
    why = "a file where there is one"
    return block("location", Raw("~"), pattern, children=children, why=why, setting=setting)


def _scripts(*more: Node) -> Node:
    """Of one type, whatever the distribution's table says; that of nginx 1.22 lacks modules."""
    why = "RFC 9239; a browser runs no module of another type"
    children: list[Node] = [
        block("types", children=[], why="the name decides here, not the table"),
        directive("default_type", "text/javascript", why=why),
        *more,
    ]
    return block("location", Raw("~"), r"\.m?js$", children=children, why=why)


def _kept_open() -> list[Node]:
    """Files in demand stay open. Debian lets a process have 1024 files, of which 768 may be
    connections, and each site has a cache of its own in each: so it is small, for few files.

    https://nginx.org/en/docs/http/ngx_http_core_module.html#open_file_cache
    """
    kept = Raw("max=64"), Raw("inactive=10s")
    second = "no older than a second is what is known of a file, and of the way to it"
    return [
        directive("open_file_cache", *kept, why="to look for one costs more than to send it"),
        directive("open_file_cache_min_uses", 10, why="only what is asked for again and again"),
        directive("open_file_cache_valid", Raw("1s"), why=second),
        directive("open_file_cache_errors", "off", why="a new file is found at once"),
    ]


def _twins(static: StaticFiles) -> list[Node]:
    if "gz" not in static.twins:
        return []
    why = "one file made once, instead of compressing every answer"
    vary = "a cache must keep the compressed and the plain answer apart"
    return [
        directive("gzip_static", "on", why=why, setting="STORAGES"),
        directive("gzip_vary", "on", why=vary, setting="STORAGES"),
        directive("gzip_proxied", "any", why="for clients behind a proxy too", setting="STORAGES"),
    ]


def _static_cache(plan: Plan, static: StaticFiles) -> list[Node]:
    if static.hashed:
        why = "only the content of a hashed name never changes"
        return [_cache_control(variable(plan, "cache"), why), protected.refused(plan)]
    return [_cache_control(_REVALIDATE, "a file without a hash in its name may change")]


def _media(plan: Plan, site: SiteFacts, hsts: list[Node]) -> list[Node]:
    if site.media is None:
        return []
    children = [
        # What an upload is was said by whoever sent it: no browser may guess any further.
        *_headers(replace(site.headers, nosniff=True), hsts),
        directive(
            "add_header",
            "Content-Security-Policy",
            variable(plan, "sandbox"),
            "always",
            why="an uploaded page must not run in the site's name",
        ),
        _cache_control(_REVALIDATE, "an upload may be replaced or deleted"),
    ]
    return [Comment("Uploaded files"), _mounted(site.media, children)]


def _root_files(site: SiteFacts, hsts: list[Node]) -> list[Node]:
    if not site.root_files:
        return []
    return [
        Comment("Files at the root of the host"),
        *(_root_file(file, site, hsts) for file in site.root_files),
    ]


def _root_file(file: RootFile, site: SiteFacts, hsts: list[Node]) -> Node:
    why, setting = "a file at the root of the host", "ROOT_FILES"
    children = [
        directive("alias", str(file.path), why=why, setting=setting),
        *_headers(site.headers, hsts),
        _cache_control(_REVALIDATE, "it may change"),
    ]
    return block("location", Raw("="), file.url, children=children, why=why, setting=setting)


def _documents(site: SiteFacts, hsts: list[Node]) -> list[Node]:
    if site.documents is None:
        return []
    setting = "DEPLOYKIT['SITE']['DOCUMENTS']"
    why = "answers every URL that is not Django's"
    children = [
        directive("root", str(site.documents), why=why, setting=setting),
        directive("index", "index.html", why="the page of a directory"),
        *_plain_files(site.documents, setting),
        *_headers(site.headers, hsts),
        _no_dot_files("/", setting),
    ]
    where = block("location", "/", children=children, why=why, setting=setting)
    return [Comment("Documents"), where]


def _mounted(mount: Mount, children: list[Node], *, linked: bool = False) -> Node:
    """A directory below a URL. Both sides end in a slash, so that no other path is reached."""
    target = f"{str(mount.directory).rstrip('/')}/"
    why = "served by nginx; no pattern elsewhere takes these URLs away (^~)"
    inside = [
        directive("alias", target, why="where the files lie", setting=mount.setting),
        *_plain_files(None if linked else mount.directory, mount.setting),
        _no_dot_files(mount.url, mount.setting),
        *children,
    ]
    return block("location", Raw("^~"), mount.url, children=inside, why=why, setting=mount.setting)


def _plain_files(directory: Path | None, setting: str) -> list[Node]:
    why = "what has no known ending is data, whatever is in it"
    nodes: list[Node] = [
        directive("autoindex", "off", why="no listing"),
        directive("default_type", "application/octet-stream", why=why),
    ]
    if directory:
        why = "no symbolic link leads out of the directory"
        start = Option("from", str(directory))
        nodes.append(directive("disable_symlinks", "on", start, why=why, setting=setting))
    return nodes


def _no_dot_files(url: str, setting: str) -> Node:
    # A directory's name may hold a newline, over which a dot goes only with (?s).
    pattern = rf"(?s)^{regex(url)}(?:.*/)?\.(?!well-known/)"
    why = "names with a leading dot (.git, .env) do not exist for a client"
    nothing = directive("return", 404, why=why)
    return block("location", Raw("~"), pattern, children=[nothing], why=why, setting=setting)


def _cache_control(value: Argument, why: str) -> Node:
    return directive("add_header", "Cache-Control", value, why=why)


def _headers(headers: SecurityHeaders, hsts: list[Node]) -> list[Node]:
    """HSTS, and Django's own headers for responses that Django never sees."""
    return [
        *hsts,
        *(
            directive("add_header", name, value, "always", why=AS_DJANGO, setting=setting)
            for name, value, setting in security_headers(headers)
        ),
    ]
