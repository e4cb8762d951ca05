"""What processes cost: processor time and memory, of a whole tree of them, from proc(5)."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
# The kernel's CPUCLOCK_SCHED: what the scheduler has accounted for.
_SCHEDULED = 2
_SETTLED_SECONDS = 0.2


def own_seconds(pid: int) -> float:
    """Processor time of all threads of a process, those that ended too; 0 for one that is gone.

    From its own clock (clock_getcpuclockid(3)), to the nanosecond: its ``stat`` counts ticks of
    10 ms, and there are many processes, and moments in which they answer few requests.
    """
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | _SCHEDULED)
    return 0


def reaped_seconds(stat: str) -> float:
    """Processor time of the children that a process has waited for, from its ``stat``.

    So the sum over a tree never falls while workers come and go.
    """
    # The second field is a name in parentheses, with whatever is in it.
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[13:15])) * _TICK


def parent(stat: str) -> int:
    """The process that started this one."""
    return int(stat.rpartition(")")[2].split()[1])


def pss_kib(rollup: str) -> int:
    """The proportional set size in a ``smaps_rollup``: pages that are shared count in parts."""
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def tree(roots: Iterable[int]) -> dict[int, str]:
    """The ``stat`` of these processes and of all below them."""
    stats = {int(entry.name): _read(entry / "stat") for entry in _processes()}
    found, wanted = {}, {pid for pid in roots if stats.get(pid)}
    while wanted:
        found |= {pid: stats[pid] for pid in wanted}
        wanted = {pid for pid, stat in stats.items() if stat and parent(stat) in wanted}
    return found


def spent(roots: Iterable[int]) -> float:
    """Processor seconds that these trees have used so far."""
    return sum(own_seconds(pid) + reaped_seconds(stat) for pid, stat in tree(roots).items())


def memory_mib(roots: Iterable[int]) -> float:
    """The proportional set size of these trees."""
    rollups = (_read(Path(f"/proc/{pid}/smaps_rollup")) for pid in tree(roots))
    return sum(map(pss_kib, rollups)) / 1024


def wait_until_idle(roots: Iterable[int], patience: float = 5) -> None:
    """Wait until the trees use no more processor time: workers have loaded what they load."""
    roots, deadline = list(roots), time.monotonic() + patience
    before = spent(roots)
    while time.monotonic() < deadline:
        time.sleep(_SETTLED_SECONDS)
        now = spent(roots)
        if now - before <= _TICK:
            return
        before = now


def _processes() -> Iterable[Path]:
    return (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _read(path: Path) -> str:
    """A file of /proc, or nothing: a process may end while it is looked at."""
    try:
        return path.read_text()
    except OSError:
        return ""
