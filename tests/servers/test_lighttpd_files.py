"""lighttpd: a file is sent as one, whatever the server does elsewhere, and compressed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from django_deploykit.config.facts import Mount, RootFile, StaticFiles
from django_deploykit.config.values import Address
from tests import cases
from tests.servers import backends, emitted, harness
from tests.servers.harness import Server


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_compressed_file_is_kept(public: Path, coding: str) -> None:
    """A Vary of ours must not make it a page that differs each time (mod_deflate)."""
    harness.require_lighttpd()
    home = public / f"kept-{coding}"
    (home / "static").mkdir(parents=True)
    (home / "static" / "a.css").write_text("a{color:red}" * 100)
    nowhere, request = Address("127.0.0.1", 9), [("Host", "example.com")]
    with emitted.front("lighttpd", "http", cases.site(root=str(home)), nowhere) as server:
        plain = server.request("GET", "/static/a.css", request)
        request.append(("Accept-Encoding", coding))
        once, again = (server.request("GET", "/static/a.css", request) for _ in range(2))
        # What Popen was given: lighttpd -f DIRECTORY/lighttpd.conf -D.
        directory = Path(str(server.process.args[2])).parent  # type: ignore[index]
        (kept,) = directory.glob("run/**/a.css-*")
        assert kept.read_bytes() == once.body == again.body != plain.body
    for answer in (plain, once, again):
        assert answer.headers.get_all("Vary") == ["Accept-Encoding"]
    assert [one.headers["Content-Encoding"] for one in (plain, again)] == [None, coding]


# What Debian's 10-cgi, 10-ssi and 15-fastcgi-php say for the whole server, and their like.
HANDLERS = """
server.modules += ("mod_cgi", "mod_fastcgi", "mod_scgi", "mod_ssi", "mod_proxy")
cgi.assign = (".cgi" => "/bin/sh")
fastcgi.server += (".php" => (("host" => "127.0.0.1", "port" => 9)))
scgi.server = (".scgi" => (("host" => "127.0.0.1", "port" => 9)))
proxy.server = (".proxied" => (("host" => "127.0.0.1", "port" => 9)))
ssi.extension = (".shtml")
"""
SCRIPT = b"""#!/bin/sh
printf 'Content-Type: text/plain\\n\\nran <!--#echo var="SERVER_PORT" -->'
"""
FILES = ("x.cgi", "x.php", "x.scgi", "x.proxied", "x.shtml")


@pytest.fixture(scope="module", params=["http", "uwsgi", "fastcgi", "scgi"])
def handling(request: pytest.FixtureRequest, public: Path) -> Iterator[tuple[Server, str]]:
    """A lighttpd that runs scripts wherever nobody tells it otherwise, and the site's server."""
    harness.require_lighttpd()
    home = public / f"handling-{request.param}"
    for directory in ("static", "media"):
        (home / directory).mkdir(parents=True)
        for name in FILES:
            (home / directory / name).write_bytes(SCRIPT)
            (home / directory / name).chmod(0o755)
    media = replace(cases.MEDIA, directory=home / "media")
    site = cases.site(root=str(home), media=media)
    with backends.listening(request.param) as backend:
        where = Address("127.0.0.1", backend.port)
        with emitted.front("lighttpd", request.param, site, where, around=HANDLERS) as server:
            yield server, request.param


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("url", ["/media/", "/static/"])
def test_no_file_is_run(handling: tuple[Server, str], url: str, name: str) -> None:
    """An upload is a download, whatever the server's own configuration runs elsewhere."""
    server, _ = handling
    for path in (name, f"{name}?a"):
        answer = server.request("GET", f"{url}{path}", [("Host", "example.com")])
        assert (answer.status, answer.body) == (200, SCRIPT)
    behind = server.request("GET", f"{url}{name}/more", [("Host", "example.com")])
    assert behind.status in (403, 404)


@pytest.mark.parametrize("name", FILES)
def test_django_answers_its_own_urls(handling: tuple[Server, str], name: str) -> None:
    """No ending takes a URL from Django either."""
    server, gateway = handling
    answer = server.request("GET", f"/page/{name}", [("Host", "example.com")])
    assert answer.status == 200, gateway


# Where a server that has more than this site finds PHP, which it would run elsewhere.
ALIAS = 'alias.url = ("/blog/" => "{place}/")'
PLACES = {
    "/blog/config.php": ALIAS,
    "/~blog/config.php": """
        server.modules += ("mod_userdir")
        userdir.basepath = "{place}/.."
        userdir.path = ""
    """,
    "/config.php": """
        server.modules += ("mod_simple_vhost")
        simple-vhost.server-root = "{place}/.."
        simple-vhost.default-host = "blog"
        simple-vhost.document-root = ""
    """,
    "//config.php": """
        server.modules += ("mod_evhost")
        evhost.path-pattern = "{place}/"
    """,
}


@pytest.mark.parametrize(("url", "around"), PLACES.items())
def test_no_file_but_the_sites_own_is_sent(public: Path, url: str, around: str) -> None:
    """Its handlers are off on the site's names, so that a password in it would be read by all."""
    harness.require_lighttpd()
    place = public / "places" / "blog"
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.php").write_text("<?php $password = 'secret';")
    site, nowhere = cases.site(prefix="/app", root=str(public)), Address("127.0.0.1", 9)
    around = HANDLERS + around.replace("{place}", str(place))
    with emitted.front("lighttpd", "http", site, nowhere, around=around) as server:
        answer = server.request("GET", url, [("Host", "example.com")])
    assert answer.status in (403, 404)
    assert b"secret" not in answer.body


def test_own_directives_may_send_files(public: Path) -> None:
    """They say so, beside the place where those lie (docs/howto/lighttpd)."""
    harness.require_lighttpd()
    (public / "old").mkdir()
    (public / "old" / "a.pdf").write_text("old")
    site, nowhere = cases.site(prefix="/app", root=str(public)), Address("127.0.0.1", 9)
    own = f"""$HTTP["url"] =~ "^/old/" {{
        alias.url = ("/old/" => "{public}/old/")
        static-file.exclude-extensions = ()
    }}"""
    with emitted.front("lighttpd", "http", site, nowhere, own=own) as server:
        assert server.request("GET", "/old/a.pdf", [("Host", "example.com")]).text == "old"


# What a CMS of the same server says for whatever it serves: a missing file is a page.
ELSEWHERE = [
    'server.error-handler-404 = "/index.php"',
    'server.error-handler = "/index.php"',
    *(
        f'server.modules += ("mod_rewrite")\nurl.rewrite{word}-if-not-file = ("" => "/index.php")'
        for word in ("", "-repeat")
    ),
]


@pytest.mark.parametrize("around", ELSEWHERE)
@pytest.mark.parametrize("gateway", ["http", "scgi"])
def test_a_missing_file_is_not_asked_of_django(public: Path, gateway: str, around: str) -> None:
    """There it would come with what the client says of itself."""
    harness.require_lighttpd()
    media = replace(cases.MEDIA, directory=public)
    site = cases.site(root=str(public), media=media, environ=(("TENANT", "a"),))
    said = [("Host", "example.com"), ("X-Deploykit-Tenant", "b"), ("Authorization", "Basic YTpi")]
    with backends.listening(gateway) as backend:
        where = Address("127.0.0.1", backend.port)
        with emitted.front("lighttpd", gateway, site, where, around=around) as server:
            for url in ("/static/nothing", "/media/nothing", "/static/"):
                assert server.request("GET", url, said).status == 404
            assert backend.requests == []
            assert server.request("GET", "/page", said).status == 200
            backend.answer = b"Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nof Django"
            assert server.request("GET", "/page", said).body == b"of Django"


def test_a_release_may_be_a_link(public: Path) -> None:
    """lighttpd follows none, of the directories above neither: their real places are written."""
    harness.require_lighttpd()
    release = public / "releases/7"
    for name in ("static", "media", "documents", "root"):
        (release / name).mkdir(parents=True)
        (release / name / "a.txt").write_text(name)
    current = public / "current"
    current.symlink_to(release)
    mount = Mount(url="/static/", directory=current / "static", setting="STATIC_ROOT")
    site = cases.site(
        static=StaticFiles(mounts=(mount,)),
        admin_static=None,
        media=Mount(url="/media/", directory=current / "media", setting="MEDIA_ROOT"),
        root_files=(RootFile(url="/a.txt", path=current / "root/a.txt"),),
        routes=("/app/",),
        documents=current / "documents",
    )
    nowhere, request = Address("127.0.0.1", 9), [("Host", "example.com")]
    urls = {"static": "/static/a.txt", "media": "/media/a.txt", "root": "/a.txt"}
    with emitted.front("lighttpd", "http", site, nowhere) as server:
        for name, url in urls.items():
            assert server.request("GET", url, request).text == name
        (release / "documents/b.txt").write_text("documents")
        assert server.request("GET", "/b.txt", request).text == "documents"


def test_documents_are_not_listed(public: Path) -> None:
    """Whatever the server's own configuration lists elsewhere."""
    harness.require_lighttpd()
    documents = public / "listed"
    for directory in ("downloads", ".git"):
        (documents / directory).mkdir(parents=True)
        (documents / directory / "offer.pdf").touch()
    site = cases.site(routes=("/app/",), documents=documents)
    nowhere, request = Address("127.0.0.1", 9), [("Host", "example.com")]
    around = 'server.modules += ("mod_dirlisting")\ndir-listing.activate = "enable"'
    with emitted.front("lighttpd", "http", site, nowhere, around=around) as server:
        for directory in ("downloads", ".git"):
            listed = server.request("GET", f"/{directory}/", request)
            assert listed.status in (403, 404)
            assert b"offer" not in listed.body
        assert server.request("GET", "/downloads/offer.pdf", request).status == 200


def test_a_root_file_whose_name_begins_another_one(public: Path) -> None:
    """Each is served as itself; lighttpd would not start if the shorter one came first."""
    harness.require_lighttpd()
    names = ("sw.js", "sw.js.map", "sitemap.xml", "sitemap.xml.gz")
    for name in names:
        (public / name).write_text(f"this is {name}")
    files = tuple(RootFile(url=f"/{name}", path=public / name) for name in names)
    site, nowhere = cases.site(root_files=files), Address("127.0.0.1", 9)
    with emitted.front("lighttpd", "http", site, nowhere) as server:
        for name in names:
            found = server.request("GET", f"/{name}", [("Host", "example.com")])
            assert (found.status, found.body.decode()) == (200, f"this is {name}")
