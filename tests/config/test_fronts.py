"""Where a front may look for files at any URL, and what no front can be told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import Hosts, Mount, SecurityHeaders, SiteFacts, StaticFiles
from django_deploykit.config.fronts import exempt_patterns, files_root, groups
from django_deploykit.config.registry import renderers
from django_deploykit.config.servers.nginx import NginxRenderer
from django_deploykit.config.stack import Stack
from django_deploykit.config.values import Address
from django_deploykit.exceptions import ChoiceError
from tests.cases import TLS, Case, site

PUBLIC = Path("/srv/www")


def mount(url: str, directory: Path, setting: str = "STATIC_ROOT") -> Mount:
    return Mount(url=url, directory=directory, setting=setting)


def public_site(prefix: str = "", name: str = "shop", **facts: Any) -> SiteFacts:
    """A site whose static files lie at the paths of their URLs, away from its code."""
    url = f"{prefix}/static/"
    static = StaticFiles(mounts=(mount(url, PUBLIC / url.strip("/")),))
    return site(name, prefix=prefix, static=static, **facts)


def root(*sites: SiteFacts, **choices: Any) -> Path:
    plan = Case(sites=sites).plan(NginxRenderer)
    return files_root(replace(plan, deployment=replace(plan.deployment, **choices)), sites[0])


@pytest.mark.parametrize("prefix", ["", "/app", "/a/b"])
def test_the_root_lies_above_the_static_files(prefix: str) -> None:
    """As far above STATIC_ROOT as the root of the host lies above STATIC_URL."""
    assert root(public_site(prefix)) == PUBLIC


def test_several_mounts_have_one_root() -> None:
    """Each of them lies at the path of its own URL."""
    mounts = mount("/static/", PUBLIC / "static"), mount("/assets/", PUBLIC / "assets")
    assert root(site(static=StaticFiles(mounts=mounts))) == PUBLIC
    elsewhere = (mounts[0], mount("/assets/", Path("/srv/other/assets")))
    with pytest.raises(ChoiceError, match="below one directory for all static files"):
        root(site(static=StaticFiles(mounts=elsewhere)))


@pytest.mark.parametrize(
    ("url", "directory"),
    [
        ("/static/", "/srv/www/assets"),
        ("/app/static/", "/srv/www/static"),
        ("/static/", "/static"),
        ("/", "/srv/www"),
    ],
)
def test_a_directory_that_is_not_called_like_its_url(url: str, directory: str) -> None:
    """It could not be found by its URL; and the root of the disk is never looked into."""
    facts = site(static=StaticFiles(mounts=(mount(url, Path(directory)),)))
    with pytest.raises(
        ChoiceError, match=f"STATIC_ROOT {directory!r} would have to end in {url!r}"
    ):
        root(facts)


PRIVATE: dict[str, dict[str, Any]] = {
    "protected files": {"protected": (mount("/p/", PUBLIC / "p", "PROTECTED"),)},
    "the database": {"databases": (PUBLIC / "db.sqlite3",)},
    "the key of the certificate": {"tls": replace(TLS, key=PUBLIC / "key.pem")},
    "uploaded files": {"media": mount("/media/", PUBLIC / "uploads", "MEDIA_ROOT")},
    "uploaded files that are not public": {"closed_uploads": PUBLIC / "media"},
    "a cache": {"caches": (PUBLIC / "cache",)},
    "what LOGGING has written": {"writes": (("LOGGING", PUBLIC / "log"),)},
}


@pytest.mark.parametrize(("what", "facts"), PRIVATE.items(), ids=str)
def test_nothing_private_is_looked_into(what: str, facts: dict[str, Any]) -> None:
    """A file that is not for everybody may not lie where files are looked for."""
    with pytest.raises(ChoiceError, match=f"'/srv/www' holds {what}"):
        root(public_site(**facts))


def test_neither_code_nor_its_secrets_are_looked_into() -> None:
    """The project itself, its interpreter, its environment file."""
    facts = public_site()
    code = replace(facts.application, root=PUBLIC, env_file=PUBLIC / ".env")
    with pytest.raises(ChoiceError, match=r"the application's code.*the environment file"):
        root(replace(facts, application=code))
    code = replace(facts.application, elsewhere=(PUBLIC / "blog",))
    with pytest.raises(ChoiceError, match=r"the application's code \('/srv/www/blog'\)"):
        root(replace(facts, application=code))
    with pytest.raises(ChoiceError, match="the interpreter"):
        root(facts, python_home=PUBLIC / "venv")


def test_no_log_of_the_server_is_looked_into() -> None:
    """Nor is what a choice puts there."""
    with pytest.raises(ChoiceError, match=r"'/srv/www' holds the server's logs"):
        root(public_site(), log_directory=PUBLIC / "log")


@pytest.mark.parametrize("facts", PRIVATE.values(), ids=PRIVATE)
def test_a_prefix_is_a_fence(facts: dict[str, Any]) -> None:
    """Only what lies below the prefix can be reached."""
    assert root(public_site("/app", **facts)) == PUBLIC


def test_uploads_at_their_own_url_are_served_there() -> None:
    """The location of uploads, with its headers, comes before any lookup."""
    media = mount("/media/", PUBLIC / "media", "MEDIA_ROOT")
    passing = (("FILE_UPLOAD_TEMP_DIR", PUBLIC / "media" / "new"),)
    assert root(public_site(media=media, writes=passing)) == PUBLIC


def test_a_neighbours_files_are_private_too() -> None:
    """Under another name nothing keeps its uploads apart."""
    media = mount("/media/", PUBLIC / "media", "MEDIA_ROOT")
    hosts = Hosts(names=("blog.example.com",))
    with pytest.raises(ChoiceError, match="holds uploaded files"):
        root(public_site(), site("blog", hosts=hosts, media=media))
    with pytest.raises(ChoiceError, match="holds the database"):
        root(public_site(), site("blog", prefix="/blog", databases=(PUBLIC / "blog.sqlite3",)))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"static": None}, "there are no static files"),
        ({"routes": ("/app/",)}, "already say which URLs are files"),
        ({"documents": Path("/srv/old")}, "already say which URLs are files"),
    ],
)
def test_nothing_to_look_for(facts: dict[str, Any], reason: str) -> None:
    """Where something else decides, the choice is refused with the reason."""
    with pytest.raises(ChoiceError, match=reason):
        root(replace(public_site(), **facts))


def test_sites_of_one_host_say_one_thing_about_https() -> None:
    """A browser keeps one such header for a host. Two that differ are refused with both; a site
    without one leaves it to its neighbour."""
    said = {"a": "max-age=60", "b": "max-age=3600; includeSubDomains", "c": None}
    sites = {
        name: site(name, prefix=f"/{name}", tls=TLS, headers=SecurityHeaders(hsts=value))
        for name, value in said.items()
    }
    with pytest.raises(ChoiceError, match=r"SECURE_HSTS_SECONDS: 'a' has .*60', 'b' has .*3600;"):
        groups((sites["a"], sites["b"]))
    assert len(groups((sites["a"], sites["c"]))) == 1


@pytest.mark.parametrize("target", ["apache", "nginx", "lighttpd", "haproxy"])
@pytest.mark.parametrize(
    ("listen", "tls_listen"),
    [
        (Address("127.0.0.1", 8443), Address("127.0.0.1", 8443)),
        (Address("", 8443), Address("127.0.0.1", 8443)),
        (Address("127.0.0.1", 443), Address("", 443)),
    ],
)
def test_no_address_speaks_http_and_https(
    target: str, listen: Address, tls_listen: Address
) -> None:
    """An address that is in both choices is refused, where there is TLS."""
    deployment = Deployment(listen=(listen,), tls_listen=(Address("::1", 1), tls_listen))
    stack = Stack(renderers()[target], "http")
    with pytest.raises(ChoiceError, match=r"listen and tls_listen: .*443"):
        stack.check(deployment, [site(tls=TLS)])
    stack.check(deployment, [site()])


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?x)^health/$ # ours", "is a verbose pattern"),
        ("(?a)^health/$", "a flag that only Python knows"),
        ("^(?iu:health)/$", "a flag that only Python knows"),
    ],
)
def test_exempt_paths_that_no_server_can_read(pattern: str, reason: str) -> None:
    """A front searches with PCRE: it would not start, or look for something else."""
    secure = site(tls=TLS, redirect_exempt=(pattern,))
    with pytest.raises(ChoiceError, match=reason):
        exempt_patterns(secure, groups((secure,))[0])


@pytest.mark.parametrize("pattern", [r"^a\(?u", "(?i)^health/$", "^(?P<name>health)/$"])
def test_exempt_paths_that_servers_can_read(pattern: str) -> None:
    """Text that looks like a flag, and flags that PCRE has too."""
    secure = site(tls=TLS, redirect_exempt=(pattern,))
    assert len(exempt_patterns(secure, groups((secure,))[0])) == 1
