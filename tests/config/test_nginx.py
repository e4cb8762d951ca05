"""nginx: what its golden files cannot say, and the real server's opinion of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from django_deploykit import contract
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import Hosts, Limits, Mount, SiteFacts
from django_deploykit.config.renderer import Rendered
from django_deploykit.config.servers.nginx import NginxRenderer, installed
from django_deploykit.config.values import Address, addresses
from django_deploykit.exceptions import ChoiceError, UnrepresentableValue
from django_deploykit.run.validate import validate
from tests.cases import CASES, TLS, Case, produced, site
from tests.servers import harness

ACCEPTED = [name for name in CASES if produced("nginx", name)[0] == ".conf"]
# What only an nginx of these versions, or newer, can read.
NEWER = {"nginx125": (1, 25, 1), "nginx130": (1, 29, 7)}
INSTALLED = NginxRenderer.installed(Deployment()).server_version or (0,)
INSTALLED_READS = [name for name in ACCEPTED if NEWER.get(name, (0,)) <= INSTALLED]


def rendered(*sites: SiteFacts, gateway: str = "", **choices: Any) -> Rendered:
    plan = Case(sites=sites, gateway=gateway).plan(NginxRenderer)
    return NginxRenderer(replace(plan, deployment=replace(plan.deployment, **choices))).render()


@pytest.fixture(scope="module")
def certificate() -> Iterator[Path]:
    """A throw-away certificate and key: nginx reads them even when it only checks."""
    with harness.public_directory() as directory:
        issued = trustme.CA().issue_cert("example.com")
        issued.private_key_and_cert_chain_pem.write_to_path(str(directory / "cert.pem"))
        yield directory / "cert.pem"


@pytest.mark.server
@pytest.mark.parametrize("gateway", NginxRenderer.gateways)
@pytest.mark.parametrize("name", INSTALLED_READS)
def test_nginx_accepts(name: str, gateway: str, certificate: Path, tmp_path: Path) -> None:
    """``nginx -t`` takes every case through every gateway, without a warning."""
    harness.require("nginx", shutil.which("nginx") or shutil.which("/usr/sbin/nginx"))
    case = replace(CASES[name], gateway=gateway)
    sites = tuple(
        replace(one, tls=one.tls and replace(one.tls, certificate=certificate, key=certificate))
        for one in case.sites
    )
    deployment = replace(
        case.deployment,
        listen=(Address("127.0.0.1", harness.free_port()),),
        tls_listen=(Address("127.0.0.1", harness.free_port()),),
        log_directory=tmp_path,
    )
    case = replace(case, sites=sites, deployment=deployment)
    said = validate(case.stack(NginxRenderer), case.plan(NginxRenderer))
    assert [line for line in said.splitlines() if "[" in line] == []
    assert "syntax is ok" in said


def _linted(text: str, directory: Path) -> set[str]:
    """What gixy has to say about the emitted file, as nginx.conf includes it."""
    path = directory / "nginx.conf"
    path.write_text(f"events {{}}\nhttp {{\n{text}}}\n", encoding="utf-8")
    command = [Path(sys.executable).with_name("gixy"), "--format", "json", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {issue["plugin"] for issue in json.loads(done.stdout)}


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_linter_finds_nothing_else(name: str, tmp_path: Path) -> None:
    """gixy complains of what was decided, and is documented (docs/howto/nginx), alone."""
    sites = CASES[name].sites
    # The first server is the default one; to say so in two files would keep nginx from starting.
    decided = set() if sites[0].hosts.anything else {"default_server_flag"}
    if any(one.tls and not one.headers.hsts for one in sites):
        decided.add("hsts_header")  # It is the project's to ask for.
    if CASES[name].deployment.static_lookup == "file":
        decided.add("try_files_is_evil_too")  # It was chosen; a cache would hide new files.
    if CASES[name].deployment.sticky:
        decided.add("missing_resolver")  # The variable holds names of upstreams alone.
    assert _linted(produced("nginx", name)[1], tmp_path) == decided


@pytest.mark.parametrize(
    ("version", "said", "unsaid"),
    [
        ((1, 18), "listen 443 ssl http2;", "ssl_reject_handshake on;"),
        ((1, 22, 1), "ssl_reject_handshake on;", "http2 on;"),
        ((1, 25, 1), "http2 on;", "ssl http2;"),
        ((1, 29, 6), "http2 on;", "keepalive 0;"),
        ((1, 29, 7), "keepalive 0;", "ssl http2;"),
        ((1, 30), "http2 on;", "ssl http2;"),
    ],
)
def test_each_version_gets_its_own_words(version: tuple[int, ...], said: str, unsaid: str) -> None:
    """HTTP/2 is a word of listen before 1.25.1, a handshake can be refused since 1.19.4, and
    connections to the application are kept since 1.29.7 unless that is declined."""
    text = rendered(site(tls=TLS), server_version=version).text
    assert said in text
    assert unsaid not in text


@pytest.mark.parametrize(
    ("options", "where"),
    [("--conf-path={0}/etc/nginx.conf", "etc"), ("--prefix={0} --with-threads", "conf")],
)
def test_types_lie_beside_the_configuration(
    options: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of an nginx that somebody built: without its table, no browser would take a style."""
    said = f"nginx version: nginx/1.22.1\nconfigure arguments: {options.format(tmp_path)}\n"
    monkeypatch.setattr(installed, "said", lambda *_: said)
    (tmp_path / where).mkdir()
    (tmp_path / where / "mime.types").touch()
    assert installed.media_types() == tmp_path / where / "mime.types"


def test_a_version_without_tls_13_is_refused() -> None:
    """What no emitted file can promise is not emitted."""
    with pytest.raises(ChoiceError, match=r"needs nginx 1\.13 or newer, not 1\.12"):
        rendered(site(), server_version=(1, 12))


@pytest.mark.parametrize("host", ["192.0.2.1", "[2001:db8::1]"])
def test_an_address_as_a_name_needs_a_handshake(host: str) -> None:
    """A client that asks for an address names nothing in its handshake, and is let in."""
    text = rendered(site(tls=TLS, hosts=Hosts(names=("example.com", host)))).text
    assert "ssl_reject_handshake" not in text


@pytest.mark.parametrize("gateway", NginxRenderer.gateways)
def test_every_forbidden_header_is_overwritten(gateway: str) -> None:
    """Each name of the contract stands in the text, whatever is spoken behind it."""
    text = rendered(site(), gateway=gateway).text
    for name in contract.CLIENT_FORBIDDEN_HEADERS:
        spelled = name if gateway == "http" else contract.environ_key(name)
        assert f" {spelled} " in text


def test_data_of_a_neighbour_cannot_be_forged() -> None:
    """Over HTTP a site's location removes the headers that carry another site's data."""
    neighbours = (
        site("shop", prefix="/shop", environ=(("BRANCH", "Zurich"),)),
        site("blog", prefix="/blog"),
    )
    text = rendered(*neighbours, gateway="http").text
    assert f"proxy_set_header {contract.data_header('BRANCH')} Zurich;" in text
    assert f'proxy_set_header {contract.data_header("BRANCH")} "";' in text


@pytest.mark.parametrize("value", [" north", "north\t"])
def test_data_that_http_would_change_is_refused(value: str) -> None:
    """Blanks at the ends of a header are lost on the way."""
    with pytest.raises(UnrepresentableValue, match=r"ENVIRON.*BRANCH"):
        rendered(site(environ=(("BRANCH", value),)), gateway="http")


def test_variables_are_never_written_by_accident() -> None:
    """A dollar has no escape, so that its setting is named instead."""
    with pytest.raises(UnrepresentableValue) as refusal:
        rendered(site(environ=(("BRANCH", "$host"),)))
    assert refusal.value.setting == "DEPLOYKIT['SITE']['ENVIRON']['BRANCH']"


def test_several_sites_have_several_sockets() -> None:
    """One socket cannot lead to two applications."""
    with pytest.raises(ChoiceError, match="several sites or pools cannot share"):
        rendered(site(), site("blog", prefix="/blog"), socket=Path("/run/one.sock"))


def test_long_host_names_are_announced() -> None:
    """nginx refuses to start with a name that is longer than its tables expect."""
    name = f"{'a' * 40}.example.com"
    warnings = rendered(site(hosts=Hosts(names=(name,)))).warnings
    assert [f"'{name}'" in warning for warning in warnings] == [True]


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("80", ["80", "[::]:80"]),
        ("80,[::]:80", ["80", "[::]:80"]),
        ("0.0.0.0:80,[0::0]:80,80", ["80", "[::]:80"]),
        ("0.0.0.0:80", ["0.0.0.0:80"]),
        ("80,127.0.0.1:80,[::]:81", ["80", "[::]:80", "127.0.0.1:80", "[::]:81"]),
    ],
)
def test_no_address_comes_twice(stated: str, said: list[str]) -> None:
    """nginx does not start with an address that a server has twice, and a port alone is two."""
    lines = rendered(site(), listen=addresses(stated)).text.splitlines()
    found = [line.split()[1].rstrip(";") for line in lines if line.startswith("    listen ")]
    assert found == said * 2  # The host for unknown names, and that of the site.


def _of_long_names(letter: str, number: int, certificate: Path, logs: Path) -> NginxRenderer:
    """A project of so many sites, with names that are as long as they may be."""
    facts: dict[str, Any] = {
        "hosts": Hosts(names=(f"{letter}.example.com",)),
        "tls": replace(TLS, certificate=certificate, key=certificate),
        "redirect_exempt": ("^send/$",),
        "websockets": ("/ws/",),
    }
    mounts = [Mount(url=f"/{n}/files/", directory=logs, setting="S") for n in range(number)]
    sites = tuple(
        site(f"{letter * 31}{n}", prefix=f"/{n}", protected=(mount,), **facts)
        for n, mount in enumerate(mounts)
    )
    plan = Case(sites=sites, gateway="http", app_server="uvicorn").plan(NginxRenderer)
    ports = [(Address("127.0.0.1", harness.free_port()),) for _ in range(2)]
    here: dict[str, Any] = {"listen": ports[0], "tls_listen": ports[1], "log_directory": logs}
    return NginxRenderer(replace(plan, deployment=replace(plan.deployment, **here)))


@pytest.mark.server
@pytest.mark.parametrize("number", [1, 2])
def test_files_lie_side_by_side(number: int, certificate: Path, tmp_path: Path) -> None:
    """Two projects of as many sites in an nginx whose tables have their usual size: no name comes
    twice, and none is too long."""
    harness.require("nginx", shutil.which("nginx") or shutil.which("/usr/sbin/nginx"))
    one, other = (_of_long_names(letter, number, certificate, tmp_path) for letter in "ab")
    run = one.foreground(tmp_path, None)
    text = run.files["nginx.conf"].replace("server_names_hash_bucket_size 512;", "")
    (tmp_path / "nginx.conf").write_text(text)
    for name in ("run", "log", "nginx"):
        (tmp_path / name).mkdir()
    together = one.render().text + other.render().text
    (tmp_path / one.render().filename).write_text(together)
    done = subprocess.run(run.check, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "[" in line] == []
    assert "syntax is ok" in done.stderr


def test_a_limit_below_djangos_own_is_announced() -> None:
    """The smaller limit wins, and is not the one that the settings name."""
    warnings = rendered(site(limits=Limits(upload_memory=2**30))).warnings
    assert [warning.startswith("shop: DATA_UPLOAD_MAX_MEMORY_SIZE") for warning in warnings] == [
        True
    ]


# Object storage


def test_a_store_that_nginx_cannot_find_is_refused() -> None:
    """nginx asks no name server of its own accord. An address needs none, and no certificate can
    prove it."""
    named, address = "https://files.example.com", "http://10.0.0.2:9000"
    with pytest.raises(ChoiceError, match=r"'https://files\.example\.com'.*--set resolver="):
        rendered(site(stores=(address, named)))
    written = rendered(site(stores=(named,)), resolver=Address("127.0.0.53", 53)).text
    assert "resolver 127.0.0.53:53;" in written
    assert "resolver" not in rendered(site(stores=(address,))).text
    for told in ("https://10.0.0.2:9000", "https://[::1]"):
        with pytest.raises(ChoiceError, match="looks for names in them alone"):
            rendered(site(stores=(told,)))


def test_a_store_is_there_on_plain_http_too() -> None:
    """Where exempt paths are answered: Django names its files there as well."""
    secure = site(stores=("http://10.0.0.2:9000",), tls=TLS)
    for exempt, number in (((), 1), (("^send/$",), 2)):
        text = rendered(replace(secure, redirect_exempt=exempt)).text
        assert text.count("location = /.deploykit-store/0 {\n        internal;") == number


def test_who_a_store_is_has_to_be_proved() -> None:
    """What is signed goes to nobody else who answers at its address."""
    resolver = Address("127.0.0.53", 53)
    written = rendered(site(stores=("https://files.example.com:444",)), resolver=resolver).text
    assert "proxy_ssl_verify on;" in written
    assert "proxy_ssl_name files.example.com;" in written
    assert "proxy_ssl_verify" not in rendered(site(stores=("http://10.0.0.2:9000",))).text
