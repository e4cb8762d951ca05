"""What a reload costs where mod_wsgi's daemon processes run Python.

Apache ends them itself (apr_pool_note_subprocess, APR_KILL_AFTER_TIMEOUT): SIGTERM, and SIGKILL
three seconds later, whatever mod_wsgi's own timeouts are. No directive of either changes that.
"""

from __future__ import annotations

import shlex

from django_deploykit.config.renderer import Plan


def remarks(plan: Plan) -> tuple[str, ...]:
    """How new code is loaded without losing a request, and what loses some."""
    if plan.gateway != "mod_wsgi":
        return ()
    scripts = shlex.join(str(plan.script(site)) for site in plan.sites)
    return (
        f"new code: touch {scripts}; running requests come to their end",
        "a reload of Apache (a renewed certificate, the distribution's nightly rotation of logs) "
        "cuts off requests that need more than three seconds to end; with gateway 'http' it cuts "
        "off none",
    )
