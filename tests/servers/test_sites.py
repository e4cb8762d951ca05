"""Several sites in one server, and one site that answers only some URLs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from django_deploykit.config.facts import Mount, StaticFiles
from tests import cases
from tests.servers import emitted, harness, small_projects
from tests.servers.harness import Project, Server
from tests.servers.stacks import Stack, apache, chosen, fronts, proxying

TWO_SITES = """
DEPLOYKIT = {
    "SITES": {
        "shop": {"settings": "shop.settings", "prefix": "/shop"},
        "blog": {"settings": "blog.settings", "prefix": "/blog"},
    }
}
"""


@pytest.fixture(scope="module")
def two_sites(public: Path) -> Project:
    """Two settings modules below one directory."""
    return small_projects.make(public / "two-sites", {"shop": TWO_SITES, "blog": ""})


PROXIED = [*fronts(), *proxying("lighttpd", "scgi"), *proxying("nginx", "scgi")]
SHARED = [("apache", "processes"), ("apache", "interpreters")]
SHARED += [(stack, "processes") for stack in PROXIED]


@pytest.fixture(scope="module", params=SHARED, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def sites_server(request: pytest.FixtureRequest, two_sites: Project) -> Iterator[Server]:
    """Both sites in one server: in Apache isolated either way, elsewhere with an application
    server each."""
    stack, isolation = request.param
    how = "--set", f"isolation={isolation}"
    with harness.deployrun(two_sites, *chosen(stack).arguments, *how) as server:
        yield server


@pytest.mark.parametrize("order", [("shop", "blog"), ("blog", "shop")])
def test_settings_never_leak(sites_server: Server, order: tuple[str, str]) -> None:
    """Each site has its own settings, whichever is asked first."""
    for name in order * 2:
        seen = sites_server.get(f"/{name}/x/").json
        assert seen["name"] == name
        assert seen["module"] == f"{name}.settings"
        assert (seen["script_name"], seen["path_info"]) == (f"/{name}", "/x/")


def test_settings_never_leak_side_by_side(sites_server: Server) -> None:
    """Nor do they when both are asked at once."""

    def ask(name: str) -> bool:
        return bool(sites_server.get(f"/{name}/").json["name"] == name)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, ["shop", "blog"] * 40))


def test_urls_of_no_site_are_not_found(sites_server: Server) -> None:
    """What neither site has is 404, and not the distribution's welcome page."""
    for path in ("/", "/shopping/", "/other/"):
        assert sites_server.get(path).status == 404


FILES = """
from django.http import HttpResponse
from django.urls import path

from django_deploykit.sendfile import sendfile


def send(request):
    return sendfile(request, "document")


def name(request):
    '''A redirect within Apache by a header of one's own, to what the query names.'''
    response = HttpResponse()
    for header in ("Location", "X-Location"):
        response[header] = request.META["QUERY_STRING"]
    return response


urlpatterns = [path("send/", send), path("name/", name)]
"""


@pytest.fixture(scope="module", params=["mod_wsgi", "scgi"])
def with_files(request: pytest.FixtureRequest, public: Path) -> Iterator[Server]:
    """Two sites of one host, each with a protected document, by the redirects within Apache."""
    home = public / f"files-{request.param}"
    protected = {}
    for name in ("shop", "blog"):
        (home / name).mkdir(parents=True)
        (home / name / "document").write_text(f"of the {name}")
        protected[name] = (
            f'DEPLOYKIT = {{"SITE": {{"PROTECTED": {{"/files/": {str(home / name)!r}}}}}}}\n'
        )
    protected["shop"] += f"{TWO_SITES.replace('DEPLOYKIT =', 'DEPLOYKIT |=')}"
    project = small_projects.make(home / "project", protected)
    for name in ("shop", "blog"):
        (project.directory / name / "urls.py").write_text(FILES)
    stack = "apache" if request.param == "mod_wsgi" else proxying("apache", "scgi")[0]
    with harness.deployrun(project, *chosen(stack).arguments) as server:
        yield server


def test_a_document_of_one_site_is_no_other_ones(with_files: Server) -> None:
    """Within Apache, a site redirects to its own protected files; to those of its neighbour, and
    for a client, there is nothing."""
    for own, other in (("shop", "blog"), ("blog", "shop")):
        assert with_files.get(f"/{own}/send/").body == f"of the {own}".encode()
        assert (
            with_files.get(f"/{own}/name/?/{own}/files/document").body == f"of the {own}".encode()
        )
        for asked in (
            f"/{own}/name/?/{other}/files/document",
            f"/{own}/name/?//{other}/files/document",
            f"/{own}/name/?/{own}/../{other}/files/document",
            f"/{own}/name/?/{own}/%2e%2e/{other}/files/document",
            f"/{other}/files/document",
        ):
            answer = with_files.get(asked)
            assert (answer.status, b"of the" in answer.body) == (404, False), asked


INHERITED = {"shop": "/shop", "blog": "/blog", "home": ""}


@pytest.mark.parametrize("front", ["apache", "nginx"])
def test_a_document_below_another_prefix(public: Path, front: str) -> None:
    """Sites with one PREFIX in settings that they share, which SITES replaces, each name their own
    documents to the server."""
    home = public / f"inherited-{front}"
    made = {}
    for name in INHERITED:
        (home / name).mkdir(parents=True)
        (home / name / "document").write_text(f"of the {name}")
        said = {"PREFIX": "/shop", "PROTECTED": {"/files/": str(home / name)}}
        made[name] = f'DEPLOYKIT = {{"SITE": {said!r}}}\n'
    sites = {
        name: {"settings": f"{name}.settings", "prefix": prefix}
        for name, prefix in INHERITED.items()
    }
    made["shop"] += f'DEPLOYKIT["SITES"] = {sites!r}\n'
    project = small_projects.make(home / "project", made)
    for name in INHERITED:
        (project.directory / name / "urls.py").write_text(FILES)
    stack = "apache" if front == "apache" else proxying(front, "http")[0]
    with harness.deployrun(project, *chosen(stack).arguments) as server:
        for name, prefix in INHERITED.items():
            assert server.get(f"{prefix}/send/").body == f"of the {name}".encode()
            assert server.get(f"{prefix}/files/document").status == 404


@pytest.mark.parametrize("gateway", ["mod_wsgi", "scgi"])
def test_a_document_beside_routes(public: Path, gateway: str) -> None:
    """A site that answers its routes alone, without DOCUMENTS, still redirects to its files; any
    other URL belongs to nobody."""
    home = public / f"document-{gateway}"
    home.mkdir()
    (home / "document").write_text("of the shop")
    said = {"ROUTES": ["/send/"], "PROTECTED": {"/files/": str(home)}}
    more = f'DEPLOYKIT = {{"SITE": {said!r}}}\n'
    project = small_projects.make(public / f"beside-routes-{gateway}", {"shop": more})
    (project.directory / "shop/urls.py").write_text(FILES)
    stack = "apache" if gateway == "mod_wsgi" else proxying("apache", "scgi")[0]
    with harness.deployrun(project, *chosen(stack).arguments) as server:
        assert server.get("/send/").body == b"of the shop"
        assert [server.get(url).status for url in ("/files/document", "/other")] == [404, 404]


def test_no_other_url_leads_to_a_document(public: Path) -> None:
    """Not even that of static files whose directory came to hold it, be they another site's."""
    harness.require_apache()
    home = public / "below-static"
    (home / "held").mkdir(parents=True)
    for file in ("site.css", "held/document"):
        (home / file).write_text("of the blog")
    static = StaticFiles(mounts=(Mount(url="/shop/static/", directory=home, setting=""),))
    held = (Mount(url="/blog/files/", directory=home / "held", setting=""),)
    shop = cases.site("shop", root=str(public), prefix="/shop", static=static)
    blog = cases.site("blog", root=str(public), prefix="/blog", static=None, protected=held)
    with emitted.front("apache", "scgi", shop, public, blog) as server:
        found = [
            server.request("GET", f"/shop/static/{name}", [("Host", "example.com")])
            for name in ("site.css", "held/document")
        ]
        assert [one.status for one in found] == [200, 403]
        assert b"of the blog" not in found[1].body


@pytest.mark.parametrize("stack", ["apache", *fronts()], ids=str)
def test_processes_are_separate(two_sites: Project, stack: str | Stack) -> None:
    """By default each site has processes of its own, and the forced module wins over the
    environment of the server, as that of an operator's shell might have one."""
    environ = {"DJANGO_SETTINGS_MODULE": "shop.settings"}
    arguments = chosen(stack).arguments
    with harness.deployrun(two_sites, *arguments, environ=environ) as server:
        shop = {server.get("/shop/").json["pid"] for _ in range(12)}
        blog = {server.get("/blog/").json["pid"] for _ in range(12)}
        assert not shop & blog
        assert server.get("/blog/").json["variable"] == "blog.settings"


def test_two_embedded_sites_are_refused(two_sites: Project) -> None:
    """One process for both is refused with the reason."""
    done = two_sites.manage("deployconfig", "apache", "--gateway", "mod_wsgi-embedded")
    assert done.returncode == 2
    assert "several sites in one process" in done.stderr
    assert done.stdout == ""


@pytest.fixture(scope="module", params=["apache", *PROXIED], ids=str)
def routing(request: pytest.FixtureRequest) -> Stack:
    """Every front, over HTTP and as CGI names a request."""
    return chosen(request.param)


def _documents(home: Path) -> Path:
    documents = home / "documents"
    documents.mkdir(parents=True)
    (documents / "index.html").write_text("<h1>the old site</h1>")
    (documents / ".env").write_text("SECRET=1")
    (documents / "out.txt").symlink_to("/etc/passwd")
    return documents


def _home(public: Path, stack: Stack, name: str) -> Path:
    return public / f"{name}-{stack.label.replace('/', '-').replace(' ', '-')}"


@pytest.fixture(scope="module", params=["", "/app"], ids=["root", "prefix"])
def routed(request: pytest.FixtureRequest, public: Path, routing: Stack) -> Iterator[Server]:
    """A site that answers two routes; a directory has the rest."""
    prefix = request.param
    home = _home(public, routing, f"routed{prefix.replace('/', '-')}")
    more = (
        f"FORCE_SCRIPT_NAME = {prefix or None!r}\n"
        'DEPLOYKIT = {"SITE": {"ROUTES": ["/accounts/", "/api/v1/"], '
        f'"DOCUMENTS": {str(_documents(home))!r}}}}}\n'
    )
    project = small_projects.make(home / "project", {"portal": more})
    with harness.deployrun(project, *routing.arguments, prefix=prefix) as server:
        yield server


def test_django_below_a_url_of_an_existing_site(public: Path, routing: Stack) -> None:
    """Its prefix is Django's; every other URL of the host is a file, or nothing."""
    home = _home(public, routing, "below")
    more = (
        'FORCE_SCRIPT_NAME = "/app"\n'
        f'DEPLOYKIT = {{"SITE": {{"DOCUMENTS": {str(_documents(home))!r}}}}}\n'
    )
    project = small_projects.make(home / "project", {"below": more})
    with harness.deployrun(project, *routing.arguments, prefix="/app") as server:
        seen = server.get("/any/").json
        assert (seen["script_name"], seen["path_info"]) == ("/app", "/any/")
        found = "the old site" in server.request("GET", "/index.html").text
        assert found is routing.serves_files
        for path in ("/application/", "/any/", "/.env", "/documents/../app.py"):
            assert server.request("GET", path).status == 404


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts", "/api/v1/x%3Fy/"])
def test_routes_keep_their_path(routed: Server, path: str) -> None:
    """Django sees the whole path below its prefix, the matched part included."""
    seen = routed.get(path).json
    assert seen["script_name"] == routed.prefix
    assert seen["path_info"] == path.replace("%3F", "?")


@pytest.mark.parametrize("path", ["/accountsx/", "/api/", "/api/v10/", "/unknown"])
def test_other_urls_are_not_djangos(routed: Server, path: str) -> None:
    """A URL that no route names is not handed to Django."""
    answer = routed.get(path)
    assert answer.status == 404
    assert "application/json" not in answer.headers["Content-Type"]


def test_the_rest_is_a_directory(routed: Server, routing: Stack) -> None:
    """The documents answer at the root of the host, without their dot-files; where the front sends
    files."""
    assert ("the old site" in routed.request("GET", "/").text) is routing.serves_files
    assert routed.request("GET", "/.env").status == 404
    assert routed.request("GET", "/out.txt").status in (403, 404)


def test_an_environment_file_reaches_the_application(public: Path) -> None:
    """mod_wsgi passes no environment on; the file is read by the emitted script."""
    file = public / "site.env"
    file.write_text("FROM_ENV_FILE=it is read\n")
    file.chmod(0o640)
    if user := harness.server_user():
        shutil.chown(file, user)
    more = f'DEPLOYKIT = {{"SITE": {{"ENV_FILE": {str(file)!r}}}}}\n'
    project = small_projects.make(public / "environment", {"env_site": more})
    stack = apache()
    assert "FROM_ENV_FILE" not in os.environ
    with harness.deployrun(project, *stack.arguments) as server:
        assert server.get("/").json["secret"] == "it is read"
