"""The signals that end ``deployrun``: whenever they come, they are heard."""

from __future__ import annotations

import signal
import subprocess
import sys

from django_deploykit.run.signals import signalled

HAMMERED = """
import os, signal, threading
from django_deploykit.run.signals import signalled

def send():
    for _ in range(20_000):
        os.kill(os.getpid(), signal.SIGTERM)

with signalled() as stop:
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    while sender.is_alive():
        stop.wait(0.0001)
    print(stop.is_set(), stop.wait(60))
"""


def test_a_signal_at_any_moment_is_heard() -> None:
    """One that comes while the command looks whether one came, or handles another, too: with
    threading.Event it waited for itself."""
    command = [sys.executable, "-c", HAMMERED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True True\n"


def test_no_signal_is_waited_for_no_longer() -> None:
    with signalled() as stop:
        assert not stop.wait(0.001)
        assert not stop.is_set()


def test_a_signal_ends_the_wait() -> None:
    """And the handlers from before come back."""
    before = signal.getsignal(signal.SIGINT)
    with signalled() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.wait(60)
    assert signal.getsignal(signal.SIGINT) is before
