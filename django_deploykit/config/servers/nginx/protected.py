"""Protected files: nginx sends what Django names, and nobody else can name it.

Manual: https://nginx.org/en/docs/http/ngx_http_core_module.html#internal
"""

from __future__ import annotations

from django_deploykit import contract
from django_deploykit.config.facts import Mount, SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.nginx.dialect import variable
from django_deploykit.config.syntax.nodes import Comment, Node, Option, Raw, block, directive

# nginx keeps the Cache-Control of the file too; beside it, this one wins (RFC 9111 5.2.2.5).
REFUSED = "an error is not to be kept for as long as the file"


def locations(plan: Plan, site: SiteFacts, hsts: list[Node]) -> list[Node]:
    """One internal location for each protected directory."""
    if not site.protected:
        return []
    remark = "Protected files: Django decides, and names the file in a header of its response."
    return [Comment(remark), *(_location(plan, mount, hsts) for mount in site.protected)]


def _location(plan: Plan, mount: Mount, hsts: list[Node]) -> Node:
    directory = str(mount.directory).rstrip("/")
    setting, tag = mount.setting, "Django's own is in its place, which changes with every file"
    children = [
        directive("internal", why="for what Django names; 404 for every client"),
        directive("alias", f"{directory}/", why="where the files lie", setting=setting),
        directive(
            "disable_symlinks",
            "on",
            Option("from", directory),
            why="no symbolic link leads out, nor does one that was made since Django looked",
            setting=setting,
        ),
        directive("autoindex", "off", why="no listing"),
        directive("gzip", "off", why="a part of a compressed file is no compressed part"),
        directive("max_ranges", 16, why="as many as Django itself would send"),
        directive("etag", "off", why=tag),
        *hsts,
        *map(_kept, contract.KEPT_HEADERS),
        refused(plan),
    ]
    why = "the internal name of a protected directory; both sides end in a slash"
    return block("location", Raw("^~"), mount.url, children=children, why=why, setting=setting)


def refused(plan: Plan) -> Node:
    """Beside what is said of a file: that an error in its place is not to be kept."""
    value = variable(plan, "refusal")
    return directive("add_header", "Cache-Control", value, "always", why=REFUSED)


def _kept(name: str) -> Node:
    """An absent header stays absent: nginx adds none that is empty."""
    value = Raw("$upstream_http_" + name.lower().replace("-", "_"))
    always = [] if name == "ETag" else ["always"]
    why = "nginx would drop this header of Django's"
    return directive("add_header", name, value, *always, why=why)
