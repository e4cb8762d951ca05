"""``manage.py deployexplain``."""

from __future__ import annotations

import io
import signal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from django_deploykit.management.choices import MISTAKE
from tests.projects import start_project

SECTION = {
    "TRUSTED": ["10.0.0.0/8"],
    "HEADERS": ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Prefix"],
    "VHOST": {"MARKER": "vhost"},
}


def explain(*args: str) -> str:
    out = io.StringIO()
    call_command("deployexplain", *args, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def configured(settings: Any) -> None:
    settings.DEPLOYKIT = {"PROXY": SECTION}


def test_each_decision_has_its_reason() -> None:
    """Peer, client, scheme, host, prefix and path, in this order, and what was removed."""
    said = explain(
        *("--peer", "10.0.0.1", "--header", "X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.0.0.2"),
        *("--header", "X-Forwarded-Proto: https", "--header", "Host: example.com"),
        *("--header", "X-Forwarded-Prefix: /app", "--header", "Remote-User: admin", "/page"),
    )
    assert said.splitlines() == [
        "trusted: yes",
        "peer: 10.0.0.1 (its address is in 10.0.0.0/8)",
        "client: 203.0.113.9 (entry 2 from the right)",
        "scheme: https (the proxy says so)",
        "host: example.com (nobody trusted says otherwise)",
        "prefix: /app (the proxy says so)",
        "through: 10.0.0.1, 10.0.0.2",
        "path: /app/page",
        "removed: Remote-User: 'admin'",
        "removed: X-Forwarded-For: '1.1.1.1, 203.0.113.9, 10.0.0.2'",
        "removed: X-Forwarded-Prefix: '/app'",
        "removed: X-Forwarded-Proto: 'https'",
    ]


def test_a_stranger_is_not_believed() -> None:
    """It says so, and what the connection has."""
    said = explain("--peer", "203.0.113.9", "--header", "X-Forwarded-For: 1.1.1.1")
    assert said.startswith(
        "trusted: no\npeer: 203.0.113.9 (DEPLOYKIT['PROXY'] does not name this peer)\n"
    )
    assert "client: 203.0.113.9 (it is the peer)" in said


def test_a_refusal_has_its_reason() -> None:
    """A request that is not answered is shown with the status and why."""
    said = explain("--peer", "10.0.0.1", "--header", "X-Forwarded-Proto: ftp")
    assert said == "answer: 400 Bad Request (the scheme 'ftp' is neither http nor https)\n"
    said = explain("/vhost/http/real.example/")
    assert said == "answer: 404 Not Found (only a trusted proxy may name a virtual host)\n"


def test_the_stack_can_be_named(settings: Any) -> None:
    """Without PROXY, what an emitted stack would believe."""
    settings.DEPLOYKIT = {}
    headers = "--header", "X-Forwarded-For: 1.1.1.1", "--header", "X-Forwarded-Proto: https"
    assert "client: 1.1.1.1" in explain("--peer", "unix", "--stack", "nginx/http", *headers)
    assert "trusted: no" in explain("--peer", "unix", *headers)
    said = explain("--peer", "192.0.2.1", "--stack", "apache/mod_wsgi", *headers)
    assert "peer: 192.0.2.1 (a gateway hands over what it knows)" in said
    assert "client: 192.0.2.1 (it is the peer)" in said


def test_a_gateway_beside_others(settings: Any) -> None:
    """Who else is trusted is asked about as servers show it: by its socket, with all it said."""
    section = {"HEADERS": ["X-Forwarded-For"]}
    settings.DEPLOYKIT = {"PROXY": {"TRUSTED": ["gateway", "unix"], **section}}
    said = explain("--peer", "unix", "--header", "X-Forwarded-For: 203.0.113.9")
    assert "peer: a unix socket (it came over a unix socket)" in said
    assert "client: 203.0.113.9 (entry 1 from the right)" in said
    settings.DEPLOYKIT = {"PROXY": {"TRUSTED": ["gateway", "10.0.0.0/8"], **section}}
    headers = [f"--header=X-Forwarded-For: {one}" for one in ("203.0.113.9", "10.0.0.2")]
    said = explain("--peer", "10.0.0.1", *headers)
    assert "client: 203.0.113.9 (entry 2 from the right)" in said
    settings.DEPLOYKIT = {"PROXY": {"TRUSTED": ["gateway"], **section}}
    assert "(a gateway hands over what it knows)" in explain("--peer", "unix")


@pytest.mark.parametrize("header", ["X-Forwarded-For", ": x", "X-Name: \xe9"])
def test_what_is_no_header_is_a_mistake(header: str) -> None:
    """A header has a name and a value."""
    with pytest.raises(CommandError, match="--header") as raised:
        explain("--header", header)
    assert raised.value.returncode == MISTAKE


def test_bad_settings_are_a_mistake(settings: Any) -> None:
    """Half a policy explains nothing."""
    settings.DEPLOYKIT = {"PROXY": {"TRUSTED": ["*"]}}
    with pytest.raises(CommandError, match="TRUSTED") as raised:
        explain()
    assert raised.value.returncode == MISTAKE


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["page"], "path: 'page' does not begin with a slash."),
        (["--peer", "foo"], "--peer: 'foo' is neither an IP address nor 'unix'."),
        (["--stack", "nginx/htp"], "unknown stack 'nginx/htp'. Did you mean 'nginx/http'?"),
    ],
)
def test_what_cannot_be_is_not_explained(args: list[str], said: str) -> None:
    """A typing mistake gets no answer that looks like one."""
    with pytest.raises(CommandError) as error:
        explain(*args)
    assert said in str(error.value)
    assert error.value.returncode == MISTAKE


@pytest.mark.parametrize("command", [["deployexplain", "/"], ["deployauth", "alice"]])
def test_a_pipe_that_nobody_reads(command: list[str], tmp_path: Path) -> None:
    """Whoever has read enough ends the command without a word."""
    project = start_project(tmp_path / "shop")
    assert project.manage("migrate", "-v0").returncode == 0
    who = {"DJANGO_SUPERUSER_PASSWORD": "a password"}
    words = ("createsuperuser", "--no-input", "--username=alice", "--email=a@example.com")
    assert project.manage(*words, **who).returncode == 0
    done = project.manage_unread(*command)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
