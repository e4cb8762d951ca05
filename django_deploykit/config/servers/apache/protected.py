"""Protected files through mod_xsendfile, where Apache has it.

Manual: https://tn123.org/mod_xsendfile/
"""

from __future__ import annotations

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.renderer import Plan
from django_deploykit.config.syntax.nodes import Node, directive

MODULE = "xsendfile"
PACKAGE = "libapache2-mod-xsendfile"


def uses_module(plan: Plan) -> bool:
    """Tell whether mod_xsendfile sends the protected files of any site."""
    has_module = plan.deployment.mod_xsendfile_version is not None
    return has_module and any(site.protected for site in plan.sites)


def sending(plan: Plan, site: SiteFacts) -> list[Node]:
    """Only for the URLs of a site that has protected files, and out of their directories."""
    if not uses_module(plan) or not site.protected:
        return []
    why, setting = "Django decides who may read a protected file, Apache sends it", "PROTECTED"
    outside = "and no other file; this module knows no access rules"
    return [
        directive("XSendFile", "On", why=why, setting=setting),
        *(
            directive("XSendFilePath", str(mount.directory), why=outside, setting=mount.setting)
            for mount in site.protected
        ),
    ]
