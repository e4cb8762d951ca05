"""HealthView: what a balancer is told, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.handlers.base import BaseHandler
from django.db import Error, InterfaceError, OperationalError, connections
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from django_deploykit import health
from django_deploykit.views import HealthView

GET = RequestFactory().get("/health/")


def test_it_says_ok_and_asks_nobody() -> None:
    """200 without a database (which pytest-django forbids here), and for no cache."""
    answer = HealthView.as_view()(GET)
    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert answer["Cache-Control"] == "no-store"
    assert HealthView.as_view()(RequestFactory().post("/health/")).status_code == 405


@pytest.mark.django_db
def test_it_asks_a_database_that_is_named(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    """With one query, and no table of the project's."""
    with django_assert_num_queries(1):
        assert HealthView.as_view(database="default")(GET).status_code == 200


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_is_away_is_not_well(
    error: type[Error], monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, without a word of what is wrong; also where the driver finds it closed."""

    class Away:
        def cursor(self) -> None:
            raise error("could not connect to 10.0.0.9")

    monkeypatch.setattr(health, "connections", {"default": Away()})
    answer = HealthView.as_view(database="default")(GET)
    assert (answer.status_code, answer.content) == (503, b"unavailable\n")


@pytest.mark.parametrize("alias", ["default", "other"])
def test_no_transaction_comes_before_it(
    alias: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """With ATOMIC_REQUESTS, Django would ask every database (which is forbidden here) first."""
    chosen = {**connections.settings["default"], "ATOMIC_REQUESTS": True}
    for every in (settings.DATABASES, connections.settings):
        monkeypatch.setitem(every, alias, chosen)
    answer = BaseHandler().make_view_atomic(HealthView.as_view())(GET)
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_it_needs_no_login() -> None:
    """LoginRequiredMiddleware lets a balancer through."""
    assert HealthView.as_view().login_required is False
