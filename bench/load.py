"""A load of kept connections, made by wrk, and what it says of the answers.

https://github.com/wg/wrk; its own script prints JSON, so that no unit has to be read.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from tempfile import NamedTemporaryFile

CONNECTIONS = 32

# https://github.com/wg/wrk/blob/master/SCRIPTING: microseconds, and counts by kind of error.
_SCRIPT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "duration": %d, "bytes": %d, "p50": %d, "p99": %d, '
    .. '"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\\n',
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99),
    e.connect, e.read, e.write, e.status, e.timeout))
end
"""
_ERRORS = ("connect", "read", "write", "status", "timeout")


class NotMeasured(Exception):
    """Something cannot be measured here; the text says why, and no path of this machine."""

    def __init__(self, text: str) -> None:
        super().__init__(re.sub(r"(?<![\w:/])/[\w.-]+(?:/[\w.+-]+)+", "…", text))


@dataclass(frozen=True)
class Load:
    """What a load got: good answers, whatever else came or did not, and how long they took."""

    answers: int
    errors: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.answers / self.seconds


def parse(output: str) -> Load:
    """Read wrk's last line. Raise NotMeasured where it is not what the script prints."""
    try:
        found = json.loads(output.strip().splitlines()[-1])
        return Load(
            # Of the errors, only a status is counted among the requests.
            answers=found["requests"] - found["status"],
            errors=sum(found[kind] for kind in _ERRORS),
            seconds=found["duration"] / 1e6,
            p50_ms=found["p50"] / 1e3,
            p99_ms=found["p99"] / 1e3,
        )
    except (IndexError, KeyError, ValueError) as error:
        raise NotMeasured(f"wrk said {output[-300:]!r}") from error


def run(port: int, path: str, seconds: float, *headers: str) -> Load:
    """Ask for a path over kept connections, as fast as answers come."""
    binary = shutil.which("wrk")
    if binary is None:
        raise NotMeasured("wrk is not installed (Debian: apt-get install wrk)")
    with NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT)
        script.flush()
        command = [binary, "-t1", f"-c{CONNECTIONS}", f"-d{_whole(seconds)}", "-s", script.name]
        for header in ("Host: localhost", *headers):
            command += ["-H", header]
        command.append(f"http://127.0.0.1:{port}{path}")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasured(f"wrk ended with {done.returncode}: {done.stderr[-300:]}")
    return parse(done.stdout)


def _whole(seconds: float) -> str:
    """wrk takes whole seconds alone."""
    return f"{max(1, round(seconds))}s"
