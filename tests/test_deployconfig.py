"""``manage.py deployconfig``: what is printed where, what is written, and the exit status."""

from __future__ import annotations

import grp
import json
import os
import pty
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command

from django_deploykit.config import installed
from django_deploykit.config.access import server_account, server_group
from django_deploykit.config.appservers import installed as appservers
from django_deploykit.config.registry import renderers
from django_deploykit.config.servers.apache import installed as apache
from tests.projects import Project, start_project
from tests.servers.harness import public_directory
from tests.servers.stacks import STACKS

SECRET = "correct-horse-battery-staple"
ESCAPE = "\x1b["


@dataclass(frozen=True)
class Done:
    """How a command in this process ended."""

    status: int
    stdout: str
    stderr: str


Deploy = Callable[..., Done]


@pytest.fixture
def deploy(settings: Any, tmp_path: Path) -> Deploy:
    """Run deployconfig with the settings of the test run, and collected static files."""
    collected = tmp_path / "static"
    collected.mkdir()
    (collected / "style.css").touch()
    settings.STATIC_ROOT = str(collected)

    def deploy(*args: str) -> Done:
        out, err = StringIO(), StringIO()
        try:
            call_command("deployconfig", *args, stdout=out, stderr=err)
        except CommandError as error:
            return Done(error.returncode, out.getvalue(), f"{err.getvalue()}{error}\n")
        return Done(0, out.getvalue(), err.getvalue())

    return deploy


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A fresh project with one added line, and settings that are nobody's business."""
    return start_project(tmp_path_factory.mktemp("fresh") / "shop")


def snapshot(directory: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def test_fresh_project(fresh: Project) -> None:
    """startproject and one line in INSTALLED_APPS are enough."""
    done = fresh.manage("deployconfig", "apache")
    assert done.returncode == 0
    assert "\nWSGIDaemonProcess shop " in done.stdout
    assert "Alias /static/admin/ " in done.stdout
    assert "deploykit.W053" in done.stderr


def test_stdout_is_the_configuration_alone(deploy: Deploy, settings: Any) -> None:
    """Warnings and notes go to stderr, so that stdout can go into a file."""
    settings.ALLOWED_HOSTS = ["*"]
    done = deploy("apache")
    assert done.status == 0
    assert done.stdout.startswith("# Written by django-deploykit ")
    assert "warning: ALLOWED_HOSTS: " in done.stderr
    assert "note: modules to enable: " in done.stderr
    assert not any(word in done.stdout for word in ("warning:", "note:"))


def test_what_a_urlconf_prints_is_no_configuration(tmp_path: Path) -> None:
    """It is imported by the command, and whatever it says would be a line that no server knows."""
    project = start_project(tmp_path / "shop")
    project.write("shop/urls.py", "print('Routes are read.')\nurlpatterns = []\n")
    done = project.manage("deployconfig", "apache")
    assert done.stdout.startswith("# Written by django-deploykit ")
    assert "Routes are read." not in done.stdout
    assert "Routes are read." in done.stderr


@pytest.mark.parametrize("target", renderers())
def test_every_target_is_printed(target: str, deploy: Deploy) -> None:
    """Each target of the list can be printed for a plain project."""
    done = deploy(target)
    assert done.status == 0, done.stderr
    assert done.stdout.count("\n") >= 3


def test_output_is_deterministic(fresh: Project) -> None:
    """Two runs, with other hashes and another locale, print the same bytes."""
    texts = {
        fresh.manage("deployconfig", "apache", "--format", "json", **environ).stdout
        for environ in ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2", "LC_ALL": "C"})
    }
    assert len(texts) == 1


@pytest.mark.parametrize("args", [[], ["--list"], ["apache", "--list"]])
def test_list(args: list[str], deploy: Deploy) -> None:
    """Without a target, or when asked, the command says which there are and what fits."""
    done = deploy(*args)
    assert done.status == 0
    for name, renderer in renderers().items():
        assert f"{name:16} {renderer.summary}\n" in done.stdout
        assert f"gateways: {', '.join(renderer.gateways)}\n" in done.stdout
    assert "For tests: start with 'manage.py deployconfig apache'." in done.stdout


def test_list_of_a_project_with_errors(deploy: Deploy, settings: Any) -> None:
    """The list is there for a project that cannot be deployed yet, and says why."""
    settings.ALLOWED_HOSTS = []
    settings.DEPLOYKIT = {"DEPLOYMENT": {"threads": 0}}
    done = deploy()
    assert done.status == 0
    assert "apache" in done.stdout
    assert "Nothing fits before this is mended:\n" in done.stdout
    assert "deploykit.E004" in done.stdout
    assert "deploykit.E018" in done.stdout


def test_list_of_an_asgi_project(deploy: Deploy, settings: Any) -> None:
    """A project without WSGI is told what fits it: a front, and behind it an ASGI server."""
    settings.WSGI_APPLICATION = None
    settings.ASGI_APPLICATION = "tests.wsgi.application"
    assert "For tests: start with 'manage.py deployconfig nginx' (" in deploy().stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["apach"], "unknown target 'apach'. Did you mean 'apache'?"),
        (["apache", "--gateway", "ajp"], "target 'apache': unknown gateway 'ajp'."),
        (["apache", "--set", "thread=3"], "unknown key 'thread'. Did you mean 'threads'?"),
        (["apache", "--set", "threads=0"], "threads='0' is not allowed."),
        (["apache", "--set", "threads"], "'threads' is not of the form KEY=VALUE."),
        (["apache", "--set", "threads=1", "--set", "threads=2"], "'threads' is given twice."),
        (["apache", "--set", "user=a\nb"], "'user=a\\nb' has more than one line."),
        (["apache", "--set", "log_directory=/a\nListen 81"], "has more than one line."),
        (["apache", "--set", "listen=127.0.0.1:80,\n[::1]:80"], "has more than one line."),
        (["apache", "--check"], "add --output DIRECTORY."),
        (["apache", "--diff"], "add --output DIRECTORY."),
        (["apache", "--force"], "add --output DIRECTORY."),
        (["apache", "--format", "json", "--explain"], "leave out --diff and --explain."),
        (["--output", "deploy", "--check"], "--output and --check: name a target;"),
        (["--set", "bogus=1"], "--set: name a target;"),
        (["--app-server", "uwsgi"], "--app-server: name a target;"),
        (["--validate"], "--validate: name a target;"),
        (["--format", "json"], "--format: name a target;"),
    ],
)
def test_mistake(args: list[str], said: str, deploy: Deploy) -> None:
    """A mistake on the command line is one message, status 2, and nothing on stdout."""
    done = deploy(*args)
    assert (done.status, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ["--check", "--diff"],
        ["--explain", "--validate"],
        ["--format", "xml"],
        ["--output", ""],
        ["--wrong"],
    ],
)
def test_options_that_exclude_each_other(args: list[str], fresh: Project) -> None:
    """The command line itself refuses what cannot be meant, with the same status."""
    done = fresh.manage("deployconfig", "apache", *args)
    assert (done.returncode, done.stdout) == (2, "")


def test_all_settings_at_fault_are_named(deploy: Deploy, settings: Any) -> None:
    """One run shows every error, so that one round of mending is enough."""
    settings.ALLOWED_HOSTS = []
    settings.STATIC_ROOT = None
    settings.STATICFILES_DIRS = [str(Path(__file__).parent)]
    settings.DEPLOYKIT = {"SITE": {"NMAE": "shop"}, "DEPLOYMENT": {"threads": 0}}
    done = deploy("apache")
    assert (done.status, done.stdout) == (2, "")
    for id in ("E001", "E004", "E008", "E018"):
        assert f"(deploykit.{id})" in done.stderr


def test_hostile_value_is_refused_by_name(deploy: Deploy, settings: Any) -> None:
    """A value that no quoting can carry is refused, with the setting it came from."""
    settings.DEPLOYKIT = {"SITE": {"ENVIRON": {"LABEL": "a${PATH}b"}}}
    done = deploy("apache")
    assert (done.status, done.stdout) == (2, "")
    assert "'a${PATH}b' from DEPLOYKIT['SITE']['ENVIRON']['LABEL'] cannot be written" in done.stderr


def test_written_set(deploy: Deploy, tmp_path: Path) -> None:
    """--output writes the whole stack, says so on stderr, and does nothing the second time."""
    directory = tmp_path / "deploy"
    done = deploy("apache", "--output", str(directory))
    assert (done.status, done.stdout) == (0, "")
    files = snapshot(directory)
    assert str(directory / "apache" / "tests.conf") in files
    assert str(directory / "apache" / "tests_wsgi.py") in files
    assert done.stderr.count("wrote: ") == len(files)
    again = deploy("apache", "--output", str(directory))
    assert again.stderr.count("unchanged: ") == len(files)
    assert snapshot(directory) == files


def test_relative_output(deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Emitted files name each other by absolute paths, however the directory was given."""
    monkeypatch.chdir(tmp_path)
    deploy("apache", "--output", "deploy")
    assert (
        str(tmp_path / "deploy/apache/tests_wsgi.py")
        in (tmp_path / "deploy/apache/tests.conf").read_text()
    )


def test_check_and_diff(deploy: Deploy, tmp_path: Path) -> None:
    """Drift is status 1, with the files on stdout; no drift is status 0, with nothing."""
    args = ["apache", "--output", str(tmp_path / "deploy")]
    missing = deploy(*args, "--check")
    assert missing.status == 1
    assert "apache/tests.conf: missing\n" in missing.stdout
    assert not (tmp_path / "deploy").exists()
    deploy(*args, "--set", "threads=3")
    assert deploy(*args, "--set", "threads=3", "--check").status == 0
    assert deploy(*args, "--set", "threads=3", "--diff").stdout == ""
    before = snapshot(tmp_path)
    outdated = deploy(*args, "--set", "threads=4", "--check")
    assert outdated.status == 1
    assert "apache/tests.conf: outdated: settings, choices or versions changed\n" in outdated.stdout
    diff = deploy(*args, "--set", "threads=4", "--diff")
    assert diff.status == 1
    changed = [line for line in diff.stdout.splitlines() if "WSGIDaemonProcess" in line]
    assert ['threads="3"' in changed[0], 'threads="4"' in changed[1]] == [True, True]
    assert [line[0] for line in changed] == ["-", "+"]
    assert snapshot(tmp_path) == before


def test_diff_of_a_file_in_another_encoding(fresh: Project, tmp_path: Path) -> None:
    """Somebody's comment in Latin-1 is shown as it is."""
    args = ["deployconfig", "apache", "--output", str(tmp_path)]
    assert fresh.manage(*args).returncode == 0
    (written,) = (tmp_path / "apache").glob("*.conf")
    written.write_bytes(written.read_bytes() + b"# Gr\xfc\xdfe\n")
    done = fresh.manage(*args, "--diff")
    assert done.returncode == 1
    assert "-# Gr\udcfc\udcdfe\n" in done.stdout


def test_spelling_of_the_command_is_no_drift(deploy: Deploy, tmp_path: Path) -> None:
    """The default gateway and application server may be named or not, and choices stand in any
    order."""
    args = ["--output", str(tmp_path), "--set", "threads=3", "--set", "processes=2"]
    deploy("apache", *args)
    other = ["--set", "processes=2", "--set", "threads=3", "--gateway", "mod_wsgi"]
    assert deploy("apache", "--output", str(tmp_path), *other, "--check").status == 0
    deploy("nginx", "--output", str(tmp_path))
    named = ["--app-server", "gunicorn"]
    assert deploy("nginx", "--output", str(tmp_path), *named, "--check").status == 0


def test_the_way_of_naming_settings_is_no_drift(fresh: Project, tmp_path: Path) -> None:
    """An option, the environment, or manage.py's own default: the same module is the same text."""
    args = ["deployconfig", "nginx", "--output", str(tmp_path)]
    assert fresh.manage(*args).returncode == 0
    assert fresh.manage(*args, "--check", "--settings", "shop.settings").returncode == 0
    environ = {"DJANGO_SETTINGS_MODULE": "shop.settings"}
    assert fresh.manage(*args, "--check", **environ).returncode == 0
    (written,) = (tmp_path / "nginx").glob("*.conf")
    first = written.read_text().splitlines()[0]
    assert first.endswith(": manage.py deployconfig nginx --settings shop.settings")


@pytest.mark.parametrize("content", ["Listen 80\n", "# mine\n{text}", "{text}# mine\n"])
def test_somebodys_file_is_kept(content: str, deploy: Deploy, tmp_path: Path) -> None:
    """A foreign or hand-edited file is only overwritten when told to; until then nothing is."""
    args = ["apache", "--output", str(tmp_path / "deploy")]
    deploy(*args)
    path = tmp_path / "deploy" / "apache" / "tests.conf"
    path.write_text(content.replace("{text}", path.read_text()))
    before = snapshot(tmp_path)
    done = deploy(*args, "--set", "threads=9")
    assert done.status == 2
    assert str(path) in done.stderr
    assert "overwrite with --force" in done.stderr
    assert snapshot(tmp_path) == before
    assert deploy(*args, "--set", "threads=9", "--force").status == 0
    assert 'threads="9"' in path.read_text()


@pytest.mark.parametrize("place", ["file", "/proc/deploy", "/dev/null/deploy"])
def test_unwritable_output(place: str, deploy: Deploy, tmp_path: Path) -> None:
    """A directory that cannot be made is one message, and leaves everything as it was."""
    (tmp_path / "file").write_text("mine")
    before = snapshot(tmp_path)
    done = deploy("apache", "--output", str(tmp_path / place))
    assert (done.status, done.stdout) == (2, "")
    assert "Nothing was changed." in done.stderr
    assert snapshot(tmp_path) == before


def test_explain_covers_every_directive(deploy: Deploy) -> None:
    """Below each line of the configuration stands why it is there, and below all the sizes,
    and what was measured."""
    plain = deploy("apache").stdout.splitlines()[2:]
    explained = deploy("apache", "--explain").stdout.splitlines()
    while explained[-1].startswith(("sizing: ", "measured")):
        explained.pop()
    reasons = [line for line in explained if line.lstrip().startswith("← ")]
    assert [line for line in explained if line not in reasons] == plain
    before = ["", *plain]
    directives = [
        line
        for previous, line in zip(before, plain, strict=False)
        if line.strip() and line.lstrip()[:2] not in ("# ", "</") and not previous.endswith("\\")
    ]
    assert len(reasons) == len(directives)
    assert all(len(line.strip()) > len("← why") for line in reasons)


def test_json(deploy: Deploy, settings: Any, tmp_path: Path) -> None:
    """The same facts for programs: files, warnings, needs, and what would be denied."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.MEDIA_ROOT, settings.MEDIA_URL = str(tmp_path / "mèdia"), "/media/"
    done = deploy("apache", "--format", "json")
    document = json.loads(done.stdout)
    assert (done.status, done.stderr) == (0, "")
    names = ["denied", "files", "measured", "needs", "sizes", "user", "warnings"]
    assert sorted(document) == names
    (file,) = document["files"]
    assert file["text"] == deploy("apache").stdout
    assert (file["path"], file["mode"]) == ("apache/tests.conf", "0644")
    assert all(one["why"] for one in file["explain"])
    assert "deploykit.W055" in [one.get("id") for one in document["warnings"]]
    assert "headers" in document["needs"]["modules"]
    media = [one for one in document["needs"]["access"] if one["write"]]
    assert [one["path"] for one in media] == [str(tmp_path / "mèdia")]
    assert [media[0]["owner"], media[0]["mode"]] == [document["user"], "0755"]


def test_private_directories_are_open_to_the_server_alone(
    deploy: Deploy, settings: Any, tmp_path: Path
) -> None:
    """What a view protects is no other account's to read: 0750, with the server's group."""
    settings.MEDIA_ROOT, settings.MEDIA_URL = str(tmp_path / "media"), "/media/"
    settings.DEPLOYKIT = {"SITE": {"PROTECTED": {"/files/": str(tmp_path / "files")}}}
    notes = deploy("apache", "--set", "user=nobody").stderr
    group = server_group()
    assert f"{tmp_path / 'media'}, owner nobody, mode 0755 (uploaded files)" in notes
    assert f"{tmp_path / 'files'}, owner nobody, group {group}, mode 0750 (protected" in notes
    document = json.loads(deploy("apache", "--format", "json").stdout)
    modes = {one["path"]: one["mode"] for one in document["needs"]["access"] if one["write"]}
    assert modes[str(tmp_path / "files")] == "0750"
    assert modes[str(tmp_path / "media")] == "0755"


@pytest.mark.parametrize("choice", ["protected", "none"])
def test_closed_uploads_are_not_looked_into(
    choice: str, deploy: Deploy, settings: Any, tmp_path: Path
) -> None:
    """No file at any URL where uploads that are not public, or a cache, lie among such files."""
    settings.DEPLOYKIT = {"SITE": {"MEDIA": choice}}
    settings.MEDIA_ROOT, settings.MEDIA_URL = str(tmp_path / "media"), "/media/"
    done = deploy("nginx", "--set", "static_lookup=file")
    assert done.status
    assert f"uploaded files that are not public ({str(tmp_path / 'media')!r})" in done.stderr
    settings.MEDIA_ROOT = ""
    assert deploy("nginx", "--set", "static_lookup=file").status == 0
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": tmp_path / "cache"}}
    done = deploy("nginx", "--set", "static_lookup=file")
    assert f"holds a cache ({str(tmp_path / 'cache')!r})" in done.stderr


def test_json_says_how_files_compare(deploy: Deploy, tmp_path: Path) -> None:
    """With --check, stdout is still one JSON document, and holds the state of each file."""
    args = ["apache", "--output", str(tmp_path / "deploy"), "--format", "json"]
    before = deploy(*args, "--check")
    assert before.status == 1
    assert {one["state"] for one in json.loads(before.stdout)["files"]} == {"missing"}
    assert {one["state"] for one in json.loads(deploy(*args).stdout)["files"]} == {"missing"}
    after = deploy(*args, "--check")
    assert after.status == 0
    assert {one["state"] for one in json.loads(after.stdout)["files"]} == {"up to date"}


def test_permission_walk_names_the_component(deploy: Deploy, settings: Any, tmp_path: Path) -> None:
    """A path that the server's user cannot reach is reported with the directory that closes it."""
    closed = tmp_path / "closed"
    (closed / "static").mkdir(parents=True)
    (closed / "static" / "style.css").touch()
    closed.chmod(0o700)
    tmp_path.chmod(0o755)
    settings.STATIC_ROOT = str(closed / "static")
    document = json.loads(deploy("apache", "--format", "json", "--set", "user=nobody").stdout)
    denied = {one["path"]: one["component"] for one in document["denied"]}
    # The directories above are pytest's own, which may be closed already.
    assert denied[str(closed / "static")] in [str(closed), *map(str, closed.parents)]
    assert "note: 403 for nobody: " in deploy("apache", "--set", "user=nobody").stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of somebody else")
def test_what_keeps_every_page_from_being_answered_is_said(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database and a log that root has made in a directory that is the application's."""
    with public_directory() as directory:
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        database, logs = directory / "db.sqlite3", directory / "logs"
        engine = "django.db.backends.sqlite3"
        databases = {"default": {"ENGINE": engine, "NAME": str(database)}}
        monkeypatch.setattr(django_settings, "DATABASES", databases)
        handler = {"class": "logging.FileHandler", "filename": str(logs / "django.log")}
        logging = {"version": 1, "handlers": {"file": handler}}
        monkeypatch.setattr(django_settings, "LOGGING", logging)
        there_is_none = f"403 for nobody: {logs} (LOGGING): there is no {logs}"
        assert there_is_none in deploy("apache", "--set", "user=nobody").stderr
        logs.mkdir()
        database.touch()
        said = deploy("apache", "--set", "user=nobody").stderr
        write = "the user may not write to"
        assert f"403 for nobody: {database} (the SQLite database): {write} {database}" in said
        assert f"403 for nobody: {logs} (LOGGING): {write} {logs}" in said
        for path in (database, logs):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        said = deploy("apache", "--set", "user=nobody").stderr
        assert f"403 for nobody: {directory}" not in said


def test_the_web_server_has_to_read_what_it_sends(
    deploy: Deploy, settings: Any, tmp_path: Path
) -> None:
    """A user of the application's own owns the files, and the web server sends them as another one;
    without a front, the application does."""
    collected = Path(settings.STATIC_ROOT)
    collected.chmod(0o700)
    me, front = pwd.getpwuid(os.geteuid()).pw_name, server_account()
    stopped = f"note: 403 for {front}: {collected} (static files): the user may not pass "
    notes = deploy("nginx", "--set", f"user={me}").stderr
    assert stopped in notes
    assert f"403 for {me}: {collected}" not in notes
    assert stopped not in deploy("gunicorn", "--set", f"user={me}").stderr
    document = json.loads(deploy("nginx", "--set", f"user={me}", "--format", "json").stdout)
    assert {one["user"] for one in document["denied"] if one["path"] == str(collected)} == {front}


def test_the_group_of_the_application_may_read_its_secrets(deploy: Deploy, settings: Any) -> None:
    """After the step that the notes tell, nothing is said of the environment file any more."""
    with public_directory() as directory:
        file = directory.resolve() / "site.env"
        file.touch()
        file.chmod(0o640)
        settings.DEPLOYKIT = {"SITE": {"ENV_FILE": str(file)}}
        group = grp.getgrgid(file.stat().st_gid).gr_name
        args = ["nginx", "--set", "user=nobody"]
        denied = f"403 for nobody: {file} "
        assert denied in deploy(*args).stderr
        assert denied not in deploy(*args, "--set", f"group={group}").stderr


def test_a_module_for_another_python_is_said(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every page would be an error: mod_wsgi as it is installed here cannot run this Python. Of
    another machine's, nothing is known."""
    module = tmp_path / "mod_wsgi.so"
    module.write_bytes(b"\0libpython3.8.so.1.0\0" + b"\0" + b"4.9.4\0")
    monkeypatch.setattr(apache, "package_module", lambda: None)
    monkeypatch.setattr(apache, "distribution_module", lambda: module)
    said = f"{str(module)!r} was built for Python 3.8, but the project runs on Python"
    assert f"warning: {said}" in deploy("apache").stderr
    assert said in deploy("apache", "--format", "json").stdout.replace("\\", "")
    for choice in ("python_home=/srv/venv", "mod_wsgi_version=5.0"):
        assert said not in deploy("apache", "--set", choice).stderr
    assert said not in deploy("apache", "--gateway", "http").stderr


@pytest.mark.parametrize(
    ("target", "server"), [("nginx", "gunicorn"), ("lighttpd", "uwsgi"), ("twisted", "twisted")]
)
def test_a_server_that_is_not_installed_is_said(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch, target: str, server: str
) -> None:
    """Before its service fails. What another machine has is not known here."""
    said = f"warning: {server} is not installed here: pip install 'django-deploykit[{server}]'."
    arguments = [target] if target == server else [target, "--app-server", server]
    assert said not in deploy(*arguments).stderr
    monkeypatch.setattr(appservers, "find_spec", lambda name: None)
    assert said in deploy(*arguments).stderr
    assert said not in deploy(*arguments, "--set", "python_home=/srv/venv").stderr


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"THROTTLE": {"FAILURES": "x"}}, "DEPLOYKIT['AUTH']['THROTTLE']['FAILURES']: 'x'"),
        ({"POLICIES": {"svn": "perm:a.b"}}, "DEPLOYKIT['AUTH']['POLICIES']['svn']: no model"),
        ({"CACHE": {"SHARED": "none"}}, "DEPLOYKIT['AUTH']['CACHE']['SHARED']: CACHES has no"),
    ],
)
def test_what_keeps_every_user_out_is_said(
    deploy: Deploy, settings: Any, section: dict[str, Any], message: str
) -> None:
    """Areas would be written that nobody may enter; "manage.py check" says the same."""
    settings.DEPLOYKIT = {"AUTH": section}
    done = deploy("apache")
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr


def test_unknown_user_is_said(deploy: Deploy) -> None:
    """Without the server's user on this machine, nobody pretends to have looked."""
    done = deploy("apache", "--set", "user=no-such-user")
    assert "note: permissions were not looked at: " in done.stderr


@pytest.mark.server
def test_validate(deploy: Deploy, tmp_path: Path) -> None:
    """The server's own checker reads what would be written, and nothing is written."""
    STACKS["apache/mod_wsgi from the package index"].require()
    before = snapshot(tmp_path)
    done = deploy("apache", "--validate", "--output", str(tmp_path / "deploy"))
    assert (done.status, done.stdout) == (0, "")
    assert "Syntax OK" in done.stderr
    assert snapshot(tmp_path) == before


def test_validate_what_no_server_reads(deploy: Deploy) -> None:
    """A target that is no server's has no checker, and that is said."""
    done = deploy("apache-envvars", "--validate")
    assert (done.status, done.stdout) == (2, "")
    assert "is not something that runs by itself" in done.stderr


def test_secrets_are_never_printed(tmp_path: Path) -> None:
    """Neither output, nor notes, nor errors hold a key or a password of the settings."""
    project = start_project(
        tmp_path / "shop",
        f"""
        SECRET_KEY = '{SECRET}'
        SECRET_KEY_FALLBACKS = ['{SECRET}']
        DATABASES['default'].update(PASSWORD='{SECRET}')
        import os
        ENVIRON = {{os.environ.get('NAME', 'LABEL'): os.environ.get('VALUE', 'x')}}
        DEPLOYKIT = {{'SITE': {{'ENVIRON': ENVIRON}}}}
        """,
    )
    runs = [
        project.manage("deployconfig", "apache", "--output", "deploy"),
        project.manage("deployconfig", "apache", "--format", "json"),
        project.manage("deployconfig", "gunicorn", "--explain"),
        project.manage("deployconfig", "apache", NAME="LABEL", VALUE=SECRET),
        project.manage("deployconfig", "apache", NAME="A_PASSWORD", VALUE=f"x{SECRET}"),
        project.manage("check", "--deploy", NAME="A_PASSWORD", VALUE=f"x{SECRET}"),
    ]
    assert [done.returncode for done in runs] == [0, 0, 0, 2, 2, 1]
    said = "".join(done.stdout + done.stderr for done in runs)
    written = "".join(
        content.decode() for content in snapshot(project.directory / "deploy").values()
    )
    assert SECRET not in said + written


def test_pipe_is_plain(fresh: Project) -> None:
    """Piped, nothing has colour."""
    for args in ([], ["apache"], ["nowhere"]):
        done = fresh.manage("deployconfig", *args)
        assert ESCAPE not in done.stdout + done.stderr


@pytest.mark.parametrize("args", [["apache"], ["--list"], ["apache", "--format", "json"]])
def test_a_pipe_that_nobody_reads(fresh: Project, args: list[str]) -> None:
    """Whoever has read enough, as `head` does, ends the command without a word, as a program that
    SIGPIPE ends."""
    done = fresh.manage_unread("deployconfig", *args)
    assert done.returncode == 128 + signal.SIGPIPE
    said = done.stderr.splitlines()
    assert [line for line in said if not line.startswith(("warning: ", "note: "))] == []


def test_an_image_is_none_of_this_hosts(fresh: Project) -> None:
    """The whole set is written where it was asked for, without a service of this host, and no
    path of an image is looked for here."""
    deploy = fresh.directory / "deploy"
    done = fresh.manage("deployconfig", "kubernetes", "--output", "deploy")
    assert done.returncode == 0
    assert {path.parent.name for path in deploy.rglob("*") if path.is_file()} == {
        "docker",
        "gunicorn",
        "kubernetes",
    }
    assert "403 for" not in done.stderr
    assert str(fresh.directory) not in "".join(
        content.decode() for content in snapshot(deploy).values()
    )
    assert (
        fresh.manage("deployconfig", "kubernetes", "--output", "deploy", "--check").returncode == 0
    )
    as_json = fresh.manage("deployconfig", "kubernetes", "--output", "deploy", "--format", "json")
    states = {one["path"]: one["state"] for one in json.loads(as_json.stdout)["files"]}
    assert states["kubernetes/shop.yaml"] == "up to date"


def test_the_size_of_the_host_is_explained(deploy: Deploy, monkeypatch: Any) -> None:
    """Named CPUs and memory decide alone, whatever machine this is, and --explain says how; what
    memory does not hold is a warning."""
    args = ("apache", "--set", "cpu=16", "--set", "memory=1Gi", "--explain")
    here = deploy(*args)
    assert 'processes="6"' in here.stdout
    assert "16 CPUs and 1 GiB → 6 processes × 5 threads = 30 requests at once" in here.stdout
    assert "warning: memory" not in here.stderr
    monkeypatch.setattr(installed, "host", lambda: installed.Host(cpu=3, memory=64))
    assert deploy(*args).stdout == here.stdout
    assert "7 processes × about 128 MiB" in deploy(*args, "--set", "processes=7").stderr
    assert "3 CPUs and 64 MiB → 1 process" in deploy("apache", "--explain").stdout
    document = json.loads(deploy("apache", "--format", "json").stdout)
    assert document["sizes"][0].startswith("sizing: 3 CPUs and 64 MiB → 1 process")


def test_database_connections_are_compared(deploy: Deploy, monkeypatch: Any) -> None:
    """More connections than stated are a warning of every target, and --explain counts them."""
    database = {"ENGINE": "django.db.backends.postgresql", "HOST": "db"}
    monkeypatch.setitem(django_settings.DATABASES, "default", database)
    args = ("apache", "--set", "processes=4", "--set", "threads=5", "--set")
    warned = deploy(*args, "database_max_connections=19").stderr
    assert "4 processes × 5 threads = 20, but database_max_connections=19." in warned
    assert "database connections" not in deploy(*args, "database_max_connections=20").stderr
    explained = deploy(*args, "database_max_connections=20", "--explain").stdout
    assert "4 processes × 5 threads = 20 at most; the limit is 20" in explained
    document = json.loads(deploy(*args, "database_max_connections=19", "--format", "json").stdout)
    assert any("= 20, but" in one["message"] for one in document["warnings"])


def terminal(project: Project, *args: str, stderr: int | None = None) -> bytes:
    """What a command writes to a terminal."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "deployconfig", *args],
        cwd=project.directory,
        env={**project.environment(), "TERM": "xterm"},
        stdout=side,
        stderr=side if stderr is None else stderr,
    )
    os.close(side)
    written = b""
    try:
        while chunk := os.read(main, 4096):
            written += chunk
    except OSError:  # Linux: the other side of a terminal was closed.
        pass
    finally:
        os.close(main)
    assert process.wait(60) == 0
    return written


def test_terminal_has_colour_but_not_the_text(fresh: Project, tmp_path: Path) -> None:
    """On a terminal notes have colour, a configuration never; a file of notes has none."""
    assert ESCAPE.encode() in terminal(fresh)
    notes = tmp_path / "notes"
    with notes.open("wb") as stderr:
        written = terminal(fresh, "apache", stderr=stderr.fileno())
    assert ESCAPE.encode() not in written
    assert "warning: " in notes.read_text()
    assert ESCAPE not in notes.read_text()
    assert ESCAPE.encode() in terminal(fresh, "apache")


def test_text_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    """Servers read bytes: a path has the same ones in every terminal's encoding."""
    project = start_project(tmp_path / "bücher")
    done = subprocess.run(
        [sys.executable, "manage.py", "deployconfig", "apache"],
        cwd=project.directory,
        env={**project.environment(), "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    )
    assert "bücher".encode() in done.stdout
