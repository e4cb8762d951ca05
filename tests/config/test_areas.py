"""Areas for Django's users: who writes them, and who refuses rather than leave them open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config import servers
from django_deploykit.config.facts import Area, Endpoint, Hosts, Mount, StaticFiles
from django_deploykit.config.stack import renderers, resolve
from django_deploykit.exceptions import ChoiceError
from tests.cases import DEPLOYMENT, DIRECTORY, site

AREA = Area(url="/files/", policy="staff", setting="AREA", directory=Path("/srv/files"))
GUARDED = site(areas=(AREA,), endpoints=(Endpoint(url="/auth/staff/", policy="staff"),))
NGINX = replace(DEPLOYMENT, server_version=(1, 22, 1))
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
        chosen = NGINX if target == "nginx" else DEPLOYMENT
        text = stack.render(stack.plan([GUARDED], chosen, DIRECTORY))[0].text
        assert "@staff" in text or "auth_request /auth/staff/" in text
        return
    with pytest.raises(ChoiceError, match=r"^AREA: target .* apache with 'mod_wsgi'"):
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


def test_passwords_over_plain_http_are_worth_a_warning() -> None:
    """And so are processes of another user, who cannot read what the site's user can."""
    stack = resolve("apache")
    plan = stack.plan([GUARDED], replace(DEPLOYMENT, user="shop"), DIRECTORY)
    warnings = " ".join(stack.render(plan)[0].warnings)
    assert "AREA: passwords for it come over plain HTTP" in warnings
    assert "not only 'shop' but Apache's user too" in warnings


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"endpoints": ()}, "path('auth/staff/', AuthRequestView.as_view(policy='staff'))"),
        ({"areas": (replace(AREA, directory=None),)}, "nginx guards files alone"),
    ],
)
def test_what_nginx_needs(facts: dict[str, Any], message: str) -> None:
    """It asks Django at a URL, and what Django answers it leaves to Django."""
    stack = resolve("nginx")
    plan = stack.plan([replace(GUARDED, **facts)], NGINX, DIRECTORY)
    with pytest.raises(ChoiceError) as error:
        stack.render(plan)
    assert message in str(error.value)


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
