"""From a target's name to what is rendered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config.appservers.granian import GranianRenderer
from django_deploykit.config.facts import SiteFacts, StaticFiles
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import ApacheRenderer
from django_deploykit.config.stack import resolve
from django_deploykit.config.values import Address, Backend
from django_deploykit.exceptions import CannotRun, ChoiceError
from tests.cases import CASES, DEPLOYMENT, DIRECTORY, WHITENOISE, Case, site

# No version of a server is asked for here.
NGINX = replace(DEPLOYMENT, server_version=(1, 22, 1))


def apache(case: Case) -> Plan:
    return case.plan(ApacheRenderer)


def test_the_first_gateway_is_the_default() -> None:
    """A target alone is enough; the label names both parts of the stack."""
    assert resolve("apache").label == "apache/mod_wsgi"
    assert resolve("apache", "mod_wsgi-embedded").label == "apache/mod_wsgi-embedded"


@pytest.mark.parametrize(
    ("target", "gateway", "message"),
    [
        ("apahce", None, r"unknown target 'apahce'\. Did you mean 'apache'\? Allowed: apache,"),
        ("apache", "modwsgi", r"target 'apache': unknown gateway 'modwsgi'\. Did you mean"),
        ("wsgi", "http", r"target 'wsgi': unknown gateway 'http'\. Allowed: script\."),
    ],
)
def test_unknown_names_are_answered_with_the_known(
    target: str, gateway: str | None, message: str
) -> None:
    """A name that does not exist is refused with what was probably meant, and what there is."""
    with pytest.raises(ChoiceError, match=message):
        resolve(target, gateway)


def test_a_printed_text_comes_alone() -> None:
    """Without a directory nothing else is rendered."""
    stack = resolve("apache")
    assert [one.filename for one in stack.render(apache(CASES["minimal"]))] == ["apache/shop.conf"]


def test_a_written_set_is_complete() -> None:
    """With a directory every site's script and the server's environment come along."""
    written = resolve("apache").render(apache(CASES["two_sites"]))
    assert [one.filename for one in written] == [
        "apache/sites.conf",
        "apache/shop_wsgi.py",
        "apache/blog_wsgi.py",
        "apache/intranet_wsgi.py",
        "apache/envvars",
    ]


def test_companions_belong_to_the_stack_that_was_chosen() -> None:
    """A script tells the runtime the stack it was written for, not its own target."""
    script = resolve("apache").render(apache(CASES["tls"]))[1]
    assert "stack='apache/mod_wsgi'" in script.text


def test_named_versions_are_kept() -> None:
    """What is installed here fills only what nobody named."""
    plan = resolve("apache").plan([site()], DEPLOYMENT)
    assert plan.deployment.server_version == (2, 4, 71)
    assert plan.deployment.mod_wsgi_version == (4, 9, 4)
    assert plan.deployment.openssl_version == (3, 0, 19)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Path("/srv/shop/shop/wsgi.py")),
        ({"directory": DIRECTORY}, DIRECTORY / "apache/shop_wsgi.py"),
        ({"stands_alone": True}, Path("/srv/shop/deploy/apache/shop_wsgi.py")),
        ({"sites": (site(), site("blog"))}, Path("/srv/shop/deploy/apache/shop_wsgi.py")),
    ],
)
def test_the_script_that_is_loaded(changes: dict[str, object], expected: Path) -> None:
    """The project's own wsgi.py serves where it does as well as an emitted one."""
    plan = replace(apache(CASES["minimal"]), **changes)
    assert plan.script(plan.sites[0]) == expected


@pytest.mark.parametrize("prefix", ["/shop", ""])
@pytest.mark.parametrize("known", [True, False])
def test_an_unknown_prefix_needs_the_emitted_script(known: bool, prefix: str) -> None:
    """Settings may not know it: without FORCE_SCRIPT_NAME, or where SITES takes it away."""
    facts = site(prefix=prefix, prefix_is_known=known)
    plan = apache(replace(CASES["minimal"], sites=(facts,)))
    assert plan.uses_emitted_script(facts) is not known


def test_longer_urls_come_first() -> None:
    """Static mounts are ordered so that none hides another."""
    facts = site()
    plan = apache(replace(CASES["admin_alias"], sites=(facts,)))
    assert [mount.url for mount in plan.static_mounts(facts)] == ["/static/admin/", "/static/"]


def test_admin_static_replaces_a_mount_of_the_same_url() -> None:
    """A project without STATIC_ROOT already serves the admin from its package: once."""
    facts = site()
    assert facts.static
    assert facts.admin_static
    static = StaticFiles(mounts=(facts.admin_static, *facts.static.mounts))
    plan = apache(replace(CASES["admin_alias"], sites=(replace(facts, static=static),)))
    assert len(plan.static_mounts(plan.sites[0])) == 2


def test_admin_static_by_alias_needs_plain_names() -> None:
    """Hashed names exist only in STATIC_ROOT, so the alias would break every page."""
    facts = site(static=WHITENOISE)
    with pytest.raises(ChoiceError, match="which only collectstatic makes"):
        apache(replace(CASES["admin_alias"], sites=(facts,))).static_mounts(facts)


def test_a_script_does_not_run_by_itself() -> None:
    """A target that is no server says so."""
    stack = resolve("wsgi")
    with pytest.raises(CannotRun, match="'wsgi' is not something that runs by itself"):
        stack.renderer(CASES["minimal"].plan(stack.renderer)).foreground(DIRECTORY, None)


def _only_asgi() -> SiteFacts:
    facts = site()
    return replace(facts, application=replace(facts.application, wsgi=None))


@pytest.mark.parametrize(
    ("sites", "expected"),
    [
        ([], "gunicorn"),
        ([site()], "gunicorn"),
        ([site(websockets=("/ws/",))], "uvicorn"),
        ([_only_asgi()], "uvicorn"),
        ([site(), site("chat", websockets=("/",))], "uvicorn"),
    ],
)
def test_the_application_server_fits_the_sites(sites: list[SiteFacts], expected: str) -> None:
    """WSGI is the default; websockets, or nothing but ASGI, ask for a server of ASGI."""
    app_server = resolve("nginx", sites=sites).app_server
    assert app_server
    assert app_server.name == expected
    assert resolve("nginx", "http", "granian", sites=sites).app_server is GranianRenderer


def test_a_gateway_without_asgi_keeps_its_application_server() -> None:
    """Over uwsgi there is no ASGI: the websockets are warned of, not the gateway changed."""
    stack = resolve("nginx", "uwsgi", sites=[site(websockets=("/ws/",))])
    assert stack.app_server
    assert stack.app_server.name == "uwsgi"
    warnings = stack.renderer(stack.plan([site(websockets=("/ws/",))], NGINX)).render().warnings
    assert [text for text in warnings if "its websockets (/ws/) do not get through" in text]


@pytest.mark.parametrize(
    ("app_server", "expected"),
    [("granian", "asgi"), ("gunicorn", "wsgi"), ("uvicorn", "asgi"), ("uwsgi", "wsgi")],
)
def test_the_entry_script_is_of_the_servers_kind(app_server: str, expected: str) -> None:
    """ASGI or WSGI as the application server calls it, and in front of it what it believes."""
    stack = resolve("nginx", "http", app_server)
    script = stack.render(stack.plan([site()], NGINX, DIRECTORY))[2]
    assert script.filename == f"nginx/shop_{expected}.py"
    assert "behind_front(" in script.text


@pytest.mark.parametrize("target", ["granian", "uvicorn", "uwsgi"])
def test_what_stands_behind_a_front_believes_it(target: str) -> None:
    """Asked for alone, an application server still gets the script that belongs to a front."""
    stack = resolve(target, "http")
    text, script = stack.render(stack.plan([site()], NGINX, DIRECTORY), services=False)
    assert "behind_front(" in script.text
    assert str(DIRECTORY / script.filename).removesuffix(".py").rpartition("/")[0] in text.text


@pytest.mark.parametrize("target", ["apache", "lighttpd", "nginx"])
def test_a_front_refuses_what_it_cannot_call(target: str) -> None:
    """A site with ASGI alone is no site for a WSGI server, and the message says what is."""
    stack = resolve(target, "http", "gunicorn")
    with pytest.raises(ChoiceError, match="--app-server uvicorn"):
        stack.renderer(stack.plan([_only_asgi()], NGINX)).render()


BACKENDS = (Backend(where=Address("10.0.0.5", 8000)), Backend(where=Address("10.0.0.6", 8000)))


def _names(target: str, **choices: Any) -> set[str]:
    stack, deployment = resolve(target), replace(NGINX, backends=BACKENDS, **choices)
    rendered = stack.render(stack.plan([site()], deployment, DIRECTORY))
    return {one.filename.partition("/")[0] for one in rendered}


def test_an_application_server_elsewhere_is_not_written() -> None:
    """A host writes its own alone: the one at ``socket``, if that is among the backends."""
    assert _names("nginx") == {"nginx"}
    own = _names("nginx", socket=BACKENDS[1].where)
    assert {"nginx", "gunicorn", "systemd"} <= own


@pytest.mark.parametrize(
    ("target", "gateway"),
    [("apache", "mod_wsgi"), ("apache", "fcgid"), ("apache", "cgi"), ("lighttpd", "cgi")],
)
def test_a_gateway_without_a_choice_refuses_backends(target: str, gateway: str) -> None:
    """Where the server itself starts Python, there is nothing to spread; the message says where."""
    with pytest.raises(ChoiceError, match=r"no application server to choose.*nginx with 'http'"):
        resolve(target, gateway).plan([site()], replace(DEPLOYMENT, backends=BACKENDS))


def test_an_application_server_knows_no_backends() -> None:
    """The same settings serve the host of the front and those behind it."""
    assert resolve("uwsgi").plan([site()], replace(DEPLOYMENT, backends=BACKENDS))


def test_nobody_is_bound_to_the_only_one() -> None:
    """A cookie that says nothing is not set in silence."""
    with pytest.raises(ChoiceError, match="sticky: there is one application server"):
        resolve("nginx").plan([site()], replace(NGINX, sticky=True))


@pytest.mark.parametrize("target", ["apache", "lighttpd", "nginx"])
def test_who_cannot_ask_for_health_says_so(target: str) -> None:
    """The message names who can."""
    with pytest.raises(ChoiceError, match=r"health: .*These can: haproxy"):
        resolve(target, "http").plan([site()], replace(DEPLOYMENT, health="/health/"))
