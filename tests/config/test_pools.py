"""SITE["POOLS"]: what a whole stack writes for a pool, and which stacks refuse."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import Area, Endpoint, SiteFacts
from django_deploykit.config.registry import renderers
from django_deploykit.config.renderer import Rendered
from django_deploykit.config.stack import Stack, resolve
from django_deploykit.config.values import Address, Backend
from django_deploykit.exceptions import ChoiceError
from tests.cases import DEPLOYMENT, REPORTS, pool, site

SHOP = site(pools=(pool("/reports/", "reports", **REPORTS),))
NGINX = replace(DEPLOYMENT, server_version=(1, 22, 1))
# What calls no Python by itself, or only to read settings.
UNTOUCHED = ("apache-auth", "apache-envvars", "asgi", "authorizer", "dockerignore", "wsgi")
UNTOUCHED += ("environment-file", "kubernetes-migrate", "logrotate")

STACKS = [
    (target, gateway)
    for target, one in renderers().items()
    for gateway in one.gateways
    if target not in UNTOUCHED
]
POOLING = [(target, gateway) for target, one in renderers().items() for gateway in one.pooling]


def written(
    stack: Stack, facts: SiteFacts = SHOP, deployment: Deployment = NGINX
) -> dict[str, Rendered]:
    """The whole set, by file name."""
    plan = stack.plan([facts], deployment, Path("/srv/deploy"))
    return {one.filename: one for one in stack.render(plan)}


@pytest.mark.parametrize("app_server", ["gunicorn", "uwsgi", "twisted"])
def test_each_pool_has_an_application_server(app_server: str) -> None:
    """A file, a socket and a service of its own, and one script for all of them; each socket is the
    one that the front has."""
    files = written(resolve("nginx", "http", app_server))
    kinds = ("service", "socket") if app_server == "gunicorn" else ("service",)
    own = [f"systemd/django-shop{end}.{kind}" for kind in kinds for end in ("", "-reports")]
    assert set(own) == {name for name in files if name.startswith("systemd/")}
    first, second = (files[name] for name in sorted(files) if name.startswith(f"{app_server}/"))
    assert {"shop", "shop-reports"} == {
        Path(one.filename).stem.removesuffix(f"_{app_server}") for one in (first, second)
    }
    front = files["nginx/shop.conf"].text
    for text, name in ((first.text, "shop-reports"), (second.text, "shop")):
        found = [one for one in ("shop", "shop-reports") if f"/run/{one}/{one}.sock" in text]
        assert found == [name]
        assert front.count(f"unix:/run/{name}/{name}.sock") == 1
    assert [name for name in files if name.endswith("_wsgi.py")] == ["nginx/shop_wsgi.py"]


def test_what_is_left_out_is_as_for_the_site() -> None:
    """Sizes and seconds are the pool's where it says so."""
    facts = replace(SHOP, pools=(pool("/reports/", "reports", threads=1),))
    text = written(resolve("nginx", "uwsgi"), facts)["uwsgi/shop-reports.ini"].text
    assert "threads = 1\n" in text
    assert "processes = 2\n" in text
    assert "harakiri = 60\n" in text


@pytest.mark.parametrize(("app_server", "gateway"), [("gunicorn", "http"), ("uwsgi", "uwsgi")])
def test_each_says_when_a_request_hangs(app_server: str, gateway: str) -> None:
    """In its own file: the script is the same for all, and one thread alone is the server's."""
    pools = (pool("/reports/", "reports", request_timeout=300), pool("/one/", "one", threads=1))
    files = written(resolve("nginx", gateway, app_server), replace(SHOP, pools=pools))
    found = {
        Path(name).stem.removesuffix("_gunicorn"): re.findall(r"REQUEST_TIMEOUT=(\d+)", one.text)
        for name, one in files.items()
        if name.startswith(f"{app_server}/")
    }
    assert found == {"shop": ["60"], "shop-reports": ["300"], "shop-one": []}
    script = files["nginx/shop_wsgi.py"].text
    assert f"application = watched(application, server='{app_server}')\n" in script


def test_services_know_their_pool() -> None:
    """Its own command, and as much time to end as its requests have."""
    unit = written(resolve("nginx", "uwsgi"))["systemd/django-shop-reports.service"].text
    assert "Description=Django site shop-reports\n" in unit
    assert "/srv/deploy/uwsgi/shop-reports.ini" in unit
    assert "ReadWritePaths=/run/shop-reports\n" in unit
    assert "TimeoutStopSec=315\n" in unit
    lines = written(resolve("nginx", "uwsgi"))["tmpfiles.d/django-shop.conf"].text.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("d ")] == [
        "/run/shop",
        "/run/shop-reports",
    ]


def test_the_environment_file_is_the_sites() -> None:
    """Pools differ in sizes, and in no secret."""
    env = replace(SHOP.application, env_file=Path("/etc/shop.env"))
    files = written(resolve("nginx", "http"), replace(SHOP, application=env))
    assert [name for name in files if name.endswith(".env")] == ["environment/django-shop.env"]


def test_a_socket_is_never_shared() -> None:
    """That of the site is not that of a pool; two that are the same are refused."""
    chosen = replace(NGINX, socket=Path("/run/one.sock"))
    front = written(resolve("nginx", "http"), deployment=chosen)["nginx/shop.conf"].text
    assert "server unix:/run/one.sock " in front
    assert "server unix:/run/shop-reports/shop-reports.sock " in front
    same = replace(SHOP, pools=(pool("/reports/", "reports", socket=Path("/run/one.sock")),))
    for target in ("apache", "haproxy", "lighttpd", "nginx"):
        with pytest.raises(ChoiceError, match=r"pools cannot share '/run/one.sock'\. Leave it out"):
            written(resolve(target, "http"), same, replace(chosen, server_version=None))


@pytest.mark.parametrize(("target", "gateway"), STACKS)
def test_who_has_processes_to_give(target: str, gateway: str) -> None:
    """Whoever has none for a pool refuses the site, and says who has."""
    stack = resolve(target, gateway)
    if (target, gateway) in POOLING:
        stack.check(DEPLOYMENT, [SHOP])
        return
    with pytest.raises(ChoiceError) as refused:
        stack.check(DEPLOYMENT, [SHOP])
    said = str(refused.value)
    assert f"['/reports/']: target {target!r} with gateway {gateway!r} cannot give a URL" in said
    assert all(f"{front} with {through!r}" in said for front, through in POOLING)
    stack.check(DEPLOYMENT, [replace(SHOP, pools=())])


def test_who_has() -> None:
    """Every front, through whatever leads to processes that somebody else starts."""
    assert {target for target, _ in POOLING} == {"apache", "haproxy", "lighttpd", "nginx"}
    assert not {gateway for _, gateway in POOLING} & {"cgi", "fcgid", "mod_wsgi-embedded"}


@pytest.mark.parametrize("target", UNTOUCHED)
def test_what_has_nothing_to_do_with_them(target: str) -> None:
    """A script, or what else belongs to the whole site, is the same with pools."""
    resolve(target).check(DEPLOYMENT, [SHOP])


@pytest.mark.parametrize(
    ("target", "choices", "said"),
    [
        ("nginx", {"backends": (Backend(where=Path("/a")),)}, "backends: DEPLOYKIT.*has an appl"),
        ("nginx", {"static_lookup": "file"}, "static_lookup='file' is not possible: SITE..POOLS"),
        (
            "apache",
            {"vhost_path": "reports"},
            "shop has the URL '/reports/', which would be denied",
        ),
    ],
)
def test_choices_that_do_not_fit(target: str, choices: dict[str, Any], said: str) -> None:
    """They are refused with the reason."""
    facts = replace(SHOP, hosts=replace(SHOP.hosts, names=("example.com",)))
    deployment = replace(DEPLOYMENT, server_version=None, **choices)
    with pytest.raises(ChoiceError, match=said):
        written(resolve(target, "http"), facts, deployment)


def test_shared_processes_have_no_pools() -> None:
    """Sub-interpreters of several sites are in the same processes."""
    facts = [
        replace(SHOP, prefix="/shop"),
        site("blog", prefix="/blog", interpreter=SHOP.interpreter),
    ]
    stack = resolve("apache")
    plan = stack.plan(facts, replace(DEPLOYMENT, isolation="interpreters"), Path("/srv/deploy"))
    with pytest.raises(ChoiceError, match="isolation='interpreters': 'shop' has POOLS"):
        stack.render(plan)


def test_websockets_of_a_pool() -> None:
    """They lead to the pool as well, through the front that has a rule of its own for them."""
    facts = replace(SHOP, websockets=("/reports/live/", "/chat/"))
    stack = resolve("apache", "http", "uvicorn")
    text = written(stack, facts, replace(DEPLOYMENT, server_version=(2, 4, 71)))[
        "apache/shop.conf"
    ].text
    passed = [line.split() for line in text.splitlines() if line.startswith("    ProxyPass /")]
    found = {
        words[1]: ("shop-reports.sock" in words[2], "upgrade=websocket" in words)
        for words in passed
    }
    assert found == {
        "/static/": (False, False),
        "/": (False, False),
        "/chat/": (False, True),
        "/reports": (True, False),
        "/reports/live/": (True, True),
    }


def test_an_endpoint_in_a_pool() -> None:
    """nginx asks those processes who answer at the endpoint's URL."""
    facts = replace(
        SHOP,
        areas=(Area(url="/files/", policy="active", setting="A", directory=Path("/srv/files")),),
        endpoints=(Endpoint(url="/reports/auth/", policy="active"),),
    )
    text = written(resolve("nginx", "http"), facts)["nginx/shop.conf"].text
    _, _, inside = text.partition("location = /reports/auth/ {")
    assert inside.split()[:3] == ["internal;", "proxy_pass", "http://deploykit_shop-reports;"]


def test_a_chroot_is_told_of_each() -> None:
    """The way out of it is a port, stated where the pool is."""
    warned = written(resolve("haproxy"), deployment=replace(DEPLOYMENT, server_version=(2, 6)))
    first, second = (text for text in warned["haproxy/shop.cfg"].warnings if "chroot" in text)
    assert "'/run/shop/shop.sock'. Take it out there, or use TCP: --set socket=" in first
    assert f"TCP: {SHOP.pools[0].setting}['socket'] = '127.0.0.1:8001'." in second


@pytest.mark.parametrize("group", ["%{GLOBAL}", "%{RESOURCE}", "shop"])
def test_no_pool_is_loaded_where_no_request_is_answered(group: str) -> None:
    """mod_wsgi takes %{RESOURCE} for the name of an interpreter that nobody asks."""
    deployment = replace(DEPLOYMENT, application_group=group)
    said = written(resolve("apache"), deployment=deployment)["apache/shop.conf"].text
    assert ("WSGIImportScript" in said) is (group != "%{RESOURCE}")


def test_addresses_of_pools() -> None:
    """A port is stated with the pool, and with nothing else."""
    facts = replace(SHOP, pools=(pool("/reports/", "reports", socket=Address("127.0.0.1", 9001)),))
    files = written(resolve("nginx", "http"), facts)
    assert "server 127.0.0.1:9001 " in files["nginx/shop.conf"].text
    assert "ListenStream=127.0.0.1:9001" in files["systemd/django-shop-reports.socket"].text
    assert 'bind = ["127.0.0.1:9001"]' in files["gunicorn/shop-reports_gunicorn.py"].text.replace(
        "'", '"'
    )


@pytest.mark.parametrize(("target", "gateway"), [("apache", "mod_wsgi"), ("nginx", "http")])
def test_a_pool_is_called_as_nobody_else(target: str, gateway: str) -> None:
    """Another site may have the name that the processes of a pool would get."""
    shop = replace(SHOP, prefix="/shop", pools=(pool("/shop/reports/", "reports"),))
    sites = [shop, site("shop-reports", prefix="/blog")]
    said = "'name' is 'reports', and the processes of another site or pool are called 'shop-report"
    with pytest.raises(ChoiceError, match=said):
        resolve(target, gateway, sites=sites).plan(sites, NGINX)
