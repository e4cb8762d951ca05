"""What a command does when nobody reads on, as in ``manage.py deployconfig apache | head``."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOBase

# As the shell reports a program that SIGPIPE ended; Python turns that signal into an exception.
_ENDED_BY_PIPE = 128 + signal.SIGPIPE


@contextmanager
def quiet_pipe(stdout: TextIOBase) -> Iterator[None]:
    """End the program, without a word, as soon as ``stdout`` is a pipe that nobody reads.

    Raise SystemExit with the status of such an end.
    """
    try:
        yield
        stdout.flush()  # Now, and not when Python ends: what fails then is reported.
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stdout.fileno())
        raise SystemExit(_ENDED_BY_PIPE) from None
