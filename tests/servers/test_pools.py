"""Processes of their own for some URLs: who answers, who waits, and that both are told the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import harness, small_projects
from tests.servers.harness import Project, Response, Server
from tests.servers.stacks import Stack, apache, proxying

SETTINGS = """
MIDDLEWARE = ["django_deploykit.middleware.TrustedProxyMiddleware"]
DEPLOYKIT = {{
    "SITE": {{
        "ENVIRON": {{"REGION": "eu-north"}},
        "PREFIX": {prefix!r},
        "PROTECTED": {{"/reports/files/": {private!r}}},
        "POOLS": {{
            "/reports/": {{
                "name": "reports", "processes": 1, "threads": 1, "request_timeout": 90
            }},
        }},
    }},
}}
"""

URLS = """
import os
import time

from django.conf import settings
from django.http import JsonResponse
from django.urls import path, re_path
from django_deploykit.sendfile import sendfile


def seen(request):
    time.sleep(float(request.GET.get("seconds", 0)))
    told = ("REMOTE_ADDR", "REGION", "HTTP_X_FORWARDED_FOR", "HTTP_REMOTE_USER", "SCRIPT_NAME")
    return JsonResponse(
        {
            "pid": os.getpid(),
            "path": request.path_info,
            "told": [request.META.get(name) for name in told] + [request.get_host()],
        }
    )


def file(request):
    ((_, directory),) = settings.DEPLOYKIT["SITE"]["PROTECTED"].items()
    return sendfile(request, f"{directory}/file.txt")


urlpatterns = [path("reports/file/", file), re_path("", seen)]
"""

# What a client may write, below the prefix, to have a slow page from the quick processes.
SPELLINGS = [
    *("/reports", "/reports/", "/reports/x/", "/reports/?a=/../b", "/reports?", "/reports//x"),
    *("/", "/x/", "/reportsx", "/reportsx/", "/report/", "/x/reports/", "/x?/reports/"),
    *("/Reports/", "/REPORTS/", "/%72eports/", "/%52eports/", "/reports%2f", "/reports%2Fx/"),
    *("//reports/", "///reports", "/%2freports/", "/%2Freports/x", "/reports%5cx", "/reports\\x"),
    *(
        "/x/../reports/",
        "/reports/../x/",
        "/reports/../",
        "/reports/..",
        "/./reports/",
        "/reports/.",
    ),
    *(
        "/x/%2e%2e/reports/",
        "/reports/%2e%2e/x/",
        "/reports/.%2e/x",
        "/%2e/reports/",
        "/x/..%2freports/",
    ),
    *(
        "/reports%2f..%2fx",
        "/reports/%2e%2e%2fx",
        "/reports//../x",
        "/x//../reports/",
        "/reports/x/../",
    ),
    *("/reports/...", "/reports/..x/", "/reports/.x", "/reports/%252e%252e/x", "/%2572eports/"),
    *("/reports;a=b/", "/reports;/../x", "/reports/;x", "/reports%3fx", "/reports/%3f/../x"),
    *(
        "/reports%0a/",
        "/reports/%0a",
        "/reports/a%0ab/",
        "/%0areports/",
        "/reports%20/",
        "/reports+/",
    ),
    *(
        "/reports/%c3%a9",
        "/reports/%ff",
        "/reports%00/",
        "/reports#x",
        "/reports/#/../x",
        "/x#/../reports/",
    ),
]
