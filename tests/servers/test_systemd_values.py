"""Hostile values in units and their relatives, read back by systemd itself.

A value comes back byte for byte, or it was refused with the name of its setting.
"""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from django_deploykit.config.stack import resolve
from django_deploykit.config.syntax import logrotate, systemd, tmpfiles
from django_deploykit.config.syntax.nodes import Glob, Node, Option, Raw, block, directive
from django_deploykit.config.syntax.printer import Dialect, print_lines
from django_deploykit.config.values import Address
from django_deploykit.exceptions import UnrepresentableValue
from tests.cases import DEPLOYMENT, site
from tests.servers import harness, manager
from tests.servers.manager import UNITS, Manager
from tests.syntax import hostile

WHY = "for this test"
UNSPEAKABLE = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"
VALUES = Path("/srv/values")
RESULTS = Path("/srv/results")
COUNT = 150
UNIT = cast(Dialect, systemd)

# What runs inside: each call leaves what it was given, or where it is.
ARGUMENT = "import os, sys; open(sys.argv[1], 'wb').write(os.fsencode(sys.argv[2]))"
DIRECTORY = "import os, sys; open(sys.argv[1], 'wb').write(os.getcwdb())"
VARIABLES = (
    "import os; [open(b'/srv/results/' + name[2:], 'wb').write(value)"
    " for name, value in os.environb.items() if name.startswith(b'V_')]"
)
MARKS = (
    "import os; [os.close(os.open(b'/srv/values/' + name + b'/mark', os.O_CREAT))"
    " for name in os.listdir(b'/srv/values')]"
)

PEERS = """
import os, select, socket
found = [socket.socket(fileno=3 + number) for number in range(int(os.environ['LISTEN_FDS']))]
while True:
    for one in select.select(found, [], [])[0]:
        with one.accept()[0] as peer:
            peer.sendall(peer.getpeername()[0].encode())
"""


@pytest.fixture(scope="module")
def system() -> Iterator[Manager]:
    """One systemd for all values."""
    with manager.booted() as system:
        yield system


@pytest.fixture(autouse=True)
def places(request: pytest.FixtureRequest) -> None:
    """Empty directories for values and results, where a systemd runs."""
    if "system" in request.fixturenames:
        system: Manager = request.getfixturevalue("system")
        system.run("rm", "-rf", str(VALUES), str(RESULTS))
        system.run("mkdir", str(VALUES), str(RESULTS))


def lines(dialect: Dialect, *nodes: Node) -> str:
    return "".join(f"{line.text}\n" for line in print_lines(nodes, dialect))


def attempt(
    found: Sequence[str], spell: Callable[[int, str, str], str], refused: str = UNSPEAKABLE
) -> tuple[dict[int, str], str]:
    """Write each value; it is refused, naming its setting, if and only if it has to be."""
    written: dict[int, str] = {}
    texts = []
    for number, value in enumerate(found):
        if re.search(refused, value):
            with pytest.raises(UnrepresentableValue) as refusal:
                spell(number, value, f"SETTING_{number}")
            assert refusal.value.setting == f"SETTING_{number}"
        else:
            written[number] = value
            texts.append(spell(number, value, f"SETTING_{number}"))
    assert len(written) > COUNT / 4
    return written, "".join(texts)


def speakable(value: str) -> bool:
    return len(value) < 1000


def oneshot(system: Manager, text: str) -> None:
    """Run a unit to its end; fail if systemd had anything to say about it."""
    unit = system.path(UNITS / "values.service")
    unit.write_text(f"[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\n{text}")
    before = system.console.read_text()
    system.run("systemctl", "daemon-reload")
    started = system.run("systemctl", "start", "values.service", check=False)
    assert started == "", system.run("systemctl", "status", "-l", "values.service", check=False)
    said = system.console.read_text()[len(before) :]
    assert "values.service:" not in said.replace("values.service: Deactivated successfully.", "")


def python(code: str, *arguments: str, setting: str = "") -> str:
    words = "/usr/bin/python3", "-IS", "-X", "utf8", "-c", code, *arguments
    return lines(UNIT, directive("ExecStart", *words, why=WHY, setting=setting))


def result(system: Manager, name: object) -> str:
    return (system.path(RESULTS) / str(name)).read_bytes().decode()


def make(system: Manager, names: Sequence[str]) -> None:
    for name in names:
        if not re.search(UNSPEAKABLE, name):
            (system.path(VALUES) / name).mkdir()


def test_arguments(system: Manager) -> None:
    """A program gets every argument as it is."""

    def spell(number: int, value: str, setting: str) -> str:
        return python(ARGUMENT, f"{RESULTS}/{number}", value, setting=setting)

    written, text = attempt(hostile.some(speakable, COUNT), spell)
    oneshot(system, text)
    assert {number: result(system, number) for number in written} == written


def test_variables(system: Manager) -> None:
    """A variable has exactly the value that was written."""

    def spell(number: int, value: str, setting: str) -> str:
        option = Option(f"V_{number}", value)
        return lines(UNIT, directive("Environment", option, why=WHY, setting=setting))

    written, text = attempt(hostile.some(speakable, COUNT), spell)
    oneshot(system, text + python(VARIABLES))
    assert {number: result(system, number) for number in written} == written


def test_writable_paths(system: Manager) -> None:
    """Each directory can be written to, whatever its name, and nothing else can."""
    names = hostile.some(hostile.is_file_name, COUNT)
    make(system, names)
    (system.path(VALUES.parent) / "other").mkdir(exist_ok=True)

    def spell(number: int, name: str, setting: str) -> str:
        path = f"{VALUES}/{name}"
        return lines(UNIT, directive("ReadWritePaths", path, why=WHY, setting=setting))

    written, text = attempt(names, spell)
    other = "import os; os.access('/srv/other', os.W_OK) and os.abort()"
    oneshot(system, f"ProtectSystem=strict\n{text}{python(MARKS)}{python(other)}")
    for name in written.values():
        assert (system.path(VALUES) / name / "mark").exists(), name


def test_working_directories(system: Manager) -> None:
    """A service runs in the directory that was named."""
    names = hostile.some(hostile.is_file_name, COUNT)
    make(system, names)

    def spell(number: int, name: str, setting: str) -> str:
        path = f"{VALUES}/{name}"
        return lines(UNIT, directive("WorkingDirectory", path, why=WHY, setting=setting))

    # A blank, in Python's sense, at the end; or a backslash, which would continue the line.
    written, _ = attempt(names, spell, rf"{UNSPEAKABLE}|[\\\s]\Z")
    for number, name in written.items():
        text = spell(number, name, "") + python(DIRECTORY, f"{RESULTS}/{number}")
        oneshot(system, text)
        assert result(system, number) == f"{VALUES}/{name}"


def test_environment_files(system: Manager) -> None:
    """The file that was named is read, and no other."""
    names = hostile.some(hostile.is_file_name, COUNT)
    for number, name in enumerate(names):
        if not re.search(UNSPEAKABLE, name):
            (system.path(VALUES) / name).write_text(f"V_{number}={number}\n")

    def spell(number: int, name: str, setting: str) -> str:
        path = Glob(f"{VALUES}/{name}")
        return lines(UNIT, directive("EnvironmentFile", path, why=WHY, setting=setting))

    written, text = attempt(names, spell, rf"{UNSPEAKABLE}|[*?\[\]\\]|\s\Z")
    oneshot(system, text + python(VARIABLES))
    assert {number: result(system, number) for number in written} == {n: str(n) for n in written}


def test_sockets(system: Manager) -> None:
    """A socket lies at the path that was named."""
    names = hostile.some(lambda name: hostile.is_file_name(name) and len(name) < 25, COUNT)

    def spell(number: int, name: str, setting: str) -> str:
        path = f"{VALUES}/{name}"
        return lines(UNIT, directive("ListenStream", path, why=WHY, setting=setting))

    written, text = attempt(names, spell, rf"{UNSPEAKABLE}|[\\\s]\Z")
    unit = system.path(UNITS / "values.socket")
    unit.write_text(f"[Unit]\nDefaultDependencies=no\n[Socket]\n{text}")
    (system.path(UNITS) / "values.service").write_text("[Service]\nExecStart=/bin/true\n")
    system.run("systemctl", "daemon-reload")
    system.run("systemctl", "start", "values.socket")
    made = {path.name for path in system.path(VALUES).iterdir() if path.is_socket()}
    system.run("systemctl", "stop", "values.socket")
    assert made == set(written.values())


def test_clients_of_both_protocols_keep_their_addresses(system: Manager) -> None:
    """A port for every address is two sockets, and each client is called as it is."""
    port = harness.free_port()
    stack = resolve("gunicorn")
    plan = stack.plan([site()], replace(DEPLOYMENT, listen=(Address("", port),)), VALUES)
    (unit,) = [one for one in stack.render(plan) if one.filename.endswith(".socket")]
    name = Path(unit.filename).stem
    system.path(UNITS / f"{name}.socket").write_text(unit.text)
    system.path(VALUES / "peers.py").write_text(PEERS)
    start = f"ExecStart=/usr/bin/python3 -I {VALUES}/peers.py"
    service = f"[Unit]\nDefaultDependencies=no\n[Service]\n{start}\n"
    system.path(UNITS / f"{name}.service").write_text(service)
    system.run("systemctl", "daemon-reload")
    system.run("systemctl", "start", f"{name}.socket")
    hosts = ["127.0.0.1", *(["::1"] if _has_ipv6() else [])]
    try:
        assert [_peer(host, port) for host in hosts] == hosts
    finally:
        system.run("systemctl", "stop", f"{name}.socket", f"{name}.service")


def _has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


def _peer(host: str, port: int) -> str:
    """What the service behind a socket calls whoever connects there."""
    with socket.create_connection((host, port), timeout=30) as connection:
        return connection.makefile("rb").read().decode()


def test_temporary_directories(tmp_path: Path) -> None:
    """systemd-tmpfiles makes every directory by its own name."""
    harness.require("systemd-tmpfiles", Path("/usr/bin/systemd-tmpfiles").exists())
    names = hostile.some(hostile.is_file_name, COUNT)

    def spell(number: int, name: str, setting: str) -> str:
        fields = f"/made/{name}", "0755", "-", "-", "-"
        return lines(cast(Dialect, tmpfiles), directive("d", *fields, why=WHY, setting=setting))

    written, text = attempt(names, spell)
    (tmp_path / "values.conf").write_text(text)
    # Below a root of its own: of this host, nothing is made or removed.
    command = ["systemd-tmpfiles", "--create", f"--root={tmp_path}", str(tmp_path / "values.conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in (tmp_path / "made").iterdir()} == set(written.values())


def test_rotated_directories(tmp_path: Path) -> None:
    """logrotate finds the logs in a directory of any name that can be written."""
    harness.require("logrotate", Path("/usr/sbin/logrotate").exists())
    names = hostile.some(hostile.is_file_name, COUNT)
    for name in names:
        if not re.search(UNSPEAKABLE, name):
            (tmp_path / "logs" / name).mkdir(parents=True)
            (tmp_path / "logs" / name / "shop-access.log").write_text("a request\n")

    def spell(number: int, name: str, setting: str) -> str:
        path = Glob(f"{tmp_path}/logs/{name}/shop-access.log")
        rules: list[Node] = [directive("rotate", Raw("1"), why=WHY)]
        node = block(logrotate.FILES, path, children=rules, why=WHY, setting=setting)
        return lines(cast(Dialect, logrotate), node)

    written, text = attempt(names, spell, rf'{UNSPEAKABLE}|[*?\[\]{{}}\\"]')
    (tmp_path / "logrotate.conf").write_text(text)
    (tmp_path / "logrotate.conf").chmod(0o644)
    command = ["/usr/sbin/logrotate", "--force", "--state", str(tmp_path / "state")]
    done = subprocess.run(
        [*command, str(tmp_path / "logrotate.conf")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name in written.values():
        assert (tmp_path / "logs" / name / "shop-access.log.1").exists(), name
