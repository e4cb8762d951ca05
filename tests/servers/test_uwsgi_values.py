"""Hostile values in uWSGI's ini format, read back by uWSGI itself.

A value comes back byte for byte, or it was refused with the name of its setting; none is run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from django_deploykit.config.syntax import uwsgi
from django_deploykit.config.syntax.nodes import directive
from django_deploykit.config.syntax.printer import Dialect, print_lines
from django_deploykit.exceptions import UnrepresentableValue
from tests.servers import harness
from tests.syntax import hostile

COUNT = 400
BINARY = Path(sys.executable).with_name("pyuwsgi")
DIALECT = cast(Dialect, uwsgi)
# Control characters, what is replaced when the file is read, lost blanks, and no UTF-8.
UNSPEAKABLE = r"[\x00-\x1f\x7f\ud800-\udfff]|[%$@]\(|\A\s|\s\Z"

ATTACKS = (
    "@(exec://touch {mark})",
    "@(sym://main)",
    "@(/etc/passwd)",
    "$(HOME)",
    "%(chdir)",
    "%%(chdir)",
    "a\nexec-pre-app = touch {mark}",
    "a%\nexec-pre-app = touch {mark}",
)
# With these, nothing is replaced although it looks so.
HARMLESS = ("%d", "%%", "%h %v", "$HOME", "${HOME}", "@", "@exec://", "$ (", "; a", "# a", "a\\")

REPORT = """
import json, os, sys, uwsgi

found = {{name: value for name, value in uwsgi.opt.items() if name.startswith("v-")}}
values = {{name: value.decode() for name, value in found.items()}}
open({result!r}, "w").write(json.dumps(values))
os._exit(0)
"""


def spelled(name: str, value: str, setting: str = "") -> str:
    node = directive(name, value, why="for this test", setting=setting)
    return "".join(f"{line.text}\n" for line in print_lines([node], DIALECT))


def read_back(directory: Path, text: str) -> dict[str, str] | None:
    """The options whose names begin with ``v-``, as a running uWSGI holds them; None if it did
    not start. Without ``strict``, an option of any name is kept."""
    harness.require("pyuwsgi", BINARY.exists())
    (directory / "report.py").write_text(REPORT.format(result=str(directory / "result")))
    options = {
        "need-app": "true",
        "http-socket": str(directory / "s"),
        "wsgi-file": str(directory / "report.py"),
    }
    rest = "".join(spelled(name, value) for name, value in options.items())
    (directory / "values.ini").write_text(f"[uwsgi]\n{text}{rest}", encoding="utf-8")
    command = [str(BINARY), "--ini", str(directory / "values.ini")]
    subprocess.run(command, capture_output=True, timeout=60, check=False)
    result = directory / "result"
    return json.loads(result.read_text()) if result.exists() else None


def test_values(tmp_path: Path) -> None:
    """Every value that is not refused is read as what it says."""
    written, text = {}, ""
    found = hostile.some(lambda value: 0 < len(value) < 1000, COUNT)
    for number, value in enumerate([*HARMLESS, *found]):
        name, setting = f"v-{number}", f"SETTING_{number}"
        if re.search(UNSPEAKABLE, value):
            with pytest.raises(UnrepresentableValue) as refusal:
                spelled(name, value, setting)
            assert refusal.value.setting == setting
        else:
            written[name] = value
            text += spelled(name, value, setting)
    assert len(written) > COUNT / 2
    assert read_back(tmp_path, text) == written


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_is_run_or_replaced(tmp_path: Path, attack: str) -> None:
    """What uWSGI would run, read or replace is refused; written plainly, it is live."""
    mark = tmp_path / "mark"
    value = attack.format(mark=mark)
    with pytest.raises(UnrepresentableValue, match="from SETTING cannot be written"):
        spelled("v-0", value, "SETTING")
    plain = read_back(tmp_path, f"chdir = {tmp_path}\nv-0 = {value}\n")
    assert mark.exists() or plain != {"v-0": value}
