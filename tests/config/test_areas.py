"""Areas for Django's users: who writes them, and who refuses rather than leave them open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from django_deploykit import contract
from django_deploykit.config import servers
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import Area, Endpoint, Hosts, Mount, StaticFiles, Tls
from django_deploykit.config.registry import renderers
from django_deploykit.config.stack import resolve
from django_deploykit.config.values import Address
from django_deploykit.exceptions import ChoiceError
from tests.cases import DEPLOYMENT, DIRECTORY, site

AREA = Area(url="/files/", policy="staff", setting="AREA", directory=Path("/srv/files"))
GUARDED = site(areas=(AREA,), endpoints=(Endpoint(url="/auth/staff/", policy="staff"),))
TLS = Tls(certificate=Path("/c.pem"), key=Path("/k.pem"), acme_webroot=Path("/acme"))
NGINX = replace(DEPLOYMENT, server_version=(1, 22, 1))
LIGHTTPD = replace(DEPLOYMENT, server_version=(1, 4, 69))
ANSWERING = [
    (name, gateway)
    for name, one in renderers().items()
    for gateway in one.gateways
    if one.__module__.startswith(servers.__name__) or one.stands_alone
]


@pytest.mark.parametrize(("target", "gateway"), ANSWERING)
def test_guarded_or_refused(target: str, gateway: str) -> None:
    """Whoever answers clients either writes the guard, or nothing at all."""
    stack = resolve(target, gateway)
    if gateway in renderers()[target].guards:
        versions = {"nginx": NGINX, "lighttpd": LIGHTTPD}
        chosen = versions.get(target, DEPLOYMENT)
        text = stack.render(stack.plan([GUARDED], chosen, DIRECTORY))[0].text
        guards = ("@staff", "auth_request /auth/staff/", "=staff", '"DEPLOYKIT_POLICY" => "staff"')
        assert any(guard in text for guard in guards)
        return
    with pytest.raises(ChoiceError, match=r"^AREA: target .* can: apache, lighttpd, nginx\.$"):
        stack.plan([GUARDED], DEPLOYMENT, DIRECTORY)


def test_the_script_is_written_beside() -> None:
    """A written stack holds the auth script of each site with areas, and of no other."""
    stack = resolve("apache")
    blog = site("blog", prefix="/blog")
    written = stack.render(stack.plan([GUARDED, blog], DEPLOYMENT, DIRECTORY))
    names = [one.filename for one in written if one.filename.endswith("_auth.py")]
    assert names == ["apache/shop_auth.py"]
    script = f"{DIRECTORY}/apache/shop_auth.py"
    assert f'WSGIAuthUserScript {script} application-group="%{{GLOBAL}}"' in written[0].text
    assert script in {str(access.path) for access in written[0].needs.access}


def refusal(*sites: object, **choices: object) -> str:
    stack = resolve("apache")
    plan = stack.plan(sites, replace(DEPLOYMENT, **choices), DIRECTORY)  # type: ignore[arg-type]
    with pytest.raises(ChoiceError) as error:
        stack.render(plan)
    return str(error.value)


def test_apache_22_has_no_such_rules() -> None:
    """Its ``Require`` lines cannot be put together so that all have to hold."""
    assert "Apache 2.2" in refusal(GUARDED, server_version=(2, 2))


def test_two_sites_have_interpreters_of_their_own() -> None:
    """The scripts of both run in each process of Apache; neither sees the users of the other."""
    other = site("blog", hosts=Hosts(names=("blog.example.com",)), areas=(AREA,))
    other = replace(other, interpreter=GUARDED.interpreter)
    stack = resolve("apache")
    text = stack.render(stack.plan([GUARDED, other], DEPLOYMENT, DIRECTORY))[0].text
    assert 'shop_auth.py application-group="shop"' in text
    assert 'blog_auth.py application-group="blog"' in text
    assert text.count("WSGIPythonHome") == 1


def test_two_sites_that_cannot_share_processes() -> None:
    """Two environments, or the secrets of one: refused."""
    other = site("blog", hosts=Hosts(names=("blog.example.com",)), areas=(AREA,))
    assert "one virtual environment" in refusal(GUARDED, other)
    application = replace(GUARDED.application, env_file=Path("/srv/.env"))
    secret = replace(other, interpreter=GUARDED.interpreter, application=application)
    assert "secrets" in refusal(GUARDED, secret)


def test_an_area_ends_where_another_site_begins() -> None:
    """The other site has other users."""
    whole = site(areas=(replace(AREA, url="/", directory=None),))
    assert "'blog' lies in this area of 'shop'" in refusal(whole, site("blog", prefix="/blog"))


@pytest.mark.parametrize(
    ("target", "chosen"),
    [("apache", DEPLOYMENT), ("nginx", NGINX), ("lighttpd", LIGHTTPD)],
    ids=["apache", "nginx", "lighttpd"],
)
def test_passwords_over_plain_http_are_worth_a_warning(target: str, chosen: Deployment) -> None:
    """Behind every front, once for a site; not where the site has TLS, or no area."""
    stack = resolve(target, "http")
    secure = replace(GUARDED, tls=TLS)
    for one, number in ((GUARDED, 1), (secure, 0), (site(), 0)):
        warnings = stack.render(stack.plan([one], chosen, DIRECTORY))[0].warnings
        assert len([line for line in warnings if "over plain HTTP" in line]) == number


def test_processes_of_another_user_are_worth_a_warning() -> None:
    """Who cannot read what the site's user can."""
    stack = resolve("apache")
    plan = stack.plan([GUARDED], replace(DEPLOYMENT, user="shop"), DIRECTORY)
    warnings = " ".join(stack.render(plan)[0].warnings)
    assert "AREA: Apache's own processes" in warnings
    assert "not only 'shop' but Apache's user too" in warnings


def written(target: str, *sites: object, **choices: Any) -> dict[str, str]:
    """The files of a written stack behind HTTP, by name."""
    stack, usual = (
        resolve(target, "http"),
        {"lighttpd": LIGHTTPD, "nginx": NGINX}.get(target, DEPLOYMENT),
    )
    plan = stack.plan(sites, replace(usual, **choices), DIRECTORY)  # type: ignore[arg-type]
    return {one.filename: one.text for one in stack.render(plan)}


def test_a_written_stack_holds_its_authorizer() -> None:
    """The program, how it is run, and where it meets the front: over TCP, or at a socket that only
    the front may connect to. systemd holds both, so that nobody else ever listens there."""
    over_tcp, over_socket = written("apache", GUARDED), written("lighttpd", GUARDED)
    program, unit = "shop_authorizer.py", "systemd/authorizer-shop.service"
    held = "systemd/authorizer-shop.socket"
    where = "/run/shop-authorizer/shop.sock"
    assert "fcgi://127.0.0.1:9010/" in over_tcp["apache/shop.conf"]
    assert "bind='127.0.0.1:9010'" in over_tcp[f"apache/{program}"]
    assert f'"socket" => "{where}"' in over_socket["lighttpd/shop.conf"]
    assert f"bind='{where}'" in over_socket[f"lighttpd/{program}"]
    assert "ListenStream=127.0.0.1:9010\n" in over_tcp[held]
    assert f"ListenStream={where}\nBacklog=" in over_socket[held]
    assert "SocketGroup=www-data\nSocketMode=0660\n" in over_socket[held]
    for files, front in ((over_tcp, "apache"), (over_socket, "lighttpd")):
        lines = files[unit].splitlines()
        start = next(line for line in lines if line.startswith("ExecStart="))
        assert start.replace(chr(34), "").endswith(f"bin/python {DIRECTORY}/{front}/{program}")
        assert {"NoNewPrivileges=yes", "Requires=authorizer-shop.socket"} < set(lines)
        # Uploads and sockets of the application are none of its business.
        assert not [line for line in lines if line.startswith("ReadWrite")]


def test_without_areas_there_is_no_authorizer() -> None:
    """Neither beside mod_wsgi, which asks Django itself."""
    assert not [name for name in written("apache", site()) if "authorizer" in name]
    stack = resolve("apache", "mod_wsgi")
    plan = stack.plan([GUARDED], DEPLOYMENT, DIRECTORY)
    assert not [one.filename for one in stack.render(plan) if "authorizer" in one.filename]


def test_each_site_has_an_authorizer_of_its_own() -> None:
    """Its users are others; where ports have to be told apart, they follow one another."""
    blog = site("blog", hosts=Hosts(names=("blog.example.com",)), areas=(AREA,))
    files = written("apache", GUARDED, blog)
    assert "authn django-shop fcgi://127.0.0.1:9010/" in files["apache/sites.conf"]
    assert "authn django-blog fcgi://127.0.0.1:9011/" in files["apache/sites.conf"]
    assert "'blog.settings'" in files["apache/blog_authorizer.py"]
    assert "9011" in files["apache/blog_authorizer.py"]
    assert {"systemd/authorizer-blog.service", "systemd/authorizer-shop.service"} < set(files)


def test_where_an_authorizer_is_may_be_chosen() -> None:
    """An address of this host, or for lighttpd and nginx a path."""
    chosen = Address("127.0.0.2", 9999)
    assert (
        "fcgi://127.0.0.2:9999/"
        in written("apache", GUARDED, authorizer=chosen)["apache/shop.conf"]
    )
    files = written("lighttpd", GUARDED, authorizer=Path("/srv/sockets/auth.sock"))
    assert '"socket" => "/srv/sockets/auth.sock"' in files["lighttpd/shop.conf"]
    assert "ListenStream=/srv/sockets/auth.sock" in files["systemd/authorizer-shop.socket"]


@pytest.mark.parametrize(
    ("target", "authorizer", "sites", "message"),
    [
        ("apache", Path("/run/a.sock"), 1, "Apache asks over TCP alone"),
        ("apache", Address("192.0.2.1", 9010), 1, "passwords would cross the network"),
        ("lighttpd", Address("192.0.2.1", 9010), 1, "passwords would cross the network"),
        ("lighttpd", Path("/run/a.sock"), 2, "several sites cannot share one"),
    ],
)
def test_where_no_authorizer_can_be(target: str, authorizer: Any, sites: int, message: str) -> None:
    """A front that cannot reach it would refuse everybody."""
    blog = site("blog", hosts=Hosts(names=("blog.example.com",)), areas=(AREA,))
    with pytest.raises(ChoiceError, match=f"^authorizer: .*{message}"):
        written(target, *(GUARDED, blog)[:sites], authorizer=authorizer)


def test_an_apache_that_cannot_ask() -> None:
    """The authorizer would not see passwords."""
    with pytest.raises(ChoiceError, match=r"^AREA: needs Apache 2\.4\.13 with gateway 'http'"):
        written("apache", GUARDED, server_version=(2, 4, 12))


def test_lighttpd_guards_files_alone() -> None:
    """Which of its modules takes a request depends on the order in which they were loaded."""
    with pytest.raises(ChoiceError, match="lighttpd guards files alone"):
        written("lighttpd", site(areas=(replace(AREA, directory=None),)))


@pytest.mark.parametrize(
    ("facts", "choices"),
    [
        ({"endpoints": ()}, {}),
        ({"areas": (AREA, replace(AREA, url="/press/", policy="press"))}, {}),
        ({}, {"authorizer": Path(contract.authorizer_path("shop"))}),
    ],
    ids=["no endpoint", "one too few", "chosen"],
)
def test_nginx_asks_an_authorizer(facts: dict[str, Any], choices: dict[str, Any]) -> None:
    """Where Django has no endpoint for one of the policies, or where it is wanted."""
    files = written("nginx", replace(GUARDED, **facts), **choices)
    text = files["nginx/shop.conf"]
    assert "auth_request /.deploykit-auth/staff;" in text
    assert "location = /.deploykit-auth/staff {\n        internal;" in text
    assert "server unix:/run/shop-authorizer/shop.sock max_fails=0;" in text
    assert 'fastcgi_param HTTP_REMOTE_USER "" if_not_empty;' in text
    assert "HTTP_AUTHORIZATION" not in text  # It goes to the authorizer as it came.
    assert {"nginx/shop_authorizer.py", "systemd/authorizer-shop.socket"} < set(files)


def test_nginx_asks_django_where_it_can() -> None:
    """An endpoint for each policy is enough, and then nothing else has to run."""
    files = written("nginx", GUARDED)
    assert "auth_request /auth/staff/;" in files["nginx/shop.conf"]
    assert not [name for name in files if "authorizer" in name]


def test_a_question_is_no_websocket() -> None:
    """It is asked about a request that may be one, of a site that takes some at any URL."""
    facts = replace(GUARDED, websockets=("/",))
    stack = resolve("nginx", "http", "uvicorn")
    text = stack.render(stack.plan([facts], NGINX, DIRECTORY))[0].text
    asked = text.partition("location = /auth/staff/ {")[2].partition("\n    }")[0]
    assert "proxy_set_header Connection close;" in asked
    assert "Upgrade" not in asked


def test_an_exempt_path_opens_no_endpoint() -> None:
    """nginx asks over TLS; a client that says which URL it means would get an answer."""
    exempt = replace(GUARDED, tls=TLS, redirect_exempt=("^auth/",))
    plain = written("nginx", exempt)["nginx/shop.conf"].partition("# The site:")[0]
    assert "location = /auth/staff/ {\n        return 404;" in plain
    chosen = {"authorizer": Path(contract.authorizer_path("shop"))}
    plain = written("nginx", exempt, **chosen)["nginx/shop.conf"].partition("# The site:")[0]
    assert "location = /" not in plain  # Nobody asks there, and Django answers whom it will.


def test_nginx_guards_files_alone() -> None:
    """What Django answers it leaves to Django."""
    with pytest.raises(ChoiceError, match="nginx guards files alone"):
        written("nginx", replace(GUARDED, areas=(replace(AREA, directory=None),)))


def test_nginx_looks_up_no_guarded_file() -> None:
    """A lookup of files at any URL would find those of an area."""
    inside = replace(AREA, directory=Path("/srv/www/files"))
    static = StaticFiles(
        mounts=(Mount(url="/static/", directory=Path("/srv/www/static"), setting="STATIC_ROOT"),)
    )
    stack = resolve("nginx")
    chosen = replace(NGINX, static_lookup="file")
    plan = stack.plan([replace(GUARDED, areas=(inside,), static=static)], chosen, DIRECTORY)
    with pytest.raises(ChoiceError, match="holds guarded files"):
        stack.render(plan)


def _apache_areas() -> list[tuple[str, list[str]]]:
    """Every <Location> of the golden files that asks for a group, with the blocks around it."""
    found = []
    for path in sorted((Path(__file__).parents[1] / "golden/apache").glob("areas*.conf")):
        within: list[str] = []
        for line in map(str.strip, path.read_text().splitlines()):
            if line.startswith("</"):
                within.pop()
            elif line.startswith("<"):
                within.append(line)
            elif line.startswith("Require ") and any("<Location " in one for one in within):
                found.append((line, [*within]))
    return found


def test_r40_all_rules_of_an_area_have_to_hold() -> None:
    """Side by side, one would be enough. Groups are mod_wsgi's, not mod_authz_groupfile's."""
    found = [(line, within) for line, within in _apache_areas() if "all denied" not in line]
    assert {line.split()[1] for line, _ in found} == {"valid-user", "wsgi-group", "expr"}
    assert all(within[-1] == "<RequireAll>" for _, within in found)
    text = written("apache", GUARDED)["apache/shop.conf"]
    assert "AuthzSendForbiddenOnFailure On" in text
