"""What emitted scripts call: one site, its environment file, its prefix, its first error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from django_deploykit import contract
from django_deploykit.handlers.standalone import standalone
from tests.projects import ROOT

SETTINGS = """
    import os
    SECRET_KEY = 'x'
    INSTALLED_APPS = []
    ROOT_URLCONF = __name__
    urlpatterns = []
    STATIC_URL = 'static/'
    MEDIA_URL = 'media/'
    STATIC_ROOT = os.path.dirname(__file__)
    MIDDLEWARE = ['whitenoise.middleware.WhiteNoiseMiddleware']
    FROM_FILE = os.environ.get('FROM_FILE')
    NAME = __name__
"""
START = "from django_deploykit.handlers import bootstrap\nfrom django.conf import settings\n"
TWICE = """
    import json, traceback
    said = []
    for _ in range(4):
        try:
            bootstrap('one')
        except BaseException as error:
            depth = len(traceback.extract_tb(error.__traceback__))
            said.append([type(error).__name__, str(error), depth])
    print(json.dumps(said))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with two settings modules."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(dedent(SETTINGS))
    return tmp_path


def run(home: Path, script: str, **environ: str) -> Any:
    """Run a script in an interpreter of its own, as a server would; return what it printed."""
    path = os.pathsep.join([str(home), str(ROOT)])
    kept = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-c", START + dedent(script)],
        env={**kept, "PYTHONPATH": path, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_settings_are_forced(home: Path) -> None:
    """The module of the script wins over the environment."""
    script = "bootstrap('one')\nimport json; print(json.dumps(settings.NAME))"
    assert run(home, script, DJANGO_SETTINGS_MODULE="two") == "one"


def test_environment_file(home: Path) -> None:
    """The file is read before the settings are, and never overwrites what is set already."""
    (home / "env").write_text("FROM_FILE=file\nDJANGO_SETTINGS_MODULE=two\n")
    script = (
        f"bootstrap('one', env_file={str(home / 'env')!r})\n"
        "import json; print(json.dumps([settings.FROM_FILE, settings.NAME]))"
    )
    assert run(home, script) == ["file", "one"]
    assert run(home, script, FROM_FILE="environment") == ["environment", "one"]


def test_stack_is_named(home: Path) -> None:
    """The runtime learns which stack it is in from a variable that no request can carry."""
    script = (
        "bootstrap('one', stack='apache/mod_wsgi')\n"
        f"import json, os; print(json.dumps(os.environ[{contract.STACK_KEY!r}]))"
    )
    assert run(home, script) == "apache/mod_wsgi"


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("/app", ["/app/static/", "/app/media/"]), ("", ["/static/", "/media/"])],
)
def test_prefix_comes_before_the_first_look(prefix: str, expected: list[str], home: Path) -> None:
    """An application that looks at STATIC_URL while Django starts, and a first request that lies
    about the prefix, see and leave the right one."""
    (home / "early.py").write_text(
        dedent("""
        from django.apps import AppConfig

        class Early(AppConfig):
            name = 'early'

            def ready(self):
                from django.conf import settings
                settings.seen = settings.STATIC_URL
        """)
    )
    with (home / "one.py").open("a") as settings:
        settings.write("INSTALLED_APPS = ['early.Early']\n")
    script = f"""
        bootstrap('one', prefix={prefix!r})
        import json
        from django.urls import set_script_prefix
        set_script_prefix('/poison/')
        print(json.dumps([settings.seen, settings.STATIC_URL, settings.MEDIA_URL]))
    """
    assert run(home, script) == [expected[0], *expected]


@pytest.mark.parametrize(
    ("said", "expected"),
    [("", "/old"), (", prefix='/new'", "/new"), (", prefix=''", "")],
    ids=["nothing", "another", "none"],
)
def test_prefix_names_protected_files(said: str, expected: str, home: Path) -> None:
    """The server's files were written with the script, and have its prefix, whatever SITE says:
    SITES may replace it."""
    with (home / "one.py").open("a") as settings:
        settings.write(
            "DEPLOYKIT = {'SITE': {'PREFIX': '/old', 'PROTECTED': {'/files/': '/srv/files'}},\n"
            "    'SENDFILE': {'STORES': ['https://files.example']}}\n"
        )
    script = f"""
        bootstrap('one'{said})
        import json
        from django_deploykit.sendfile import policy
        found = policy.read()
        print(json.dumps([found.roots[0].url, found.stores[0][1]]))
    """
    names = [f"{expected}/files/", contract.store_url(expected, 0)]
    assert run(home, script) == names


def test_prefix_comes_before_whitenoise(home: Path) -> None:
    """WhiteNoise, which keeps the URL it starts with, finds files below the prefix."""
    (home / "style.css").write_text("p {}")
    script = """
        import json
        from wsgiref.util import setup_testing_defaults

        bootstrap('one', prefix='/app')
        from django.core.wsgi import get_wsgi_application

        environ, said = {'SCRIPT_NAME': '/app', 'PATH_INFO': '/static/style.css'}, []
        setup_testing_defaults(environ)
        get_wsgi_application()(environ, lambda *args: said.append(args[0])).close()
        print(json.dumps([*said, settings.STATIC_URL]))
    """
    assert run(home, script) == ["200 OK", "/app/static/"]


def test_second_site_is_refused(home: Path) -> None:
    """One interpreter belongs to one site, whichever way the second one comes."""
    script = """
        import json
        bootstrap('one')
        bootstrap('one')
        try:
            bootstrap('two')
        except Exception as error:
            print(json.dumps([type(error).__name__, str(error), settings.NAME]))
    """
    name, message, module = run(home, script)
    assert (name, module) == ("ImproperlyConfigured", "one")
    assert "already runs 'one' and cannot run 'two' too" in message


def test_django_of_another_site_is_refused(home: Path) -> None:
    """Neither may Django have been set up for another module before."""
    script = """
        import django, json, os
        os.environ['DJANGO_SETTINGS_MODULE'] = 'two'
        django.setup()
        try:
            bootstrap('one')
        except Exception as error:
            print(json.dumps([type(error).__name__, str(error)]))
    """
    name, message = run(home, script)
    assert name == "ImproperlyConfigured"
    assert "already set up for 'two'; this script is for 'one'" in message


@pytest.mark.parametrize(
    ("more", "name", "message"),
    [
        ("raise KeyError('SECRET_KEY')", "KeyError", "'SECRET_KEY'"),
        ("INSTALLED_APPS = ['nowhere']", "ModuleNotFoundError", "No module named 'nowhere'"),
        ("raise SystemExit('stop')", "SystemExit", "stop"),
    ],
)
def test_first_error_is_repeated(more: str, name: str, message: str, home: Path) -> None:
    """Every later load says what was wrong at the first, with a traceback that does not grow."""
    with (home / "one.py").open("a") as settings:
        settings.write(f"{more}\n")
    first, *later = run(home, TWICE)
    assert first[:2] == [name, message]
    assert [error[:2] for error in later] == [[name, message]] * 3
    assert len({error[2] for error in later}) == 1


def test_missing_environment_file_is_repeated(home: Path) -> None:
    """A file that cannot be read is an error of the site too, not an empty environment."""
    script = TWICE.replace("bootstrap('one')", "bootstrap('one', env_file='/nowhere/env')")
    assert [error[0] for error in run(home, script)] == ["FileNotFoundError"] * 4


class Client:
    """Calls a WSGI application, and remembers what the innermost one saw."""

    def __init__(self, **options: Any) -> None:
        self.seen: dict[str, Any] = {}
        self.application = standalone(self._application, **options)

    def _application(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        self.seen = dict(environ)
        start_response("200 OK", [])
        return iter([b"application"])

    def get(self, path: str, **environ: str) -> tuple[str, dict[str, str]]:
        answer: list[Any] = []
        request = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": "", **environ}
        body = self.application(request, lambda *args: answer.extend(args))
        b"".join(body)
        if close := getattr(body, "close", None):
            close()
        return answer[0], dict(answer[1])


@pytest.mark.parametrize(
    ("path", "status", "seen"),
    [
        ("/app/", "200 OK", ("/app", "/")),
        ("/app/a/b", "200 OK", ("/app", "/a/b")),
        ("/app//a", "200 OK", ("/app", "//a")),
        ("/application", "404 Not Found", None),
        ("/", "404 Not Found", None),
        ("/APP/", "404 Not Found", None),
    ],
)
def test_mount(path: str, status: str, seen: tuple[str, str] | None, tmp_path: Path) -> None:
    """Only what lies below the prefix reaches the application, and it is told the prefix."""
    client = Client(prefix="/app")
    assert client.get(path)[0] == status
    environ = client.seen
    assert (environ and (environ["SCRIPT_NAME"], environ["PATH_INFO"])) == (seen or {})


def test_prefix_without_slash_leads_to_the_one_with(tmp_path: Path) -> None:
    """Relative links of the first page need the slash."""
    status, headers = Client(prefix="/app").get("/app")
    assert status == "301 Moved Permanently"
    assert headers["Location"] == "/app/"


@pytest.mark.parametrize(
    ("mode", "said", "path", "seen"),
    [
        ("kept", "/app", "/app/x", ("/app", "/x")),
        ("stripped", "/app", "/x", ("/app", "/x")),
        ("stripped", "/app", "/app/x", ("/app", "/app/x")),  # P3: nothing is guessed.
        ("stripped", "/app/deep", "/x", ("/app/deep", "/x")),
        ("kept", "/outer", "/outer/app/x", ("/outer/app", "/x")),
        ("stripped", "/outer", "/app/x", ("/outer/app", "/x")),
        ("stripped", "/application", "/app/x", ("/application/app", "/x")),
        ("stripped", "/outer", "/x", None),
        ("kept", "/outer", "/outer/application", None),
    ],
)
def test_a_proxy_may_name_the_prefix(
    mode: str, said: str, path: str, seen: tuple[str, str] | None, settings: Any
) -> None:
    """What it has named, and what is off the path, is not asked for twice; a prefix of its own
    comes before the site's."""
    header = "X-Forwarded-Prefix"
    section = {"TRUSTED": ["10.0.0.1"], "HEADERS": [header], "PREFIX": {"MODE": mode}}
    settings.DEPLOYKIT = {"PROXY": section}
    client = Client(prefix="/app")
    keys = {
        "REMOTE_ADDR": "10.0.0.1",
        "wsgi.url_scheme": "http",
        contract.environ_key(header): said,
    }
    assert client.get(path, **keys)[0] == ("200 OK" if seen else "404 Not Found")
    if seen:
        assert (client.seen["SCRIPT_NAME"], client.seen["PATH_INFO"]) == seen
    stranger = client.get("/app/x", **{**keys, "REMOTE_ADDR": "10.0.0.2"})
    assert stranger[0] == "200 OK"
    assert (client.seen["SCRIPT_NAME"], client.seen["PATH_INFO"]) == ("/app", "/x")


def test_the_slash_follows_the_whole_prefix(settings: Any) -> None:
    """A browser knows the proxy's URL alone."""
    section = {"TRUSTED": ["10.0.0.1"], "HEADERS": ["X-Forwarded-Prefix"]}
    settings.DEPLOYKIT = {"PROXY": section}
    keys = {"REMOTE_ADDR": "10.0.0.1", "wsgi.url_scheme": "http"}
    _, headers = Client(prefix="/app").get("/app", HTTP_X_FORWARDED_PREFIX="/outer", **keys)
    assert headers["Location"] == "/outer/app/"


def test_root_is_not_mounted() -> None:
    """Without a prefix every path is the application's."""
    client = Client()
    assert client.get("/app")[0] == "200 OK"
    assert (client.seen["SCRIPT_NAME"], client.seen["PATH_INFO"]) == ("", "/app")


def test_static_files(tmp_path: Path) -> None:
    """Files are served below their URL; hashed names never change, others are asked for anew."""
    for name in ("style.css", "style.0123456789ab.css"):
        (tmp_path / name).write_text("p {}")
    files = {"/app/static/": str(tmp_path)}
    client = Client(prefix="/app", files=files, hashed=True)
    plain, hashed = (
        client.get(f"/app/static/{name}") for name in ("style.css", "style.0123456789ab.css")
    )
    assert plain[0] == hashed[0] == "200 OK"
    assert plain[1]["Content-Type"].startswith("text/css")
    assert "max-age=0" in plain[1]["Cache-Control"]
    assert "immutable" in hashed[1]["Cache-Control"]
    assert client.get("/app/static/none.css")[0] == "404 Not Found"
    assert client.seen == {}


def test_names_without_hash_may_change(tmp_path: Path) -> None:
    """Without a manifest, what looks like a hash is only a name."""
    (tmp_path / "style.0123456789ab.css").write_text("p {}")
    client = Client(files={"/static/": str(tmp_path)})
    headers = client.get("/static/style.0123456789ab.css")[1]
    assert "immutable" not in headers["Cache-Control"]


@pytest.mark.parametrize("key", contract.CLIENT_FORBIDDEN_KEYS)
def test_forbidden_header_is_dropped(key: str) -> None:
    """What only a proxy may say does not reach the application."""
    client = Client()
    client.get("/", **{key: "x", "HTTP_ACCEPT": "y"})
    assert key not in client.seen
    assert client.seen["HTTP_ACCEPT"] == "y"


def test_environ_is_added() -> None:
    """SITE['ENVIRON'] arrives under its own names, and no request replaces it."""
    client = Client(environ={"CAMPUS": "north"})
    client.get("/", CAMPUS="south")
    assert client.seen["CAMPUS"] == "north"
