"""Limits that more than one layer has: each number once, and which has to run out before which.

Seconds, from the inside out: the application gives up first, then the application server, then
the front; so whoever waits is always told by the one that knows why. Sizes are the other way
round: the front refuses first, so that what it lets in arrives.
"""

from __future__ import annotations

from collections.abc import Iterable

from django_deploykit import contract
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import SiteFacts

# Connections that wait to be taken; more than the kernel's somaxconn are cut to that (listen(2)).
BACKLOG = 1024

# How long an idle connection is kept: by a front for a client, and by an application server for
# its front. Whoever opens connections has to let go first, or a request meets a closing one.
CLIENT_KEEP_ALIVE = 5
FRONT_KEEP_ALIVE = 75

# How long one of several application servers is left alone once it has failed, and how often it may
# fail in that time where a front counts. It is then asked again, and nobody has to say so.
BACKEND_AWAY = 10
BACKEND_FAILURES = 3

# How long a front waits until a connection to an application server stands.
CONNECT = 5

# A request line: httpd's LimitRequestLine, which is also the most that gunicorn takes.
REQUEST_LINE = 8190

# All headers of a request together: the most that uWSGI takes. A front lets in no more than some
# of them (nginx 33 KiB, lighttpd 8 KiB); httpd limits each (8190 bytes) and their number (100).
REQUEST_HEAD = 65535
HEADERS = 100

# What a front adds to the headers of a client, at most.
HEADERS_ADDED = 50

# Seconds in which a cluster takes a pod that ends out of every list of addresses: until then it
# gets new requests, so until then it has to answer.
DRAIN = 10

_GRACE = 15
_LONGEST_QUEUE = 45
_LONGEST_START = 60


def application_timeout(deployment: Deployment) -> int:
    """Seconds until the application server gives a request up."""
    return deployment.request_timeout


def watched(deployment: Deployment) -> list[tuple[str, int]]:
    """What a process is told so that it looks after its threads itself (handlers/hanging.py); one
    thread alone is the server's to limit."""
    several = deployment.threads > 1
    return [(contract.TIMEOUT_KEY, application_timeout(deployment))] if several else []


def front_timeout(deployment: Deployment) -> int:
    """Seconds until a front gives the application server up: always later than that itself."""
    return application_timeout(deployment) + _GRACE


def queue_timeout(deployment: Deployment) -> int:
    """Seconds that a request may wait for its turn: less than the front waits for its answer."""
    return min(_LONGEST_QUEUE, front_timeout(deployment) * 3 // 5)


def reload_timeout(deployment: Deployment) -> int:
    """Seconds that running requests have when a worker is replaced: as many as they have anyway."""
    return application_timeout(deployment)


def start_timeout(deployment: Deployment) -> int:
    """Seconds until a worker that does not answer its own server is taken for dead; a new one has
    the whole project to load first."""
    return max(_LONGEST_START, application_timeout(deployment))


def shutdown_timeout(deployment: Deployment) -> int:
    """Seconds from the first word that a pod has to end until it is killed."""
    return DRAIN + reload_timeout(deployment) + _GRACE


def contradictions(sites: Iterable[SiteFacts], deployment: Deployment) -> list[str]:
    """What settings and choices say against each other, in numbers."""
    limit = deployment.body_limit
    return [
        f"{site.name}: DATA_UPLOAD_MAX_MEMORY_SIZE is {site.limits.upload_memory}, but the "
        f"server refuses bodies above {limit} bytes (--set body_limit=...)."
        for site in sites
        if site.limits.upload_memory and site.limits.upload_memory > limit
    ]
