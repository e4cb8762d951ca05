"""Protected files: through mod_xsendfile, where Apache has it, else by a redirect within Apache.

Manuals: https://tn123.org/mod_xsendfile/,
https://httpd.apache.org/docs/2.4/mod/mod_proxy_scgi.html#proxyscgiinternalredirect
"""

from __future__ import annotations

from django_deploykit import contract
from django_deploykit.config.facts import Mount, SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache.dialect import Version, grant, never_run, refuse
from django_deploykit.config.syntax.nodes import Comment, Glob, Node, Raw, block, directive

MODULE = "xsendfile"
PACKAGE = "libapache2-mod-xsendfile"

# The first with ProxySCGIInternalRedirect, and with what restores the headers.
_REDIRECTS = (2, 4, 13)
# The first mod_xsendfile that decodes a path, and the first Apache with <IfDirective>.
_DECODES = (1, 0)
_ASKS_FOR_DIRECTIVES = (2, 4, 34)


def uses_module(plan: Plan) -> bool:
    """Tell whether mod_xsendfile sends the protected files of any site."""
    has_module = plan.deployment.mod_xsendfile_version is not None
    return has_module and any(site.protected for site in plan.sites)


def redirects(plan: Plan) -> str:
    """By which mechanism Apache redirects to a protected file within itself; "" for none."""
    protected = any(site.protected for site in plan.sites)
    if not protected or uses_module(plan) or not Version.of(plan.deployment).at_least(*_REDIRECTS):
        return ""
    return {"mod_wsgi": "mod_wsgi", "scgi": "mod_proxy_scgi-redirect"}.get(plan.gateway, "")


def stated(plan: Plan, site: SiteFacts) -> list[Node]:
    """What tells the runtime that the files can be named by URL, and the files who names them."""
    if not redirects(plan) or not site.protected:
        return []
    why = "Django may name a protected file by its internal URL; no request can carry this name"
    whose = "opens the protected files of this site, and of no other one, to its redirects"
    return [
        directive("SetEnv", contract.SENDFILE_KEY, redirects(plan), why=why),
        directive("SetEnv", contract.SITE_KEY, site.name, why=whose),
    ]


def streamed(plan: Plan) -> list[Node]:
    """What tells the runtime of a host without these places that Python sends the files itself."""
    if not redirects(plan):
        return []
    why = "only the other host has a place for protected files, so that Django sends them here"
    return [directive("SetEnv", contract.SENDFILE_KEY, contract.STREAM_BACKEND, why=why)]


def areas(plan: Plan, site: SiteFacts) -> list[Node]:
    """Where the files of the internal URLs lie."""
    if not redirects(plan) or not site.protected:
        return []
    remark = "Protected files, which Django names by an internal URL"
    return [Comment(remark), *(node for one in site.protected for node in _files(plan, one))]


def named(plan: Plan, site: SiteFacts) -> list[Node]:
    """The internal URLs: 404 for every client, the file for Django's redirects."""
    if not redirects(plan) or not site.protected:
        return []
    remark = "Django names a protected file by its URL here, with what is to be said of it."
    return [Comment(remark), *(_named(plan, site, one) for one in site.protected)]


def _files(plan: Plan, mount: Mount) -> list[Node]:
    setting, version = mount.setting, Version.of(plan.deployment)
    target = f"{str(mount.directory).rstrip('/')}/"
    why = "where the files lie; both sides end in a slash"
    elsewhere = "by no other URL that leads here, as one of another site might"
    rules: list[Node] = [
        *refuse(version, elsewhere, setting),
        directive("Options", "None", why="no symbolic link leads out"),
        directive("AllowOverride", "None", why="no .htaccess is looked for"),
        *never_run(version),
    ]
    return [
        directive("Alias", mount.url, target, why=why, setting=setting),
        block("Directory", Glob(str(mount.directory)), children=rules, why=why, setting=setting),
    ]


def _named(plan: Plan, site: SiteFacts, mount: Mount) -> Node:
    setting, version = mount.setting, Version.of(plan.deployment)
    return block(
        "Location",
        Glob(mount.url),
        children=[
            *_asked_before(plan, site, mount),
            *grant(version, "what Django names; in the directory itself, nothing is", setting),
            *_nobody_else(site, setting),
            *(node for name in _restored(plan) for node in _restore(name)),
            *_uncompressed(),
        ],
        why="the internal name of a protected directory",
        setting=setting,
    )


def _asked_before(plan: Plan, site: SiteFacts, mount: Mount) -> list[Node]:
    """The area around it let the request in before Django was asked, and took the password away."""
    around = any(mount.url.startswith(area.url) for area in site.areas)
    if not around or site.name not in plan.authorizers:
        return []
    why = "nobody is asked again for what Django names"
    return [directive("AuthType", Raw("None"), why=why, setting=mount.setting)]


def _nobody_else(site: SiteFacts, setting: str) -> list[Node]:
    """A redirect within Apache calls what was set for the request before it REDIRECT_*."""
    why = "only after a redirect of this site's own; 404 for other sites, and for every client"
    refusal = directive("Redirect", 404, "/", why=why, setting=setting)
    test = f"reqenv('REDIRECT_{contract.SITE_KEY}') != '{site.name}'"
    return [block("If", test, children=[refusal], why=why, setting=setting)]


def _restored(plan: Plan) -> tuple[str, ...]:
    is_scgi = plan.gateway == "scgi"
    return contract.REPLACED_HEADERS if is_scgi else contract.RESTORED_HEADERS


def _restore(name: str) -> list[Node]:
    """Say a header that Django has put into the query of the URL."""
    why = "the redirect loses this header of Django's"
    variable = f"DEPLOYKIT_{name.upper().replace('-', '_')}"
    told = Raw(f'"%{{QUERY_STRING}} =~ /(?:^|&){name.lower()}=([^&]*)/"')
    value = Raw(f'"expr=%{{unescape:%{{env:{variable}}}}}"')
    return [
        directive("SetEnvIfExpr", told, Raw(f"{variable}=$1"), why=why),
        directive("Header", "set", name, value, Raw(f"env={variable}"), why=why),
    ]


def _uncompressed() -> list[Node]:
    why, switches = "a part of a compressed file is no compressed part", ("no-gzip", "no-brotli")
    return [directive("SetEnv", name, 1, why=why) for name in switches]


def sending(plan: Plan, site: SiteFacts) -> list[Node]:
    """Only for the URLs of a site that has protected files, and out of their directories."""
    if not uses_module(plan) or not site.protected:
        return stated(plan, site)
    why, setting = "Django decides who may read a protected file, Apache sends it", "PROTECTED"
    outside = "and no other file; this module knows no access rules"
    return [
        directive("XSendFile", "On", why=why, setting=setting),
        *(
            directive("XSendFilePath", str(mount.directory), why=outside, setting=mount.setting)
            for mount in site.protected
        ),
        *_spelling(plan),
    ]


def _spelling(plan: Plan) -> list[Node]:
    """Make the module read a path as Django spells it, or refuse to start.

    Debian 13's "0.12+git20120509" is 1.0 by its source, and has the directive too.
    """
    name, version = "XSendFileUnescape", plan.deployment.mod_xsendfile_version or ()
    setting = "mod_xsendfile_version"
    if version >= _DECODES:
        return [directive(name, "On", why="Django encodes the path", setting=setting)]
    if not Version.of(plan.deployment).at_least(*_ASKS_FOR_DIRECTIVES):
        return []
    raw = directive(name, "Off", why="Django writes the path as it is", setting=setting)
    why = "Debian's packages of the same name decode it, or do not"
    return [block("IfDirective", Raw(name), children=[raw], why=why, setting=setting)]
