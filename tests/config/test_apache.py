"""Apache: what its golden files cannot say, and the real server's opinion of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from django_deploykit.config.access import group_name, server_account
from django_deploykit.config.facts import Area, Hosts, Limits, SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Access, Needs
from django_deploykit.config.servers.apache import ApacheRenderer, installed
from django_deploykit.config.servers.apache.dialect import dialect
from django_deploykit.config.servers.apache.private import _listen as listen_privately
from django_deploykit.config.syntax.nodes import Block, Directive
from django_deploykit.config.syntax.printer import print_lines
from django_deploykit.config.values import Address
from django_deploykit.exceptions import ChoiceError, UnrepresentableValue
from django_deploykit.run.validate import validate
from tests.cases import CASES, DEPLOYMENT, MEDIA, TLS, WHITENOISE, Case, produced, site
from tests.servers import harness

ACCEPTED = [name for name in CASES if produced("apache", name)[0] == ".conf"]
# httpd 2.4 understands the 2.2 syntax, but for this line, which it no longer needs.
_OLD_SYNTAX = re.compile(r"AH00548: NameVirtualHost has no effect .*\n")


@dataclass(frozen=True)
class Certificate:
    """A certificate and key for example.com, and a directory for everything else."""

    certificate: Path
    key: Path
    directory: Path


def plan(*sites: SiteFacts, gateway: str = "", **choices: Any) -> Plan:
    deployment = replace(DEPLOYMENT, **choices)
    return Case(sites=sites, deployment=deployment, gateway=gateway).plan(ApacheRenderer)


def text(*sites: SiteFacts, gateway: str = "", **choices: Any) -> str:
    return ApacheRenderer(plan(*sites, gateway=gateway, **choices)).render().text


def needs(*sites: SiteFacts, **choices: Any) -> Needs:
    return ApacheRenderer(plan(*sites, **choices)).render().needs


def arguments(name: str, *sites: SiteFacts, **choices: Any) -> list[tuple[object, ...]]:
    """The arguments of every directive of that name."""
    lines = ApacheRenderer(plan(*sites, **choices)).render().lines
    nodes = [line.node for line in lines if isinstance(line.node, Directive)]
    return [node.args for node in nodes if node.name == name]


# The real server


@pytest.fixture(scope="module")
def certificate() -> Iterator[Certificate]:
    """A throw-away certificate: httpd reads it even when it only checks."""
    with harness.public_directory() as directory:
        files = Certificate(directory / "cert.pem", directory / "key.pem", directory)
        issued = trustme.CA().issue_cert("example.com")
        issued.private_key_pem.write_to_path(str(files.key))
        issued.cert_chain_pems[0].write_to_path(str(files.certificate))
        yield files


def _local(case: Case, files: Certificate) -> Case:
    """The case with what httpd looks up even when it only checks: accounts, files, a module."""
    deployment, user = case.deployment, server_account() or ""
    if deployment.user:
        deployment = replace(deployment, user=user, group=group_name(user))
    if deployment.mod_wsgi_module:
        harness.require("mod_wsgi from the package index", installed.package_module())
        deployment = replace(deployment, mod_wsgi_module=installed.package_module())
    else:
        harness.require("the distribution's mod_wsgi", installed.distribution_module())
    sites = tuple(_local_site(facts, files, deployment.mod_wsgi_module) for facts in case.sites)
    return replace(case, sites=sites, deployment=deployment)


def _local_site(facts: SiteFacts, files: Certificate, module: Path | None) -> SiteFacts:
    python = installed.module_facts(module)[1] or facts.interpreter.version
    return replace(
        facts,
        interpreter=replace(facts.interpreter, version=python[:2]),
        tls=facts.tls and replace(facts.tls, certificate=files.certificate, key=files.key),
        documents=facts.documents and files.directory,
    )


@pytest.mark.server
@pytest.mark.parametrize("name", ACCEPTED)
def test_apache_accepts(name: str, certificate: Certificate) -> None:
    """``apache2 -t`` takes a golden case without a word of warning."""
    harness.require_apache()
    case = _local(CASES[name], certificate)
    said = validate(case.stack(ApacheRenderer), case.plan(ApacheRenderer))
    if case.deployment.server_version == (2, 2):
        said = _OLD_SYNTAX.sub("", said)
    assert said == "Syntax OK\n"


# What else must be true on the host


def test_modules_follow_the_text() -> None:
    """Exactly the modules whose directives are used are asked for."""
    plain = {"alias", "authz_core", "dir", "env", "headers", "mime", "reqtimeout", "wsgi"}
    assert set(needs(site()).modules) == plain
    assert set(needs(site(static=WHITENOISE)).modules) == plain | {"rewrite"}
    assert set(needs(site(tls=TLS)).modules) == plain | {"ssl", "socache_shmcb"}
    every = site(tls=TLS, hosts=Hosts(names=(".example.com",)))
    assert set(needs(every).modules) == plain | {"rewrite", "ssl", "socache_shmcb"}


def test_a_named_module_replaces_the_distributions() -> None:
    """With mod_wsgi from elsewhere, neither the distribution's package nor its module is asked."""
    named = needs(site(), mod_wsgi_module=Path("/srv/mod_wsgi.so"))
    assert "wsgi" not in named.modules
    assert named.packages == ("apache2",)


def test_access_names_every_path_that_is_read() -> None:
    """The permission walk covers the code, the interpreter, the script and every file served."""
    found = needs(site(media=MEDIA)).access
    assert Access(Path("/srv/shop/media"), "uploaded files", write=True) in found
    assert [access.path for access in found if not access.write] == [
        Path("/srv/shop"),
        Path("/srv/shop/venv/bin/python"),
        Path("/etc/deploykit/apache/shop_wsgi.py"),
        Path("/srv/shop/static"),
    ]


@pytest.mark.parametrize(("choice", "verb"), [("symlink", "ln -s"), ("copy", "cp -R")])
def test_admin_static_is_a_step(choice: str, verb: str) -> None:
    """What the text takes for granted is said as a command."""
    (step,) = needs(site(), admin_static=choice).steps
    assert step.startswith(verb)
    assert step.endswith("/django/contrib/admin/static/admin /srv/shop/static/admin")


def test_a_small_body_limit_is_said() -> None:
    """Django's own limit above the server's can never be reached."""
    facts = site(limits=Limits(upload_memory=200 * 1024**2))
    (warning,) = ApacheRenderer(plan(facts)).render().warnings
    assert "DATA_UPLOAD_MAX_MEMORY_SIZE" in warning
    assert "body_limit" in warning


def test_sub_interpreters_have_a_price() -> None:
    """Shared processes are not for every C extension, and the operator is told."""
    warnings = ApacheRenderer(CASES["interpreters"].plan(ApacheRenderer)).render().warnings
    assert [text for text in warnings if "C extensions" in text]


# Refusals


def _two(**facts: Any) -> list[SiteFacts]:
    shared = CASES["interpreters"].sites[0].interpreter
    return [
        site("shop", prefix="/shop", interpreter=shared),
        site("blog", **{"prefix": "/blog", "interpreter": shared, **facts}),
    ]


@pytest.mark.parametrize(
    ("sites", "options", "message"),
    [
        (_two(), {"gateway": "mod_wsgi-embedded"}, "several sites in one process"),
        (_two(prefix="/weblog"), {"isolation": "interpreters"}, "'/blog', not '/weblog'"),
        (
            _two(interpreter=site("blog").interpreter),
            {"isolation": "interpreters"},
            "virtual environments of their own",
        ),
        (_two(tls=TLS), {}, r"the same hosts need the same SITE\['TLS'\]"),
        ([site(root="/srv/a:b")], {}, "'/srv/a:b', and mod_wsgi takes ':'"),
    ],
)
def test_what_cannot_work_is_refused(
    sites: list[SiteFacts], options: dict[str, Any], message: str
) -> None:
    """A stack that would serve the wrong site, or none, is not written."""
    with pytest.raises(ChoiceError, match=message):
        text(*sites, **options)


def test_python_home_is_an_environment_for_all() -> None:
    """Sites that share processes may come from different environments if one is named."""
    sites = _two(interpreter=site("blog").interpreter)
    assert 'python-home="/srv/all"' in text(
        *sites, isolation="interpreters", python_home=Path("/srv/all")
    )


@pytest.mark.parametrize(
    ("facts", "setting"),
    [
        (site(media=replace(MEDIA, directory=Path("/srv/a\nb"))), "MEDIA_ROOT"),
        (site(media=replace(MEDIA, directory=Path("/srv/${HOME}"))), "MEDIA_ROOT"),
        (site(media=replace(MEDIA, directory=Path("/srv/[ab]*"))), "MEDIA_ROOT"),
        (site(environ=(("KEY", "a\0b"),)), r"DEPLOYKIT\['SITE'\]\['ENVIRON'\]\['KEY'\]"),
        (
            site(documents=Path("/srv/a\rb"), routes=("/app/",)),
            r"DEPLOYKIT\['SITE'\]\['DOCUMENTS'\]",
        ),
        (site(tls=replace(TLS, key=Path("/srv/\udcff"))), r"DEPLOYKIT\['SITE'\]\['TLS'\]"),
    ],
)
def test_hostile_values_are_refused_by_name(facts: SiteFacts, setting: str) -> None:
    """A value that httpd would read differently is refused with the setting it came from."""
    with pytest.raises(UnrepresentableValue, match=f"from {setting}.* cannot be written"):
        text(facts)


def test_a_blank_would_end_the_command_of_mod_fcgid() -> None:
    """It would start the program that is called like the beginning."""
    written = replace(plan(site(), gateway="fcgid"), directory=Path("/srv/a b"))
    with pytest.raises(UnrepresentableValue, match=r"'/srv/a b/flup/shop\.fcgi' from --output"):
        ApacheRenderer(written).render()


# Versions


@pytest.mark.parametrize(
    ("choices", "present", "absent"),
    [
        ({"mod_wsgi_version": (4, 9, 4)}, "shutdown-timeout", "interrupt-timeout"),
        ({"mod_wsgi_version": (6, 1)}, "interrupt-timeout", "SSLCertificateChainFile"),
        ({"mod_wsgi_version": None}, "shutdown-timeout", "interrupt-timeout"),
        ({"openssl_version": (3, 5)}, "X25519MLKEM768:X25519:", "Curves X25519:"),
        ({"openssl_version": None}, "Curves X25519:", "MLKEM"),
        ({"server_version": (2, 4)}, "SSLSessionTickets", "SSLCertificateChainFile"),
        ({"server_version": (2, 4, 7)}, "SSLCertificateChainFile", "SSLSessionTickets"),
        ({"server_version": (2, 4, 9)}, "Content-Security-Policy", "expr="),
        ({"server_version": (2, 4, 10)}, "expr=", "SSLSessionTickets"),
        ({"server_version": (2, 4, 16)}, "SSLSessionTickets", "Protocols"),
        ({"server_version": (2, 2)}, "Allow from all", "Require"),
        ({"server_version": None}, "Require all granted", "Allow from"),
    ],
)
def test_directives_follow_the_version(choices: dict[str, Any], present: str, absent: str) -> None:
    """Nothing is written that the named server, module or library does not know."""
    written = text(site(tls=TLS, media=MEDIA), **choices)
    assert present in written
    assert absent not in written


# Several sites


def test_sites_share_one_listener_and_one_refusal() -> None:
    """A second Listen of the same address would keep httpd from starting."""
    sites = CASES["two_sites"].sites
    listen = (Address("127.0.0.1", 8080),)
    assert len(arguments("Listen", *sites, listen=listen)) == 1
    names = [args[0] for args in arguments("ServerName", *sites, listen=listen)]
    assert names == ["unknown-host.invalid", "example.com", "intranet.example.com"]


def test_plain_and_secure_hosts_live_together() -> None:
    """On each port unknown names are refused, and each site answers where it should."""
    secure, plain = site(tls=TLS), site("blog", hosts=Hosts(names=("blog.example.com",)))
    names = [args[0] for args in arguments("ServerName", secure, plain)]
    assert names == [
        "unknown-host.invalid",
        "blog.example.com",
        "example.com",
        "www.example.com",
        "unknown-host.invalid",
        "example.com",
    ]


def _scope(facts: SiteFacts, *others: SiteFacts) -> re.Pattern[str]:
    """Where the variables of the first site hold."""
    written = ApacheRenderer(plan(facts, *others)).render()
    nodes = [line.node for line in written.lines if isinstance(line.node, Block)]
    (scope,) = [
        node for node in nodes if any("KEY" in getattr(one, "args", ()) for one in node.children)
    ]
    return re.compile(str(scope.args[0]))


@pytest.mark.parametrize(
    ("prefix", "inside", "outside"),
    [
        ("", ["/", "/x", "/blogger"], ["/blog", "/blog/", "/blog/x", "//blog/x"]),
        ("/shop", ["/shop", "/shop/x"], ["/", "/shopping", "/blog/"]),
        ("/blog/shop", ["/blog/shop/"], ["/blog/", "/blog/shops"]),
    ],
)
def test_variables_of_a_site_stay_with_it(
    prefix: str, inside: list[str], outside: list[str]
) -> None:
    """Sites under one name never see each other's data, be one mounted below the other or not."""
    facts = site("shop", prefix=prefix, environ=(("KEY", "value"),))
    scope = _scope(facts, site("blog", prefix="/blog"))
    assert [path for path in inside if not scope.search(path)] == []
    assert [path for path in outside if scope.search(path)] == []


def test_shared_processes_share_no_secrets() -> None:
    """An environment file is read into the process, where every site would see it."""
    facts = site("shop", prefix="/shop")
    secret = replace(facts, application=replace(facts.application, env_file=Path("/etc/shop.env")))
    choices = {"isolation": "interpreters", "python_home": Path("/srv/venv")}
    shared = plan(secret, site("blog", prefix="/blog"), **choices)
    with pytest.raises(ChoiceError, match="environment file"):
        ApacheRenderer(shared).render()


# Patterns


def _redirected(facts: SiteFacts) -> re.Pattern[str]:
    (args,) = [args for args in arguments("LocationMatch", facts) if "acme" in str(args[0])]
    return re.compile(str(args[0]))


@pytest.mark.parametrize(
    ("prefix", "exempt", "path", "redirected"),
    [
        ("", (), "/", True),
        ("", (), "/.well-known/acme-challenge/token", False),
        ("", (), "/x/.well-known/acme-challenge/token", True),
        ("", (r"^health/$",), "/health/", False),
        ("", (r"^health/$",), "/health/x", True),
        ("", (r"^health/$",), "/x/health/", True),
        ("", (r"webhook",), "/a/webhook/b", False),
        ("", (r"^a|^b",), "/b", False),
        ("", (r"[^a]b|\^c",), "/ab", True),
        ("/app", (r"^app/health/$",), "/app/health/", False),
        ("/app", (r"^health/$",), "/app/health/", True),
        ("/app", (r"health",), "/health/", True),
    ],
)
def test_what_stays_on_plain_http(
    prefix: str, exempt: tuple[str, ...], path: str, redirected: bool
) -> None:
    """Exempt are ACME's answers and what SecurityMiddleware would exempt, and nothing else."""
    hosts = Hosts(names=("example.com",))
    facts = site(tls=TLS, prefix=prefix, redirect_exempt=exempt, hosts=hosts)
    assert bool(_redirected(facts).search(path)) is redirected


@pytest.mark.parametrize(
    ("path", "redirected"),
    [("/a/webhook", False), ("/blog/webhook", True), ("/blog", True), ("/blogs/webhook", False)],
)
def test_a_site_exempts_nothing_of_one_below_it(path: str, redirected: bool) -> None:
    """A pattern of the site at the root would hold for the pages of another one as well."""
    facts = site("shop", tls=TLS, redirect_exempt=("webhook",))
    blog = site("blog", tls=TLS, prefix="/blog")
    found = arguments("LocationMatch", facts, blog)
    (args,) = {str(args[0]) for args in found if "acme" in str(args[0])}
    assert bool(re.search(args, path)) is redirected


@pytest.mark.parametrize(
    ("path", "redirected"),
    [("/a/ping", False), ("/b/ping", True), ("/app/api/ping", True), ("/a/app/ping", False)],
)
def test_a_route_of_one_site_exempts_nothing_of_another(path: str, redirected: bool) -> None:
    """Sites of one host may be parted by their routes alone."""
    shop = site("shop", tls=TLS, routes=("/a/",), redirect_exempt=("ping",))
    blog = site("blog", tls=TLS, routes=("/b/",))
    wiki = site("wiki", tls=TLS, prefix="/app", routes=("/api/",))
    found = arguments("LocationMatch", shop, blog, wiki)
    (args,) = {str(args[0]) for args in found if "acme" in str(args[0])}
    assert bool(re.search(args, path)) is redirected


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("/static/.git/config", True),
        ("/static/a/.env", True),
        ("/static/a.b/c", False),
        ("/static/.well-known/x", False),
        ("/elsewhere/.env", False),
        ("//static/.git/config", True),
        ("/static//.git/config", True),
    ],
)
def test_dot_files_do_not_exist(path: str, refused: bool) -> None:
    """Names with a leading dot are refused below the directories that Apache serves."""
    (args,) = arguments("RedirectMatch", site())
    assert bool(re.search(str(args[1]), path)) is refused


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/shop/x", True),
        ("/shop", True),
        ("/static/x", True),
        ("/robots.txt", True),
        ("/shopping", False),
        ("/", False),
        ("/robots.txtx", False),
    ],
)
def test_other_urls_belong_to_nobody(path: str, known: bool) -> None:
    """Below a prefix, what no site answers is 404, not the distribution's welcome page."""
    facts = site(
        prefix="/shop",
        static=site().static,
        root_files=CASES["whitenoise"].sites[0].root_files,
    )
    ((pattern, nowhere),) = arguments("AliasMatch", facts)
    assert bool(re.search(str(pattern), path)) is not known
    assert not Path(str(nowhere)).exists()
    assert text(facts).index("AliasMatch") > text(facts).index("IncludeOptional")


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("/.git/config", True),
        ("/api/v1/repo/.gitignore", False),
        ("/api/.env", True),
        ("//api/v1/.env", True),  # No rule for Django's URLs takes it for one, before 2.4.39.
    ],
)
def test_dot_files_of_the_documents_are_not_djangos(path: str, refused: bool) -> None:
    """Beside Django's routes there are no such files; what Django makes of such a URL is its own
    matter."""
    facts = site(static=None, routes=("/api/v1/",), documents=Path("/srv/www"))
    (args,) = arguments("RedirectMatch", facts)
    assert bool(re.search(str(args[1]), path)) is refused


def test_a_compressed_twin_lies_where_the_plain_file_does() -> None:
    """The admin's files are in its package, and collectstatic's twins are not."""
    static = CASES["whitenoise"].sites[0].static
    assert static is not None
    facts = site(static=replace(static, hashed=False))
    rules = arguments("RewriteRule", facts, admin_static="alias")
    patterns = [str(args[0]) for args in rules if "admin/" not in str(args[1])]
    assert patterns
    for pattern in patterns:
        assert not re.search(pattern, "/static/admin/css/base.css")
        assert re.search(pattern, "/static/site.css")


def test_no_address_of_ipv6_is_the_name_of_a_host() -> None:
    """httpd would not start with one; beside another name it is an alias, without brackets."""
    for names, first in ((("[::1]",), "shop.invalid"), (("example.com", "[::1]"), "example.com")):
        facts = site(hosts=Hosts(names=names), tls=TLS)
        said = [args[0] for args in arguments("ServerName", facts)]
        assert first in said
        assert not any("[" in str(name) for name in said)
        assert "ServerAlias ::1" in text(facts)
        assert '"https://[::1]/"' in text(facts)


@pytest.mark.parametrize("gateway", ["mod_wsgi", "http"])
def test_an_area_at_the_root_leaves_certificate_authorities_alone(gateway: str) -> None:
    """On plain HTTP what an area asks for is taken back for their URL, further down."""
    area = Area(url="/", policy="staff", setting="AUTH_AREAS")
    said = text(
        site(areas=(area,), tls=TLS, redirect_exempt=("^health/$",)), gateway=gateway
    ).partition("<VirtualHost *:443>")[0]
    guard, answers = said.rindex("<Location />\n"), said.rindex("acme-challenge>")
    assert guard < answers
    opened = said[answers:].partition("</Location>")[0]
    assert "Require all granted" in opened
    assert ("AuthType None" in opened) is (gateway == "http")


def _listened_to(config: str) -> list[str]:
    return re.findall(r"^\s*Listen (.*)$", config, re.MULTILINE)


def test_an_address_at_the_distributions_port_is_a_virtual_host_alone() -> None:
    """Debian's ports.conf listens on 80 and 443 at every address: a second Listen would fail."""
    choices = {
        "listen": (Address("192.0.2.1", 80), Address("192.0.2.1", 8080)),
        "tls_listen": (Address("192.0.2.1", 443),),
    }
    facts = site(tls=TLS)
    assert _listened_to(text(facts, **choices)) == ["192.0.2.1:8080"]
    assert "<VirtualHost 192.0.2.1:80 192.0.2.1:8080>" in text(facts, **choices)
    private = print_lines(listen_privately(plan(facts, **choices)), dialect)
    said = "".join(f"{line.text}\n" for line in private)
    assert _listened_to(said) == ["192.0.2.1:80", "192.0.2.1:443"]


def test_nobody_listens_twice() -> None:
    """An address of a port at which every address is listened to has no Listen of its own."""
    found = (Address("", 8080), Address("127.0.0.1", 8080), Address("127.0.0.1", 8081))
    assert _listened_to(text(site(), listen=found)) == ["8080", "127.0.0.1:8081"]


def test_no_host_echoes_requests_or_names_versions() -> None:
    """Neither that of unknown names, nor one that leads to HTTPS, with exempt paths or without."""
    for exempt in ((), ("^health/$",)):
        hosts = text(site(tls=TLS, redirect_exempt=exempt)).split("<VirtualHost ")[1:]
        assert len(hosts) == 5
        for host in hosts:
            assert re.findall("TraceEnable .*|ServerSignature .*", host) == [
                "TraceEnable Off",
                "ServerSignature Off",
            ]
