"""What Apache's gateways say to an application server, and what they make of its answer.

The emitted configuration stands before a recording application: no Django corrects anything.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from django_deploykit import contract
from django_deploykit.config.facts import Hosts, Mount, RootFile, StaticFiles
from django_deploykit.config.servers.apache import ApacheRenderer, installed
from django_deploykit.config.servers.apache.addresses import listen
from django_deploykit.config.servers.apache.workers import SPEAKS
from django_deploykit.config.syntax.nodes import Raw, directive
from django_deploykit.config.values import Address
from tests.cases import CASES, site
from tests.servers import backends, emitted, harness
from tests.servers.apache_process import apache, logged_lines
from tests.servers.backends import Backend
from tests.servers.harness import Response, Server

CONTENT = "a file of the server"
SENDFILE, REDIRECT = contract.SENDFILE_HEADER, contract.SCGI_REDIRECT_HEADER
CGI_LIKE = pytest.mark.parametrize("gateway", ["fastcgi", "scgi"])


@dataclass(frozen=True)
class Front:
    """A running front, the application behind it, and a directory of files beside both."""

    server: Server
    backend: Backend
    directory: Path

    def answers(self, head: str, method: str = "GET") -> Response:
        """The response to a request that the application answers with these headers."""
        self.backend.answer = f"{head}\r\n\r\nfrom the application".encode()
        spoofed = (SENDFILE, str(self.directory / "private/file")), ("Location", "/static/file")
        more = REDIRECT, "/protected/file"
        return self.server.get("/page/", *spoofed, more, method=method)


@contextlib.contextmanager
def front(gateway: str, protected: str = "", own: str = "", **facts: Any) -> Iterator[Front]:
    """Apache as emitted for a site whose files lie in a temporary directory."""
    with harness.public_directory() as directory, backends.listening(gateway) as backend:
        for name in ("static", "private", "elsewhere"):
            (directory / name).mkdir()
            (directory / name / "file").write_text(CONTENT)
        (directory / "private" / "link").symlink_to(directory / "elsewhere" / "file")
        if protected:
            mount = Mount(url=protected, directory=directory / "private", setting="PROTECTED")
            facts["protected"] = (mount,)
        made = site(root=str(directory), hosts=Hosts(names=("localhost",)), **facts)
        behind, written = Address("127.0.0.1", backend.port), own.format(directory=directory)
        with emitted.front("apache", gateway, made, behind, own=written) as server:
            yield Front(server, backend, directory)


# The path


@CGI_LIKE
def test_the_application_is_told_the_whole_path_decoded_once(gateway: str) -> None:
    """SCRIPT_NAME holds every byte of the path and PATH_INFO none: there is nothing to guess."""
    with front(gateway, prefix="/app") as running:
        for sent, path in {
            "/": "/",
            "/a%20b/": "/a b/",
            "/a%3Fb%25?c=%2F": "/a?b%",
            "/%C3%BC+;x": "/\u00c3\u00bc+;x",
        }.items():
            running.server.get(sent)
            parameters = running.backend.last.parameters
            assert parameters["SCRIPT_NAME"] == f"/app{path}"
            assert "PATH_INFO" not in parameters
            assert parameters["QUERY_STRING"] == sent.partition("?")[2]


@CGI_LIKE
def test_the_best_guess_of_apache_is_wrong(gateway: str) -> None:
    """Why no proxy-…-pathinfo is emitted: what is guessed is encoded, in front of it is decoded.

    If this fails, httpd has changed, and SCRIPT_NAME could be left to it.
    """
    scheme = {"fastcgi": "fcgi"}.get(gateway, gateway)
    with backends.listening(gateway) as backend, harness.public_directory() as directory:
        target, why = f"{scheme}://127.0.0.1:{backend.port}/", "the recipe of httpd's manual"
        recipe = [
            directive("SetEnvIf", "Request_URI", ".", Raw(f"proxy-{scheme}-pathinfo"), why=why),
            directive("ProxyPass", "/app/", target, why=why),
        ]
        modules = "proxy", f"proxy_{scheme}", "setenvif"
        with apache(directory, recipe, modules=modules) as server:
            server.get("/app/a%20b/")
    parameters = backend.last.parameters
    assert (parameters["SCRIPT_NAME"], parameters["PATH_INFO"]) == ("/app/a b", "/a%20b/")


# The answer


@CGI_LIKE
@pytest.mark.parametrize("status", ["Status: 200 OK\r\n", "Status: 302 Found\r\n", ""])
@pytest.mark.parametrize("protected", ["", "/protected/"])
def test_a_location_is_for_the_client(gateway: str, status: str, protected: str) -> None:
    """A Location without a host is passed on, even with status 200: Apache never follows it."""
    with front(gateway, protected) as running:
        for target in ("/static/file", "/protected/file"):
            answer = running.answers(f"{status}Location: {target}")
            assert answer.text == "from the application"
            assert answer.location == target


@pytest.mark.parametrize("gateway", SPEAKS)
def test_no_header_opens_a_file(gateway: str) -> None:
    """Without protected files, the header that names a file is nothing but a header, and a
    client's own is nothing at all."""
    with front(gateway) as running:
        for name in (SENDFILE, "X-Location", "X-Accel-Redirect"):
            answer = running.answers(f"Status: 200 OK\r\n{name}: {running.directory}/static/file")
            assert answer.text == "from the application"


def test_scgi_sends_the_protected_file_that_the_application_names() -> None:
    """With protected files the header of the contract names one, and does not reach the client."""
    with front("scgi", "/protected/") as running:
        named = f"{REDIRECT}: /protected/file?content-type=text/plain"
        answer = running.answers(f"Status: 200 OK\r\n{named}")
        assert (answer.status, answer.text) == (200, CONTENT)
        assert answer.headers[REDIRECT] is None
        assert answer.headers["Content-Type"] == "text/plain"
        head = running.answers(f"Status: 200 OK\r\n{named}", method="HEAD")
        assert (head.status, head.body) == (200, b"")


def test_only_the_application_names_a_protected_file() -> None:
    """A client's own header, and every other name, send nothing; a URL is 404."""
    with front("scgi", "/protected/") as running:
        for name in (SENDFILE, "X-Accel-Redirect", "X-Lighttpd-Send-File"):
            answer = running.answers(f"Status: 200 OK\r\n{name}: {running.directory}/private/file")
            assert answer.text == "from the application"
        for url in ("/protected/file", "//protected/file", "/%70rotected/file", "/a/../protected/"):
            answer = running.server.get(url)
            assert answer.status == 404
            assert CONTENT not in answer.text


def test_scgi_sends_only_what_the_site_grants() -> None:
    """A path outside of the granted directories, or a link that leads there, is an error."""
    with front("scgi", "/protected/") as running:
        for path in ("../elsewhere/file", "%2e%2e/elsewhere/file", "link", "", "missing"):
            answer = running.answers(f"Status: 200 OK\r\n{REDIRECT}: /protected/{path}")
            assert answer.status >= 400
            assert CONTENT not in answer.text


def test_a_site_without_protected_files_names_none() -> None:
    """Of two sites on one host, only the one that has protected files can name them."""
    local = Hosts(names=("localhost",))
    with (
        harness.public_directory() as directory,
        backends.listening("scgi", directory / "shop.sock") as shop,
        backends.listening("scgi", directory / "blog.sock") as blog,
    ):
        (directory / "file").write_text(CONTENT)
        mount = Mount(url="/shop/protected/", directory=directory, setting="PROTECTED")
        for backend in (shop, blog):
            head = f"Status: 200 OK\r\n{REDIRECT}: /shop/protected/file"
            backend.answer = f"{head}\r\n\r\nfrom the application".encode()
        sites = (
            site("shop", prefix="/shop", hosts=local, protected=(mount,)),
            site("blog", prefix="/blog", hosts=local),
        )
        with emitted.front("apache", "scgi", sites[0], directory, sites[1]) as server:
            assert server.request("GET", "/shop/").text == CONTENT
            refused = server.request("GET", "/blog/")
            assert refused.status == 404
            assert CONTENT not in refused.text


@pytest.mark.parametrize("gateway", SPEAKS)
def test_a_file_varies_with_nothing(gateway: str) -> None:
    """Its one spelling is right for every request: how large bodies may be is no cache's affair."""
    with front(gateway) as running:
        for headers in ([], [("Content-Length", "0")]):
            answer = running.server.request("GET", "/static/file", headers)
            assert (answer.text, answer.headers["Vary"]) == (CONTENT, None)


def test_a_static_file_with_a_question_mark_in_its_name() -> None:
    """It is sent whatever codings the client takes, though no twin of it can be named."""
    with harness.public_directory() as directory, backends.listening("http") as backend:
        (directory / "a?b.css").write_text(CONTENT)
        (directory / "a?b.css.gz").write_text("its twin")
        mount = Mount(url="/static/", directory=directory, setting="STATIC_ROOT")
        static = StaticFiles(mounts=(mount,), twins=("gz",))
        made = site(hosts=Hosts(names=("localhost",)), static=static)
        behind = Address("127.0.0.1", backend.port)
        with emitted.front("apache", "http", made, behind) as server:
            assert server.get("/static/a%3Fb.css", ("Accept-Encoding", "gzip")).text == CONTENT


def test_a_host_of_unknown_names_tells_nothing() -> None:
    """It echoes no request, and names no version, whatever the server's own configuration says."""
    with backends.listening("http") as backend:
        made, behind = site(), Address("127.0.0.1", backend.port)
        with emitted.front("apache", "http", made, behind, around="ServerSignature On") as server:
            for host in ("unknown.example", "example.com"):
                answer = server.request("TRACE", "/", [("Host", host), ("Cookie", "a=b")])
                assert answer.status == 405
                assert "a=b" not in answer.text
                assert "Apache" not in answer.text


# Other sites beside Django


# What docs/howto/own-directives.md tells an operator to write.
_EXISTING = """
ProxyPass /old/ !
Alias /old/ "{directory}/elsewhere/"
<Directory "{directory}/elsewhere">
    Require all granted
</Directory>
ProxyPass /older/ %s://127.0.0.1:%d/there/
"""


@pytest.mark.parametrize("gateway", SPEAKS)
def test_an_existing_site_below_django(gateway: str) -> None:
    """An operator's directory and another server answer their URLs, and Django all others."""
    with backends.listening(gateway) as other:
        other.answer = b"Status: 200 OK\r\nX-Other: yes\r\n\r\nfrom the other server"
        with front(gateway, own=_EXISTING % (SPEAKS[gateway].scheme, other.port)) as running:
            assert running.server.get("/old/file").text == CONTENT
            assert running.server.get("/old/missing").status == 404
            assert running.backend.requests == []
            assert running.server.get("/older/x%20y?z=1").text == "from the other server"
            assert len(other.requests) == 1
            for url in ("/", "/old", "/oldest/", "/x/old/file"):
                assert running.server.get(url).text == "from the application"


# And where the other server asks for passwords.
_CREDENTIALS = """
ProxyPass /older/ http://127.0.0.1:%d/
<Location /older/>
    SetEnvIf Authorization "(.+)" OLDER=$1
    RequestHeader set Authorization "%%{OLDER}e" env=OLDER
</Location>
"""


def test_an_existing_site_that_asks_for_passwords() -> None:
    """It gets what the project does not read, and nobody else does."""
    said = [("Authorization", "Basic eDp5")]
    load = f"LoadModule setenvif_module {installed.module_directory()}/mod_setenvif.so"
    with backends.listening("http") as other, backends.listening("http") as backend:
        own, behind = _CREDENTIALS % other.port, Address("127.0.0.1", backend.port)
        made = site(hosts=Hosts(names=("localhost",)))
        with emitted.front("apache", "http", made, behind, own=own, around=load) as server:
            server.request("GET", "/older/x", said)
            server.request("GET", "/x", said)
    assert b"Authorization: Basic eDp5" in other.last.head
    assert b"eDp5" not in backend.last.head


_BESIDE = f"""{_EXISTING}
<IfModule proxy_module>
    ProxyPass /gone/ !
    ProxyPass /handled/ !
</IfModule>
Redirect permanent /gone/ /new/
<Location /handled/>
    SetHandler server-status
    Require all granted
</Location>
"""


@pytest.mark.parametrize("gateway", SPEAKS)
def test_directives_of_ones_own_beside_a_prefix(gateway: str) -> None:
    """What belongs to no site is the operator's, in whatever way: 404 is for the rest."""
    with backends.listening(gateway) as other:
        other.answer = b"Status: 200 OK\r\nX-Other: yes\r\n\r\nfrom the other server"
        own = _BESIDE % (SPEAKS[gateway].scheme, other.port)
        with front(gateway, own=own, prefix="/app") as running:
            ask = running.server.request
            assert ask("GET", "/old/file").text == CONTENT
            assert ask("GET", "/older/x").text == "from the other server"
            assert ask("GET", "/gone/x").location == "http://localhost/new/x"
            assert ask("GET", "/app/").text == "from the application"
            for url in ("/", "/old", "/x/app/", "/application/", "/nonexistent"):
                for method in ("GET", "HEAD", "POST"):
                    assert ask(method, url).status == 404


# What Debian's php.conf and php-fpm.conf say for the whole server, of another handler.
_HANDLED = """
<IfModule !status_module>
    LoadModule status_module "{modules}/mod_status.so"
</IfModule>
AddHandler server-status .cgi
<FilesMatch ".+\\.ph(?:ar|p|tml)$">
    SetHandler server-status
</FilesMatch>
<FilesMatch ".+\\.fpm$">
    <If "-f %{{REQUEST_FILENAME}}">
        SetHandler server-status
    </If>
</FilesMatch>
"""


@pytest.mark.parametrize("name", ["x.php", "x.fpm", "x.cgi"])
def test_no_file_is_run(name: str) -> None:
    """An upload is a download, whatever the server's own configuration runs elsewhere."""
    around = _HANDLED.format(modules=installed.module_directory())
    with harness.public_directory() as directory, backends.listening("scgi") as backend:
        for place in ("static", "media", "private", "root"):
            (directory / place).mkdir()
            (directory / place / name).write_text(CONTENT)
        made = site(
            root=str(directory),
            hosts=Hosts(names=("localhost",)),
            media=Mount(url="/media/", directory=directory / "media", setting="MEDIA_ROOT"),
            protected=(Mount(url="/kept/", directory=directory / "private", setting="PROTECTED"),),
            root_files=(RootFile(url=f"/{name}", path=directory / "root" / name),),
        )
        backend.answer = f"Status: 200 OK\r\n{REDIRECT}: /kept/{name}\r\n\r\n".encode()
        behind = Address("127.0.0.1", backend.port)
        with emitted.front("apache", "scgi", made, behind, around=around) as server:
            for url in (f"/static/{name}", f"/media/{name}", f"/{name}", "/page/"):
                assert server.get(url).text == CONTENT
            assert server.get(f"/media/{name}/more").status == 404


def test_no_number_of_slashes_leads_to_a_dot_file() -> None:
    """Alias takes them for one, and patterns see them all where they are not merged."""
    with front("http", own="MergeSlashes Off", prefix="/shop") as running:
        (running.directory / "static" / ".env").write_text(CONTENT)
        for slashes in ("/", "//", "///"):
            below = f"{slashes}shop{slashes}static{slashes}"
            assert running.server.request("GET", f"{below}file").text == CONTENT
            assert running.server.request("GET", f"{below}.env").status == 404


def test_two_files_name_the_same_address(tmp_path: Path) -> None:
    """Each project writes its own file, and httpd would not start with two of the same Listen."""
    harness.require_apache()
    address = Address("127.0.0.1", harness.free_port())
    nodes = listen(CASES["minimal"].plan(ApacheRenderer), (address,), "listen")
    with apache(tmp_path, [*nodes, *nodes]) as server:
        for started in (1, 2):
            # httpd would forget a signal that comes while it starts again.
            said = "".join(logged_lines(tmp_path / "error.log", 3 * started - 1))
            assert said.count("resuming normal operations") == started
            with socket.create_connection(("127.0.0.1", address.port), timeout=5):
                pass
            if started == 1:
                server.process.send_signal(signal.SIGUSR1)


@pytest.mark.parametrize("gateway", SPEAKS)
def test_django_below_an_existing_site(gateway: str) -> None:
    """A directory answers at the root, and Django the URLs of its prefix or its routes."""
    for facts in ({"prefix": "/app"}, {"routes": ("/app/",)}):
        with harness.public_directory() as documents:
            (documents / "index.html").write_text("the old site")
            with front(gateway, documents=documents, **facts) as running:
                assert running.server.request("GET", "/").text == "the old site"
                for url in ("/app/", "/app/x%20y/"):
                    assert running.server.request("GET", url).text == "from the application"
                for url in ("/application/", "/x/app/"):
                    assert running.server.request("GET", url).status == 404


@pytest.mark.parametrize("gateway", SPEAKS)
def test_files_come_before_django_whatever_the_prefix(gateway: str) -> None:
    """The exceptions stand before the rule for everything: no static URL is ever Django's."""
    for prefix in ("", "/app"):
        with front(gateway, prefix=prefix) as running:
            assert running.server.get("/static/file").text == CONTENT
            assert running.server.get("/static/missing").status == 404
            assert running.backend.requests == []
