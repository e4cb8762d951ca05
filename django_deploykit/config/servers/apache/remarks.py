"""What Apache cannot do, as measured: said where it is asked to."""

from __future__ import annotations

import shlex

from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import protocols

# What a reload costs where Apache ends processes of the application, or what starts them. Daemon
# processes get SIGTERM, and SIGKILL three seconds later, whatever mod_wsgi's own timeouts are
# (apr_pool_note_subprocess, APR_KILL_AFTER_TIMEOUT); dispatchers eight seconds later
# (kill_all_subprocess() of mod_fcgid); the socket of mod_cgid is made anew.
_LOST = {
    "mod_wsgi": "cuts off requests that need more than three seconds to end",
    "fcgid": "cuts off requests that need more than eight seconds to end, or wait for a process",
    "cgi": "loses requests that begin in that moment (503), and now and then one that runs",
}
# Gateways whose logs are rotated without one.
COSTLY = tuple(_LOST)

# With these, each connection of a client has a process or thread of Apache's own to itself.
_OF_APACHE = ("mod_wsgi-embedded", "cgi")

# Gateways that store a body before anybody in the application waits for it.
_STORES_BODIES = (*protocols.STORES_BODIES, "fcgid")


def remarks(plan: Plan) -> tuple[str, ...]:
    """How new code is loaded without losing a request, what loses some, and who holds it up."""
    return (*_reloads(plan), *_slow_bodies(plan), *_slow_reading(plan))


def _reloads(plan: Plan) -> tuple[str, ...]:
    lost = _LOST.get(plan.gateway)
    if lost is None:
        return ()
    return (
        *_new_code(plan),
        "a reload of Apache (a renewed certificate, the distribution's nightly rotation of logs) "
        f"{lost}; with gateway 'http' it costs none",
    )


def _new_code(plan: Plan) -> tuple[str, ...]:
    if plan.gateway != "mod_wsgi":
        return ()
    scripts = shlex.join(str(plan.script(site)) for site in plan.sites)
    return (f"new code: touch {scripts}; running requests come to their end",)


def _slow_bodies(plan: Plan) -> tuple[str, ...]:
    if plan.gateway in _STORES_BODIES:
        return ()
    return (
        f"slow clients: with gateway {plan.gateway!r} a body that arrives slowly holds a process "
        "or thread of the application; with 'http' it is stored first",
    )


def _slow_reading(plan: Plan) -> tuple[str, ...]:
    if plan.gateway in _OF_APACHE:
        return ()
    return (
        "slow clients: Apache stores no answer: one of more than some hundred KiB that is read "
        "slowly holds a process or thread of the application; nginx and lighttpd store it",
    )
