"""What is emitted for reloads: units, rules for logs, and words where something is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.stack import resolve
from tests.cases import VERSIONS, site

DEPLOYMENT = Deployment(processes=2, server_version=(2, 4, 71), mod_wsgi_version=(6, 1))


def _files(
    target: str, gateway: str, app_server: str | None = None, **choices: object
) -> dict[str, str]:
    stack = resolve(target, gateway, app_server)
    plan = stack.plan([site()], replace(DEPLOYMENT, **choices), Path("/srv/shop/deploy"))
    return {one.filename: one.text for one in stack.render(plan)}


@pytest.mark.parametrize("app_server", ["granian", "gunicorn", "twisted", "uvicorn", "uwsgi"])
def test_every_application_server_reloads(app_server: str) -> None:
    """Each has its signal, under which a live test finds no request lost."""
    unit = _files("apache", "http", app_server)["systemd/django-shop.service"]
    assert "ExecReload=/bin/kill -s HUP $MAINPID\n" in unit


@pytest.mark.parametrize("gateway", ["fastcgi", "scgi"])
def test_flup_reloads(gateway: str) -> None:
    """Over both of its protocols."""
    unit = _files("apache", gateway, "flup")["systemd/django-shop.service"]
    assert "ExecReload=/bin/kill -s HUP $MAINPID\n" in unit


def test_a_single_uvicorn_is_restarted() -> None:
    """Without a second process there is none that replaces it: SIGHUP would end it."""
    unit = _files("apache", "http", "uvicorn", processes=1)["systemd/django-shop.service"]
    assert "ExecReload" not in unit


@pytest.mark.parametrize(
    ("gateway", "cuts"),
    [("mod_wsgi", True), ("fcgid", True), ("cgi", True), ("mod_wsgi-embedded", False)],
)
def test_rotation_does_not_end_processes(gateway: str, cuts: bool) -> None:
    """A reload of Apache would, within seconds, so that their logs are copied instead."""
    rules = _files("apache", gateway, log_directory=Path("/var/log/shop"))[
        "logrotate.d/django-shop"
    ]
    assert ("copytruncate" in rules, "apache2 reload" in rules) == (cuts, not cuts)


def _remarks(target: str, gateway: str) -> list[str]:
    stack = resolve(target, gateway)
    chosen = replace(DEPLOYMENT, server_version=VERSIONS.get(target, DEPLOYMENT.server_version))
    rendered = stack.render(stack.plan([site()], chosen, Path("/srv/shop/deploy")))
    return [remark for one in rendered for remark in one.needs.remarks]


def test_what_a_reload_of_apache_costs_is_said() -> None:
    """How new code is loaded, and what cuts requests off; other gateways need no such words."""
    first, second, *_ = _remarks("apache", "mod_wsgi")
    assert first.startswith("new code: touch /srv/shop/deploy/apache/shop_wsgi.py;")
    assert "more than three seconds" in second
    assert "more than eight seconds" in _remarks("apache", "fcgid")[0]
    assert "503" in _remarks("apache", "cgi")[0]
    assert all(remark.startswith("slow clients: ") for remark in _remarks("apache", "http"))


def test_lighttpd_waits_longer_than_by_itself_and_not_for_ever() -> None:
    """A request of eight seconds is not cut off; and nobody's slow download is a long outage."""
    chosen = replace(DEPLOYMENT, server_version=VERSIONS["lighttpd"])
    stack = resolve("lighttpd", "http")
    text = stack.render(stack.plan([site()], chosen, Path("/srv/shop/deploy")))[0].text
    assert '"server.graceful-shutdown-timeout" => 10,' in text


@pytest.mark.parametrize(
    ("target", "gateway", "bodies", "answers"),
    [
        ("apache", "mod_wsgi", True, True),
        ("apache", "mod_wsgi-embedded", True, False),
        ("apache", "cgi", True, False),
        ("apache", "http", False, True),
        ("apache", "fastcgi", False, True),
        ("apache", "fcgid", False, True),
        ("apache", "uwsgi", True, True),
        ("apache", "scgi", True, True),
        ("haproxy", "http", True, True),
        ("nginx", "http", False, False),
        ("lighttpd", "scgi", False, False),
    ],
)
def test_whom_slow_clients_hold_up_is_said(
    target: str, gateway: str, bodies: bool, answers: bool
) -> None:
    """As docs/howto/slow-clients has it: with what no setting was found to hold."""
    said = [remark for remark in _remarks(target, gateway) if remark.startswith("slow clients: ")]
    assert any("arrives slowly" in remark for remark in said) == bodies
    assert any("read slowly" in remark for remark in said) == answers
