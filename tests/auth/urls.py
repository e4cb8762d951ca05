"""Auth endpoints of each kind."""

from __future__ import annotations

from typing import Any

from django.urls import path

from django_deploykit.views import AsyncAuthRequestView, AuthRequestView


def _policy(user: Any, request: Any) -> bool:
    seen.append((request.path, request.method, request.META["QUERY_STRING"]))
    return True


seen: list[Any] = []
POLICY = f"{__name__}.{_policy.__name__}"

urlpatterns = [
    path("nginx/", AuthRequestView.as_view()),
    path("nginx/staff/", AuthRequestView.as_view(policy="staff")),
    path("nginx/basic/", AuthRequestView.as_view(schemes=["basic"])),
    path("nginx/session/", AuthRequestView.as_view(schemes=["session"])),
    path("nginx/seen/", AuthRequestView.as_view(policy=POLICY)),
    path("forward/", AuthRequestView.as_view(dialect="forward")),
    path("forward/staff/", AuthRequestView.as_view(dialect="forward", policy="staff")),
    path("forward/basic/", AuthRequestView.as_view(dialect="forward", schemes=["basic"])),
    path(
        "forward/seen/",
        AuthRequestView.as_view(dialect="forward", policy=POLICY),
    ),
    path("async/", AsyncAuthRequestView.as_view()),
    path("async/staff/", AsyncAuthRequestView.as_view(policy="staff")),
]
