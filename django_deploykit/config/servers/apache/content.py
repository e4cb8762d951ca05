"""Files that Apache serves itself: static, media, files at the root, documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from django_deploykit.config.facts import Mount, RootFile, SecurityHeaders, SiteFacts, StaticFiles
from django_deploykit.config.fronts import AS_DJANGO, HASHED, security_headers
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import protected
from django_deploykit.config.servers.apache.dialect import (
    Version,
    grant,
    last_handler,
    never_run,
    refuse,
)
from django_deploykit.config.syntax.apache import path_regex, regex
from django_deploykit.config.syntax.nodes import (
    Comment,
    Format,
    Glob,
    Node,
    Raw,
    Substitution,
    block,
    directive,
)

_IMMUTABLE = "public, max-age=31536000, immutable"
_REVALIDATE = "no-cache"

# Types that a browser would run in the site's own origin. The type, not the name, decides:
# mod_mime ignores case and what it does not know, so that a.HTML and a.html.x are pages too.
_ACTIVE_CONTENT = "expr=%{CONTENT_TYPE} =~ m#^(?:text/html|multipart/)|[/+]xml#i"

_ENCODINGS = {"br": "br", "gz": "gzip"}
_TWIN = "deploykit_twin"


def serve(plan: Plan, site: SiteFacts) -> list[Node]:
    """Everything of one site that Apache serves without asking Django."""
    return [
        *_root_files(plan, site),
        *_static(plan, site),
        *_media(plan, site),
        *protected.areas(plan, site),
    ]


def documents(plan: Plan, site: SiteFacts, but: str) -> list[Node]:
    """What else there is on its host; ``but`` is a pattern for paths that are not its own."""
    if site.documents is None:
        return []
    setting = "DEPLOYKIT['SITE']['DOCUMENTS']"
    why = "answers every URL that is not Django's"
    # An old site's scripts run where the server's own configuration runs them by <FilesMatch>.
    plain = directive("SetHandler", "default-handler", why="files, which no Django answers")
    children = [plain, *_security_headers(site.headers)]
    return [
        Comment("Documents"),
        _no_dot_files("/", setting, but),
        directive("DocumentRoot", str(site.documents), why=why, setting=setting),
        _directory(plan, site.documents, setting, children),
    ]


def sending() -> Node:
    """How a host sends files, be they static, uploaded or protected.

    https://httpd.apache.org/docs/2.4/mod/core.html#enablesendfile: off by itself, as some network
    file systems cannot; nginx and lighttpd do it unasked.
    """
    why = "the kernel sends files; by itself Apache maps each one into its memory and out again"
    return directive("EnableSendfile", "On", why=why)


def guarded(plan: Plan, site: SiteFacts, mount: Mount) -> list[Node]:
    """The files of an area, which nobody reaches but by its URL, and what that one asks for."""
    why = "another URL than that of the area would ask for no password"
    children = [
        *never_run(Version.of(plan.deployment)),
        *_security_headers(replace(site.headers, nosniff=True)),
        _cache_control("private, no-cache", "what one may see is not for the next"),
    ]
    rules = refuse(Version.of(plan.deployment), why, mount.setting)
    return [
        _no_dot_files(mount.url, mount.setting),
        _alias(mount),
        _directory(plan, mount.directory, mount.setting, children, rules),
    ]


def _static(plan: Plan, site: SiteFacts) -> list[Node]:
    if site.static is None:
        return []
    nodes: list[Node] = [Comment("Static files")]
    mounts = plan.static_mounts(site)
    for mount in mounts:
        nodes += [
            *_twin_rules(plan, site.static, mount, mounts),
            _no_dot_files(mount.url, mount.setting),
            _alias(mount),
            _directory(
                plan, mount.directory, mount.setting, _static_children(plan, site, site.static)
            ),
        ]
    return nodes


def _static_children(plan: Plan, site: SiteFacts, static: StaticFiles) -> list[Node]:
    version = Version.of(plan.deployment)
    twins = static.twins if version.modern else ()
    nodes = [*never_run(version), *_security_headers(site.headers)]
    nodes += [_twin_encoding(ending) for ending in twins]
    if twins:
        why = "a cache must keep the compressed and the plain answer apart"
        nodes.append(directive("Header", "merge", "Vary", "Accept-Encoding", why=why))
    nodes.append(_cache_control(_REVALIDATE, "a file without a hash in its name may change"))
    if static.hashed:
        why = "the content of a hashed name never changes; an error in its place does (412)"
        answers = ("expr=%{REQUEST_STATUS} -lt 400",) if version.knows_header_conditions else ()
        kept = [_cache_control(_IMMUTABLE, why, *answers)]
        nodes.append(block("FilesMatch", HASHED, children=kept, why=why, setting="STORAGES"))
    return nodes


def _media(plan: Plan, site: SiteFacts) -> list[Node]:
    if site.media is None:
        return []
    children = [
        *never_run(Version.of(plan.deployment)),
        # What an upload is was said by whoever sent it: no browser may guess any further.
        *_security_headers(replace(site.headers, nosniff=True)),
        _sandbox(plan),
        _cache_control(_REVALIDATE, "an upload may be replaced or deleted"),
    ]
    return [
        Comment("Uploaded files: an uploaded page or drawing must not act in the site's name."),
        _no_dot_files(site.media.url, site.media.setting),
        _alias(site.media),
        _directory(plan, site.media.directory, site.media.setting, children),
    ]


def _sandbox(plan: Plan) -> Node:
    # Without conditions every upload is kept in the sandbox.
    version = Version.of(plan.deployment)
    condition = (_ACTIVE_CONTENT,) if version.knows_header_conditions else ()
    return directive(
        "Header",
        "always",
        "set",
        "Content-Security-Policy",
        Format("sandbox; default-src 'none'"),
        *condition,
        why="an uploaded page must not run in the site's name",
    )


def _root_files(plan: Plan, site: SiteFacts) -> list[Node]:
    if not site.root_files:
        return []
    version = Version.of(plan.deployment)
    nodes: list[Node] = [Comment("Files at the root of the host")]
    nodes += [
        directive(
            "Alias",
            file.url,
            str(file.path),
            why="a file at the root of the host",
            setting="ROOT_FILES",
        )
        for file in site.root_files
    ]
    for directory, files in _by_directory(site.root_files):
        names = "|".join(regex(file.path.name) for file in files)
        children = [
            *last_handler(version, "no file is run"),
            *_security_headers(site.headers),
            _cache_control(_REVALIDATE, "it may change"),
            *grant(version, "these files are public", "ROOT_FILES"),
        ]
        only = block("FilesMatch", f"^(?:{names})$", children=children, why="only these files")
        plain = directive("AllowOverride", "None", why="no .htaccess is looked for")
        why = "where the files at the root lie"
        nodes.append(
            block(
                "Directory",
                Glob(str(directory)),
                children=[plain, only],
                why=why,
                setting="ROOT_FILES",
            )
        )
    return nodes


def _by_directory(files: Iterable[RootFile]) -> list[tuple[Path, list[RootFile]]]:
    grouped: dict[Path, list[RootFile]] = {}
    for file in files:
        grouped.setdefault(file.path.parent, []).append(file)
    return sorted(grouped.items())


def _alias(mount: Mount) -> Node:
    why = "served by Apache; both sides end in a slash, so that no other path is reached"
    target = f"{str(mount.directory).rstrip('/')}/"
    return directive("Alias", mount.url, target, why=why, setting=mount.setting)


def _directory(
    plan: Plan,
    directory: Path,
    setting: str,
    children: list[Node],
    rules: list[Node] | None = None,
) -> Node:
    anybody = grant(Version.of(plan.deployment), "these files are public", setting)
    return block(
        "Directory",
        Glob(str(directory)),
        setting=setting,
        why="what holds for these files",
        children=[
            *(anybody if rules is None else rules),
            directive("Options", _options(plan), why=_OPTIONS_WHY),
            directive("AllowOverride", "None", why="no .htaccess is looked for"),
            *children,
        ],
    )


_OPTIONS_WHY = "no listing, no CGI, no includes, and no symbolic link out"


def _options(plan: Plan) -> str:
    linked = plan.deployment.admin_static == "symlink"
    return "FollowSymLinks" if linked else "None"


def _no_dot_files(url: str, setting: str, but: str = "") -> Node:
    pattern = rf"^{but}{path_regex(url)}(?:.*/)?\.(?!well-known/)"
    why = "names with a leading dot (.git, .env) do not exist for a client"
    return directive("RedirectMatch", 404, pattern, why=why, setting=setting)


def _cache_control(value: str, why: str, *condition: str) -> Node:
    return directive("Header", "set", "Cache-Control", Format(value), *condition, why=why)


def _security_headers(headers: SecurityHeaders) -> list[Node]:
    """Django's own headers, for responses that Django never sees."""
    return [
        directive("Header", "always", "set", name, Format(value), why=AS_DJANGO, setting=setting)
        for name, value, setting in security_headers(headers)
    ]


def _twin_rules(
    plan: Plan, static: StaticFiles, mount: Mount, mounts: Iterable[Mount]
) -> list[Node]:
    """Answer with ``style.css.br`` or ``.gz`` where the client takes it and the file exists.

    The first rule that holds is the last one that is looked at: ``PT`` implies ``L``.
    """
    if not static.twins or not Version.of(plan.deployment).modern:
        return []
    nodes: list[Node] = [
        Comment("The compressed twin of a static file, where there is one and the client takes it"),
        directive("RewriteEngine", "On", why="chooses the compressed twins", setting="STORAGES"),
    ]
    for ending in static.twins:
        nodes += _twin_rule(ending, mount, _elsewhere(mount, mounts))
    return nodes


def _elsewhere(mount: Mount, mounts: Iterable[Mount]) -> str:
    """No twin lies here for what another directory serves below the URL of this one."""
    inner = [one.url.removeprefix(mount.url) for one in mounts if one is not mount]
    below = [regex(url) for url in inner if not url.startswith("/")]
    return f"(?!{'|'.join(below)})" if below else ""


def _twin_rule(ending: str, mount: Mount, but: str) -> list[Node]:
    coding, setting = _ENCODINGS[ending], "STORAGES"
    directory = f"{str(mount.directory).rstrip('/')}/"
    accepted = rf"(?:^|[\s,]){coding}(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))(?:[\s;,]|$)"
    return [
        directive(
            "RewriteCond",
            Raw("%{HTTP:Accept-Encoding}"),
            accepted,
            Raw("[NC]"),
            setting=setting,
            why=f"the client takes {coding}",
        ),
        directive(
            "RewriteCond",
            Substitution((directory, 1, f".{ending}")),
            "-f",
            setting=mount.setting,
            why="collectstatic left a twin beside the file",
        ),
        directive(
            "RewriteRule",
            # Behind a question mark httpd would begin the query, and since 2.4.60 answers 403.
            f"^{regex(mount.url)}{but}([^?]+)$",
            Substitution((mount.url, 1, f".{ending}")),
            Raw(f"[PT,E={_TWIN}:{ending}]"),
            setting=setting,
            why="one file made once, instead of compressing every answer",
        ),
    ]


def _twin_encoding(ending: str) -> Node:
    coding = _ENCODINGS[ending]
    children: list[Node] = [
        directive("AddEncoding", coding, f".{ending}", why="the twin's bytes are compressed"),
        directive("RemoveType", f".{ending}", why="its type is that of the plain file"),
    ]
    why = "only for a twin chosen above: a .tar.gz asked for by name stays packed"
    test = f"reqenv('{_TWIN}') == '{ending}'"
    return block("If", test, children=children, why=why, setting="STORAGES")
