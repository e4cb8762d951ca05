"""Several sites on one server, each read in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from django_deploykit.config import findings
from django_deploykit.config.introspect import introspect_sites
from tests.projects import Project, start_project

SITES = "DEPLOYKIT = {{'SITES': {sites!r}}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return start_project(tmp_path / "shop", "ALLOWED_HOSTS = ['shop.example.com']\n")


def deploy(project: Project, sites: dict[str, Any], *args: str, **environ: str) -> Any:
    """Run deployconfig with these sites, each site a dict or the text of its settings."""
    listed = {}
    for name, site in sites.items():
        if isinstance(site, str):
            project.write(f"{name}_settings.py", f"from shop.settings import *\n{site}\n")
            site = {"settings": f"{name}_settings"}
        listed[name] = site
    project.write("main.py", "from shop.settings import *\n" + SITES.format(sites=listed))
    return project.manage("deployconfig", "apache", *args, "--settings=main", **environ)


def hosts(name: str, more: str = "") -> str:
    return f"ALLOWED_HOSTS = ['{name}.example.com']\n{more}"


def refused(done: CompletedProcess[str]) -> str:
    """The message of a command that printed nothing and ended with the status of a mistake."""
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_every_site_has_its_own_settings(project: Project) -> None:
    """More sites than processors: none is read where another one was read before."""
    names = [f"site{number}" for number in range(5)]
    done = deploy(project, {name: hosts(name) for name in names}, "--set", "processes=1")
    assert done.returncode == 0, done.stderr
    for name in names:
        assert done.stdout.count(f"ServerName {name}.example.com") == 1


def test_sites_say_where_they_are(project: Project) -> None:
    """SITES may give hosts and prefix, so that one settings module serves under many names."""
    site = {"settings": "shop.settings"}
    sites = {
        "a": {**site, "hosts": ["example.com"], "prefix": "/a"},
        "b": {**site, "hosts": ["example.com"], "prefix": "/b"},
    }
    done = deploy(project, sites)
    assert done.returncode == 0, done.stderr
    assert "WSGIScriptAlias /a " in done.stdout
    assert "WSGIScriptAlias /b " in done.stdout


def test_what_settings_print_is_not_configuration(project: Project) -> None:
    """Output of a settings module never ends up on stdout."""
    noisy = "import os; print('hello'); os.write(1, b'there'); os.system('echo too')\n"
    done = deploy(project, {"a": hosts("a", noisy), "b": hosts("b")}, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"]
    assert all(word in done.stderr for word in ("hello", "there", "too"))


def test_environment_files_stay_with_their_site(project: Project) -> None:
    """What the settings of the command read into os.environ is not seen by the sites."""
    project.write("env", "SITE_HOST=first.example.com\n")
    read = "import environ; environ.Env.read_env(BASE_DIR / 'env')\n"
    listed = {"second": {"settings": "second_settings"}}
    project.write("main.py", "from shop.settings import *\n" + read + SITES.format(sites=listed))
    own = "import os\nALLOWED_HOSTS = [os.environ.get('SITE_HOST', 'second.example.com')]\n"
    project.write("second_settings.py", f"from shop.settings import *\n{own}")
    done = project.manage("deployconfig", "apache", "--settings=main")
    assert "ServerName second.example.com" in done.stdout
    assert "first" not in done.stdout
    done = project.manage("deployconfig", "apache", "--settings=main", SITE_HOST="real.example.com")
    assert "ServerName real.example.com" in done.stdout


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ("raise ValueError('hunter2')", "ValueError in "),
        ("int('hunter2')", "ValueError in "),
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("this is no Python", "SyntaxError in "),
        ("raise SystemExit('hunter2')", "ended its process (1)"),
        ("import os; os._exit(3)", "ended its process (3)"),
        ("ALLOWED_HOSTS = 'a.example.com'", "ImproperlyConfigured in "),
        ("INSTALLED_APPS = ['nowhere']", "ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_failing_site_is_one_finding(failure: str, said: str, project: Project) -> None:
    """A settings module that fails is named with the line, but not with what it tried to read."""
    message = refused(deploy(project, {"a": failure, "b": hosts("b")}))
    assert message.count("deploykit.E016") == 1
    assert "DEPLOYKIT['SITES']['a']" in message
    assert said in message
    assert "'hunter2'" not in message.replace("SystemExit('hunter2')", "")


@pytest.mark.parametrize(
    ("site", "id"),
    [
        ({}, "E016"),
        ({"settings": 5}, "E016"),
        ({"settings": "nowhere"}, "E016"),
        ({"settings": "tests.settings", "host": []}, "E001"),
        ({"settings": "tests.settings", "hosts": "a.example.com"}, "E002"),
        ({"settings": "tests.settings", "hosts": ["a b"]}, "E005"),
        ({"settings": "tests.settings", "prefix": "a"}, "E006"),
        (["tests.settings"], "E002"),
    ],
)
def test_malformed_site(site: Any, id: str, settings: Any) -> None:
    """What is wrong in an entry of SITES is named by its place there."""
    settings.DEPLOYKIT = {"SITES": {"a": site}}
    found = introspect_sites()[1]
    wrong = [one for one in found if one.kind.id == f"deploykit.{id}"]
    assert wrong[0].setting.startswith("DEPLOYKIT['SITES']['a']")


def test_rest_of_deploykit_is_looked_at(project: Project) -> None:
    """A misspelt section beside SITES is an error, not silently left out."""
    project.write(
        "main.py",
        "from shop.settings import *\n"
        "DEPLOYKIT = {'SITES': {'a': {'settings': 'shop.settings'}}, 'DEPLOYMNT': {}}\n",
    )
    message = refused(project.manage("deployconfig", "apache", "--settings=main"))
    assert "unknown key 'DEPLOYMNT'. Did you mean 'DEPLOYMENT'?" in message


def both(**second: Any) -> dict[str, Any]:
    """Two sites of the same hosts; ``second`` replaces what the second one has."""
    site = {"settings": "tests.settings", "hosts": ["example.com", "www.example.com"]}
    return {"a": {**site, "prefix": "/a"}, "b": {**site, "prefix": "/b", **second}}


@pytest.mark.parametrize(
    ("sites", "said"),
    [
        (both(prefix="/a"), "have the same hosts and the same prefix '/a'."),
        (both(hosts=["example.com"]), "share some hosts but not all, so that"),
        (both(hosts=[".example.com"]), "share some hosts but not all, so that"),
        (both(hosts=["*"]), "share some hosts but not all, so that"),
        (both(hosts=["www.example.com", "example.com"]), "name their hosts in different orders;"),
        (both(), "both serve '/static/'."),
    ],
)
def test_sites_that_contradict_each_other(sites: dict[str, Any], said: str, settings: Any) -> None:
    """Sites that no set of virtual hosts could tell apart are refused, with both names."""
    settings.DEPLOYKIT = {"SITES": sites}
    (conflict,) = (one for one in introspect_sites()[1] if one.kind is findings.SITES_CONFLICT)
    assert conflict.message.startswith(f"'a' and 'b' {said}")


def test_sites_beside_each_other(settings: Any) -> None:
    """Sites of different hosts may have everything else in common."""
    site = {"settings": "tests.settings"}
    settings.DEPLOYKIT = {"SITES": {n: {**site, "hosts": [f"{n}.example.com"]} for n in "ab"}}
    sites, found = introspect_sites()
    assert [site.name for site in sites] == ["a", "b"]
    assert not any(one.kind is findings.SITES_CONFLICT for one in found)


_KEEPS = {
    "DATABASES['default']['NAME'] = '{held}/db.sqlite3'": "holds the database '{held}/db.sqlite3'",
    "CACHES = {{'default': {{'BACKEND': 'django.core.cache.backends.filebased.FileBasedCache', "
    "'LOCATION': '{held}'}}}}": "holds the cache '{held}'",
    "DEPLOYKIT = {{'SITE': {{'ENV_FILE': '{held}/env'}}}}": "holds the environment file",
    "DEPLOYKIT = {{'SITE': {{'TLS': {{'CERTIFICATE': '{held}/c', 'KEY': '{held}/k'}}}}}}": (
        "holds the private key"
    ),
    "DEPLOYKIT = {{'SITE': {{'PROTECTED': {{'/p/': '{held}'}}}}}}": "holds the protected directory",
    "DEPLOYKIT = {{'SITE': {{'PROTECTED': {{'/p/': '{above}'}}}}}}": (
        "lies in a protected directory, DEPLOYKIT['SITE']['PROTECTED']"
    ),
    "DEPLOYKIT = {{'SITE': {{'AUTH_AREAS': {{'/p/': {{'POLICY': 'active', 'DIRECTORY': "
    "'{held}'}}}}}}}}": "holds the area '/p/'",
}


@pytest.mark.parametrize("kept", _KEEPS)
def test_no_site_serves_what_is_private_to_another(kept: str, project: Project) -> None:
    """Whatever hosts they have: the public directory of one holds nothing that another one keeps,
    and does not lie in what that one protects."""
    public = project.directory / "public"
    held = public / "of-b"
    held.mkdir(parents=True)
    for name in ("env", "c", "k"):
        (held / name).touch()
    where = {"held": held, "above": project.directory}
    sites = {
        "a": hosts("a", f"MEDIA_URL, MEDIA_ROOT = '/media/', {str(public)!r}\n"),
        "b": hosts("b", kept.format(**where) + "\n"),
    }
    message = refused(deploy(project, sites))
    assert "deploykit.E009" in message
    assert "a: MEDIA_ROOT: " in message
    assert _KEEPS[kept].format(**where) in message
    if "lies in" not in message:
        assert "of 'b'" in message


def test_no_root_file_is_private_to_another_site(project: Project) -> None:
    """A single file at the root of a host is no other site's secret either."""
    secret = project.write("b.env", "SECRET=1\n")
    sites = {
        "a": hosts("a", f"DEPLOYKIT = {{'SITE': {{'ROOT_FILES': {{'x': {str(secret)!r}}}}}}}\n"),
        "b": hosts("b", f"DEPLOYKIT = {{'SITE': {{'ENV_FILE': {str(secret)!r}}}}}\n"),
    }
    assert "is the environment file of 'b', and would be served" in refused(deploy(project, sites))


def test_sites_may_have_files_in_common(project: Project) -> None:
    """Uploads that one site serves and another one leaves alone, and one area of both."""
    for name in ("media", "area"):
        (project.directory / name).mkdir()
    area = "{'/a/': {'POLICY': 'active', 'DIRECTORY': BASE_DIR / 'area'}}"
    uploads = "MEDIA_URL, MEDIA_ROOT = '/media/', BASE_DIR / 'media'\n"
    settings = uploads + "DEPLOYKIT = {{'SITE': {{'MEDIA': {media!r}, 'AUTH_AREAS': {area}}}}}\n"
    sites = {
        name: hosts(name, settings.format(media=media, area=area))
        for name, media in (("a", "public"), ("b", "none"))
    }
    done = deploy(project, sites)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (
            "'ROUTES': ['/a/'], 'DOCUMENTS': {www!r}",
            "'ROUTES': ['/b/'], 'DOCUMENTS': {www!r}",
            "'a' and 'b' both have DOCUMENTS, for the rest of their host. Leave it to one.",
        ),
        (
            "'PREFIX': '/a', 'DOCUMENTS': {www!r}",
            "",
            "'a' has DOCUMENTS, for the rest of a host that 'b' answers.",
        ),
        ("'ROUTES': ['/a/'], 'DOCUMENTS': {www!r}", "'ROUTES': ['/b/']", ""),
    ],
)
def test_the_rest_of_a_host_is_there_once(a: str, b: str, said: str, project: Project) -> None:
    """DOCUMENTS of two sites, or beside one that answers every URL: no front could serve both."""
    www = project.directory / "www"
    www.mkdir()
    sites = {
        name: f"STATIC_URL = '/static-of-{name}/'\n"
        f"DEPLOYKIT = {{'SITE': {{{keys.format(www=str(www))}}}}}\n"
        for name, keys in (("a", a), ("b", b))
    }
    done = deploy(project, sites)
    if not said:
        assert (done.returncode, "DocumentRoot" in done.stdout) == (0, True), done.stderr
        return
    message = refused(done)
    assert "deploykit.E015" in message
    assert said in message
