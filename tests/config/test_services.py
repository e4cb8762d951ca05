"""What the services of a stack say, by what the site and its deployment are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import Interpreter, SiteFacts
from django_deploykit.config.registry import renderers
from django_deploykit.config.renderer import Rendered
from django_deploykit.config.stack import resolve
from django_deploykit.config.values import Address
from django_deploykit.exceptions import ChoiceError
from tests.cases import CASES, DEPLOYMENT, MEDIA, VERSIONS, site

NGINX = replace(DEPLOYMENT, server_version=(1, 22, 1))


def rendered(
    facts: SiteFacts, deployment: Deployment = NGINX, app_server: str = "uwsgi", target: str = ""
) -> dict[str, Rendered]:
    """The services of a written stack, by file name."""
    stack = resolve("nginx", "http", app_server) if not target else resolve(target)
    found = stack.services(stack.plan([facts], deployment, Path("/srv/deploy")))
    return {Path(one.filename).name: one for one in (service.render() for service in found)}


def unit(facts: SiteFacts, deployment: Deployment = NGINX, app_server: str = "uwsgi") -> list[str]:
    return rendered(facts, deployment, app_server)["django-shop.service"].text.splitlines()


def test_every_file_is_written_once() -> None:
    """What belongs to a stack depends on what its application server can do."""
    assert set(rendered(site())) == {"django-shop.service", "django-shop.conf"}
    assert set(rendered(site(), app_server="gunicorn")) == {
        "django-shop.service",
        "django-shop.socket",
    }


def test_writable_directories_come_from_facts() -> None:
    """Uploads, the database's directory, and the socket's: nothing else."""
    facts = site(media=MEDIA, databases=(Path("/srv/shop/data/db.sqlite3"),))
    lines = [line for line in unit(facts) if line.startswith("ReadWritePaths")]
    assert lines == [
        "ReadWritePaths=/srv/shop/media",
        "ReadWritePaths=/srv/shop/data",
        "ReadWritePaths=/run/shop",
    ]


def test_uploads_are_written_whoever_may_read_them() -> None:
    """What the front does not serve is stored all the same, and only once where a view sends it."""
    private = replace(MEDIA, directory=Path("/srv/shop/private"))
    for facts in (site(), site(protected=(private,))):
        lines = unit(replace(facts, closed_uploads=private.directory))
        assert lines.count("ReadWritePaths=/srv/shop/private") == 1


def test_what_other_storages_keep_is_written_too() -> None:
    assert "ReadWritePaths=/srv/shop/invoices" in unit(site(stored=(Path("/srv/shop/invoices"),)))


def test_over_tcp_there_is_no_directory() -> None:
    """An address needs neither a directory nor a line for one."""
    deployment = replace(NGINX, socket=Address("127.0.0.1", 9000))
    assert not [line for line in unit(site(), deployment) if line.startswith("ReadWritePaths")]
    assert set(rendered(site(), deployment)) == {"django-shop.service"}


def test_a_chosen_socket_lies_in_the_operators_directory() -> None:
    """It is written to, and not made."""
    deployment = replace(NGINX, socket=Path("/srv/sockets/shop.sock"))
    assert "ReadWritePaths=/srv/sockets" in unit(site(), deployment)
    assert set(rendered(site(), deployment)) == {"django-shop.service"}


@pytest.mark.parametrize(
    ("user", "group", "lines"),
    [
        ("", "", ["User=www-data", "Group=www-data", "UMask=0027"]),
        ("shop", "www-data", ["User=shop", "Group=www-data", "UMask=0027"]),
        ("shop", "", ["User=shop", "UMask=0022"]),
    ],
)
def test_the_front_can_read_uploads(user: str, group: str, lines: list[str]) -> None:
    """By its group, or, where the service is not in it, as everybody else."""
    found = unit(site(), replace(NGINX, user=user, group=group))
    assert [line for line in found if line.startswith(("User=", "Group=", "UMask="))] == lines


@pytest.mark.parametrize(
    ("facts", "mode"),
    [
        (site(), "yes"),
        (site(root="/home/anna/shop"), "read-only"),
        (
            site(
                interpreter=Interpreter(
                    prefix=Path("/srv/venv"),
                    packages=Path("/srv/venv/lib/python3.11/site-packages"),
                    version=(3, 11),
                    base=Path("/root/.local/share/uv/python/cpython-3.11"),
                )
            ),
            "read-only",
        ),
    ],
)
def test_homes_are_hidden_unless_the_site_lies_there(facts: SiteFacts, mode: str) -> None:
    """Its Python counts: what a virtual environment was made from may lie in a home."""
    assert f"ProtectHome={mode}" in unit(facts)


def test_a_project_in_tmp_is_warned_of() -> None:
    """The service has a /tmp of its own, and would not see it."""
    found = rendered(site(root="/tmp/shop"))["django-shop.service"]
    assert any("'/tmp/shop' is hidden from the service" in text for text in found.warnings)


def test_the_time_to_stop_is_longer_than_a_request() -> None:
    """A request that may run is not killed by the manager."""
    assert "TimeoutStopSec=215" in unit(site(), replace(NGINX, request_timeout=200))


def test_alone_it_needs_no_privilege_for_port_80() -> None:
    """systemd listens, so gunicorn is never root. On one socket for both, a client of IPv4 would be
    called ``::ffff:192.0.2.1``, which no list of addresses has."""
    socket = rendered(site(), target="gunicorn")["django-shop.socket"].text
    both = "ListenStream=0.0.0.0:80\nListenStream=[::]:80\nBindIPv6Only=ipv6-only\n"
    assert both in socket
    assert "SocketGroup" not in socket


def test_a_stated_address_is_the_only_one() -> None:
    """Nothing is said of the other protocol."""
    deployment = replace(NGINX, listen=(Address("::1", 8080),))
    socket = rendered(site(), deployment, target="gunicorn")["django-shop.socket"].text
    assert "ListenStream=[::1]:8080\nBacklog=" in socket


@pytest.mark.parametrize("target", ["systemd-service", "systemd-socket"])
def test_a_unit_alone_is_for_one_site(target: str) -> None:
    """Several have one each, which only a written set can hold."""
    renderer = renderers()[target]
    with pytest.raises(ChoiceError, match="have a unit each"):
        renderer(CASES["interpreters"].plan(renderer)).render()


@pytest.mark.parametrize("target", ["systemd-service", "systemd-socket"])
def test_a_unit_needs_something_to_run(target: str) -> None:
    """Where a front runs Python itself, there is no unit."""
    renderer = renderers()[target]
    plan = replace(CASES["minimal"].plan(renderer), service=None)
    with pytest.raises(ChoiceError, match="no application server"):
        renderer(plan).render()


def test_a_socket_is_only_for_a_server_that_takes_one() -> None:
    """uWSGI makes its own."""
    stack = resolve("systemd-socket", "http", "uwsgi")
    plan = stack.plan([site()], DEPLOYMENT)
    with pytest.raises(ChoiceError, match="makes its socket itself"):
        stack.render(plan)


def test_a_service_alone_is_its_application_servers() -> None:
    """It names the stack that this application server is by itself."""
    stack = resolve("systemd-service", "uwsgi")
    (text,) = [one.text for one in stack.render(stack.plan([site()], DEPLOYMENT))]
    assert "Environment=DEPLOYKIT_STACK=uwsgi/uwsgi" in text
    assert "pyuwsgi --ini /srv/shop/deploy/uwsgi/shop.ini" in text


def test_the_environment_file_has_no_value() -> None:
    """The emitted template is comments only, closed to the world, and so is the real file."""
    facts = site()
    facts = replace(facts, application=replace(facts.application, env_file=Path("/srv/my env")))
    found = rendered(facts)["django-shop.env"]
    assert all(line.startswith("#") for line in found.text.splitlines())
    assert found.mode == 0o640
    assert found.needs.steps == ("chgrp www-data '/srv/my env' && chmod 0640 '/srv/my env'",)
    assert "EnvironmentFile=/srv/my env" in unit(facts)


@pytest.mark.parametrize(("target", "group"), [("nginx", "www-data"), ("haproxy", "haproxy")])
@pytest.mark.parametrize("app_server", ["gunicorn", "uvicorn"])
def test_the_front_is_let_in_by_its_own_group(target: str, group: str, app_server: str) -> None:
    """HAProxy is in no group but its own, and Debian's is not that of the other fronts."""
    stack = resolve(target, "http", app_server)
    deployment = replace(DEPLOYMENT, server_version=VERSIONS[target])
    plan = stack.plan([site()], deployment, Path("/srv/deploy"))
    found = [service.render() for service in stack.services(plan)]
    text = "".join(one.text for one in found)
    if app_server == "gunicorn":
        assert f"SocketUser=www-data\nSocketGroup={group}\n" in text
    else:
        assert f"d /run/shop 2750 www-data {group} -" in text
    assert "User=www-data\nGroup=www-data\n" in text  # The application stays what it was.


NETWORK = Address("10.0.0.5", 8000)
ONLINE = ["Wants=network-online.target", "After=network-online.target"]


@pytest.mark.parametrize(
    ("address", "waits"),
    [
        (NETWORK, True),
        (Address("2001:db8::5", 8000), True),
        (Address("127.0.0.1", 8000), False),
        (Address("::1", 8000), False),
        (Address("", 8000), False),
        (Address("0.0.0.0", 8000), False),  # noqa: S104 - what may be chosen
    ],
)
def test_an_address_of_the_network_may_come_later(address: Address, waits: bool) -> None:
    """Sockets are made long before a network is up; a server that makes its own waits for it."""
    deployment = replace(NGINX, socket=address)
    units = rendered(site(), deployment, "gunicorn")
    assert ("FreeBind=yes" in units["django-shop.socket"].text) == waits
    assert "online" not in units["django-shop.service"].text
    own = unit(site(), deployment, "uwsgi")
    assert [line for line in own if "online" in line] == (ONLINE if waits else [])


def test_alone_on_an_address_of_the_network() -> None:
    """The same where clients ask the application server itself."""
    deployment = replace(NGINX, listen=(Address("127.0.0.1", 80), NETWORK))
    assert (
        "FreeBind=yes" in rendered(site(), deployment, target="gunicorn")["django-shop.socket"].text
    )


def _elsewhere(path: str) -> SiteFacts:
    facts = site()
    return replace(facts, application=replace(facts.application, elsewhere=(Path(path),)))


def test_code_elsewhere_is_seen() -> None:
    """An application that is installed editable, say, is part of the site."""
    assert "ProtectHome=read-only" in unit(_elsewhere("/home/anna/libs/shoplib"))
    warned = rendered(_elsewhere("/tmp/shoplib"))["django-shop.service"].warnings
    assert any("'/tmp/shoplib' is hidden from the service" in text for text in warned)


def test_a_socket_in_a_home_is_reached() -> None:
    """Where the service makes it; systemd's own is made outside of the sandbox."""
    deployment = replace(NGINX, socket=Path("/home/shop/run/shop.sock"))
    lines = unit(site(), deployment)
    assert {"ReadWritePaths=/home/shop/run", "ProtectHome=read-only"} <= set(lines)
    assert "ProtectHome=yes" in unit(site(), deployment, "gunicorn")


@pytest.mark.parametrize("app_server", ["uwsgi", "gunicorn"])
def test_a_socket_in_tmp_is_warned_of(app_server: str) -> None:
    """Service and front each have a /tmp of their own, and do not meet."""
    deployment = replace(NGINX, socket=Path("/tmp/shop.sock"))
    found = rendered(site(), deployment, app_server)["django-shop.service"].warnings
    assert [text for text in found if text.startswith("shop: socket: '/tmp/shop.sock':")]


def test_caches_in_files_are_writable() -> None:
    """Django makes their directories, but may not here, so they are among what is needed; one
    below /tmp is the service's own, and may not be named: it is not there."""
    caches = (Path("/srv/shop/cache"), Path("/var/tmp/cache"))
    found = rendered(site(caches=caches))["django-shop.service"]
    lines = [line for line in found.text.splitlines() if line.startswith("ReadWritePaths")]
    assert lines == ["ReadWritePaths=/srv/shop/cache", "ReadWritePaths=/run/shop"]
    needed = {one.path: one for one in found.needs.access}
    assert needed[caches[0]].write
    assert needed[caches[0]].private
    assert found.warnings == ()


def test_a_cache_in_a_place_that_is_written_anyway() -> None:
    """Django makes its directory there; a unit that named it would not start before."""
    caches = (Path("/srv/shop/db/cache"), Path("/dev/shm/shop"))
    facts = site(
        caches=caches,
        databases=(Path("/srv/shop/db/db.sqlite3"),),
        writes=(("FILE_UPLOAD_TEMP_DIR", Path("/dev/shm")),),
    )
    found = rendered(facts)["django-shop.service"]
    assert "cache" not in found.text
    assert found.warnings == ()


def test_what_the_sandbox_refuses_is_warned_of() -> None:
    """A log or a place for uploads on their way that cannot be written, and modes that may not be
    set; nothing of what works."""
    facts = site(
        media=MEDIA,
        writes=(
            ("LOGGING", Path("/var/log/shop")),
            ("LOGGING", Path("/srv/shop/media/logs")),
            ("FILE_UPLOAD_TEMP_DIR", Path("/var/tmp")),
            ("FILE_UPLOAD_TEMP_DIR", Path("/srv/tmp")),
        ),
        special_modes=("FILE_UPLOAD_DIRECTORY_PERMISSIONS",),
    )
    found = rendered(facts)["django-shop.service"].warnings
    assert [text.split(": ")[1] for text in found] == [
        "LOGGING",
        "FILE_UPLOAD_TEMP_DIR",
        "FILE_UPLOAD_DIRECTORY_PERMISSIONS",
    ]
    assert "django-shop.service may not write to '/var/log/shop'" in found[0]
