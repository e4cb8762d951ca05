"""What the commands cost: ``deployconfig`` beside ``check``, and one site more of many."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.figures import Figure, spread
from bench.load import NotMeasured

_SITE = """
from shop.ours import *

ALLOWED_HOSTS = ["{name}.example.com"]
"""
_SITES = """
from shop.ours import *

DEPLOYKIT = {{"SITES": {{name: {{"settings": f"shop.{{name}}"}} for name in {names!r}}}}}
"""
CHECK, SITES = "deployconfig nginx ÷ manage.py check", "deployconfig nginx, one site more"
_MOST = 1.3
# One site of many may cost no more than one of few, but for what a clock cannot tell.
_FLAT = 1.2


def figures(
    project: Path, rounds: int, numbers: tuple[int, ...], say: Callable[[str], None]
) -> Iterator[Figure]:
    """Processor time of whole commands, with Python's own start."""
    wanted: dict[tuple[str, float], Callable[[], Figure]] = {
        (CHECK, _MOST): lambda: _beside_check(project, rounds),
        (SITES, _FLAT): lambda: _many_sites(project, numbers, say),
    }
    for (name, goal), measure in wanted.items():
        try:
            yield measure()
        except NotMeasured as error:
            remark = f"not measured: {error}"
            yield Figure(name, "CPU", goal=goal, at_most=True, remark=remark)


def _beside_check(project: Path, rounds: int) -> Figure:
    ratios = []
    for _ in range(rounds):
        ours = _cpu(project, "shop.ours", "deployconfig", "nginx")
        ratios.append(ours / _cpu(project, "shop.ours", "check"))
    return Figure(CHECK, "CPU", goal=_MOST, at_most=True, **spread(ratios))


def _many_sites(project: Path, numbers: tuple[int, ...], say: Callable[[str], None]) -> Figure:
    """What each site more costs with few, and with many: the second ÷ the first."""
    names = [f"site{number}" for number in range(max(numbers))]
    for name in names:
        (project / "shop" / f"{name}.py").write_text(_SITE.format(name=name))
    spent = {}
    for number in numbers:
        text = _SITES.format(names=names[:number])
        (project / "shop" / f"sites{number}.py").write_text(text)
        spent[number] = _cpu(project, f"shop.sites{number}", "deployconfig", "nginx")
        say(f"deployconfig with {number} sites: {spent[number]:.1f} s")
    return slope(spent)


def slope(spent: dict[int, float]) -> Figure:
    """The figure from seconds by number of sites: three numbers, one of them 1."""
    few, some, many = sorted(spent)
    early = (spent[some] - spent[few]) / (some - few)
    late = (spent[many] - spent[some]) / (many - some)
    remark = f"{early * 1000:.0f} ms each up to {some} sites, {late * 1000:.0f} ms up to {many}"
    name = f"{SITES}: of {many} ÷ of {some}"
    return Figure(name, "CPU", ratio=late / early, goal=_FLAT, at_most=True, remark=remark)


def _cpu(project: Path, settings: str, *words: str) -> float:
    before = _children()
    done = subprocess.run(
        [sys.executable, "manage.py", *words, f"--settings={settings}"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotMeasured(f"{words[0]}: {done.stderr.strip()[-300:]}")
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
