"""Files that lighttpd serves itself: static, media, files at the root, documents.

Each kind is a condition on the URL. The arrays of one condition replace those of the conditions
around it; so every one names all headers of its own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from django_deploykit.config.facts import Mount, SecurityHeaders, SiteFacts
from django_deploykit.config.fronts import AS_DJANGO, HASHED, security_headers
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.lighttpd import types
from django_deploykit.config.servers.lighttpd.dialect import (
    ACCEPTS,
    NOTHING,
    URL,
    array,
    pair,
    values,
    when,
)
from django_deploykit.config.syntax.lighttpd import regex
from django_deploykit.config.syntax.nodes import Block, Node, Raw, directive

_REVALIDATE = "no-cache"

# A directory in which nothing is: Debian Policy 9.2.3 keeps it from existing.
NOWHERE = "/nonexistent"
LISTING = "mod_dirlisting"

TYPES = "var.deploykit_types"
CACHE = "/var/cache/lighttpd/compress"

_Headers = tuple[tuple[str, str, str, str], ...]  # name, value, why, setting


def media_types() -> Node:
    """The table of types, once for all sites."""
    why = "lighttpd knows no types by itself"
    entries = [pair(suffix, kind, why=why) for suffix, kind in types.BY_SUFFIX.items()]
    why = "a name that is not in the table is a download"
    return array(f"{TYPES} :=", [*entries, pair("", types.UNKNOWN, why=why)], why)


def hsts(site: SiteFacts, secure: bool) -> _Headers:
    """The header that only an encrypted answer may have."""
    if not secure or not site.headers.hsts:
        return ()
    why = "on every answer of this host, in place of Django's own: exactly once"
    return (("Strict-Transport-Security", site.headers.hsts, why, "SECURE_HSTS_SECONDS"),)


def response_headers(headers: _Headers) -> list[Node]:
    """The array of response headers; without any there is none to replace."""
    if not headers:
        return []
    entries = [pair(name, value, why=why, setting=setting) for name, value, why, setting in headers]
    why = "replaces the array of any condition around this one"
    return [array("setenv.set-response-header", entries, why)]


def blocks(plan: Plan, site: SiteFacts, secure: bool) -> list[Block]:
    """Everything of one site that lighttpd serves without asking Django, in order."""
    found = _hidden(plan, site)
    if site.root_files:
        found.append(_root_files(site, secure))
    found += [_static(plan, site, mount, secure) for mount in plan.static_mounts(site)]
    if site.media:
        found.append(_media(plan, site, site.media, secure))
    return found


def documents(plan: Plan, site: SiteFacts, secure: bool) -> list[Node]:
    """What answers every URL that is not Django's."""
    if site.documents is None:
        return []
    setting = "DEPLOYKIT['SITE']['DOCUMENTS']"
    why = "answers every URL that is not Django's"
    hidden = directive("server.document-root", NOWHERE, why=_HIDDEN_WHY, setting=setting)
    # A module that is on nowhere lighttpd does not load, and warns of the line that puts it off.
    known = "nothing is here to be listed; only so is the line above known in any case"
    empty = directive("dir-listing.activate", "enable", why=known, setting=setting)
    return [
        directive("server.document-root", unlinked(site.documents), why=why, setting=setting),
        values("index-file.names", ("index.html",), "the page of a directory"),
        directive("dir-listing.activate", "disable", why="no listing", setting=setting),
        *_serving(plan, setting),
        *response_headers((*_security(site.headers), *hsts(site, secure))),
        when(URL, r"/\.(?!well-known/)", [hidden, empty], _HIDDEN_WHY, setting),
    ]


_HIDDEN_WHY = "names with a leading dot (.git, .env) do not exist for a client"


def _hidden(plan: Plan, site: SiteFacts) -> list[Block]:
    mounts = [*plan.static_mounts(site), *([site.media] if site.media else [])]
    return [hidden(*mounts)] if mounts else []


def hidden(*mounts: Mount) -> Block:
    """Nothing: no condition inside gives these URLs an alias, so that they lead nowhere."""
    urls = "|".join(regex(mount.url) for mount in mounts)
    where = directive("server.document-root", NOWHERE, why="404: neither a page nor a list")
    why = f"no listing; and {_HIDDEN_WHY}"
    pattern = rf"^(?:{urls})(?:(?:.*/)?\.(?!well-known/)|(?:.*/)?$)"
    return when(URL, pattern, [where], why, mounts[0].setting)


def guarded(plan: Plan, site: SiteFacts, mount: Mount, secure: bool) -> list[Node]:
    """The files of an area; and for no cache but the client's own."""
    why = "what one may see is not for the next"
    headers: _Headers = (
        *_security(replace(site.headers, nosniff=True)),
        *hsts(site, secure),
        ("Cache-Control", "private, no-cache", why, ""),
    )
    return [_alias(mount), *_serving(plan, mount.setting), *response_headers(headers)]


def _static(plan: Plan, site: SiteFacts, mount: Mount, secure: bool) -> Block:
    vary = "a cache must keep the compressed and the plain answer apart"
    common: _Headers = (
        *_security(site.headers),
        *hsts(site, secure),
        ("Vary", "Accept-Encoding", vary, ""),
    )
    why = "a file without a hash in its name may change"
    children = [
        _alias(mount),
        *_serving(plan, mount.setting),
        *_compression(),
        *response_headers((*common, ("Cache-Control", _REVALIDATE, why, ""))),
    ]
    if site.static and site.static.hashed:
        children.append(_hashed(common))
    return when(URL, f"^{regex(mount.url)}", children, "static files", mount.setting)


def _hashed(common: _Headers) -> Block:
    why = "the content of a hashed name never changes"
    year = pair("", "access plus 365 days", why="only with 200: a missing file is asked for again")
    kept = pair("Cache-Control", "immutable", why=why)
    children = [
        *response_headers(common),
        array("expire.url", [year], why),
        array("setenv.add-response-header", [kept], "beside the age, which comes first"),
    ]
    return when(URL, HASHED, children, why, "STORAGES")


def _compression() -> list[Node]:
    name, quality = "deflate.allowed-encodings", "it does not look at q=0 itself"
    nothing = directive("deflate.mimetypes", NOTHING, why="the client refuses both")
    only_gzip, only_br = (values(name, (coding,), quality) for coding in ("gzip", "br"))
    neither = when(ACCEPTS, _refused("gzip"), [nothing], "the client refuses gzip too")
    return [
        values("deflate.mimetypes", types.COMPRESSIBLE, "what becomes smaller"),
        values(name, ("br", "gzip"), "the best one first; each is made once and then kept"),
        when(ACCEPTS, _refused("br"), [only_gzip, neither], "the client refuses br"),
        when(ACCEPTS, _refused("gzip"), [only_br], "the client refuses gzip"),
    ]


def _refused(coding: str) -> str:
    return rf"(?i)(?:^|[\s,]){coding}\s*;\s*q=0(?:\.0*)?\s*(?:,|$)"


def _media(plan: Plan, site: SiteFacts, mount: Mount, secure: bool) -> Block:
    # What an upload is was said by whoever sent it: no browser may guess any further.
    why = "an upload may be replaced or deleted"
    common: _Headers = (
        *_security(replace(site.headers, nosniff=True)),
        *hsts(site, secure),
        ("Cache-Control", _REVALIDATE, why, ""),
    )
    why = "an uploaded page must not run in the site's name"
    sandbox = ("Content-Security-Policy", "sandbox; default-src 'none'", why, "")
    active = "|".join(suffix.removeprefix(".") for suffix in types.ACTIVE)
    children = [
        _alias(mount),
        *_serving(plan, mount.setting),
        *response_headers(common),
        when(URL, rf"(?i)\.(?:{active})$", response_headers((*common, sandbox)), why),
    ]
    return when(URL, f"^{regex(mount.url)}", children, "uploaded files", mount.setting)


def _root_files(site: SiteFacts, secure: bool) -> Block:
    why = "a file at the root of the host"
    # The first name that a URL begins with counts; lighttpd does not start where one is in vain.
    ordered = sorted(site.root_files, key=lambda file: (-len(file.url), file.url))
    entries = [
        pair(file.url, unlinked(file.path), why=why, setting="ROOT_FILES") for file in ordered
    ]
    headers: _Headers = (
        *_security(site.headers),
        *hsts(site, secure),
        ("Cache-Control", _REVALIDATE, "it may change", ""),
    )
    children = [
        array("alias.url", entries, why, "ROOT_FILES"),
        sent(),
        directive("mimetype.assign", Raw(TYPES), why="the table above"),
        *response_headers(headers),
    ]
    urls = "|".join(regex(file.url) for file in site.root_files)
    return when(URL, f"^(?:{urls})$", children, "files at the root of the host", "ROOT_FILES")


def unsent() -> Node:
    """No file of the whole host, whatever the server's own configuration has there: a directory of
    PHP by ``alias.url``, of a user, of a virtual host. Nothing would run it here: it would be
    text."""
    why = "no file is sent but where it is said"
    return values("static-file.exclude-extensions", ("",), why)


def sent() -> Node:
    """Every file, by whatever name."""
    return directive("static-file.exclude-extensions", NOTHING, why="here files are sent")


def unlinked(path: Path) -> str:
    """Where this really lies: lighttpd follows no link, of the directories above it neither."""
    return str(path.resolve())


def _alias(mount: Mount) -> Node:
    why = "both sides end in a slash, so that no other path is reached"
    target = f"{unlinked(mount.directory).rstrip('/')}/"
    entry = pair(mount.url, target, why=why, setting=mount.setting)
    return array("alias.url", [entry], why, mount.setting)


def _serving(plan: Plan, setting: str) -> list[Node]:
    linked = "enable" if plan.deployment.admin_static == "symlink" else "disable"
    return [
        sent(),
        directive("mimetype.assign", Raw(TYPES), why="the table above"),
        directive(
            "server.follow-symlink", linked, why="no symbolic link leads out", setting=setting
        ),
    ]


def _security(headers: SecurityHeaders) -> _Headers:
    """Django's own headers, for responses that Django never sees."""
    return tuple(
        (name, value, AS_DJANGO, setting) for name, value, setting in security_headers(headers)
    )
