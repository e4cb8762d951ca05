"""Clients that keep a server busy with almost nothing: slow headers, slow bodies, slow reading."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# Seconds between two crumbs of a client.
_PAUSE = 0.5
_LENGTH = 100_000
# More than mod_proxy reads before it asks an application server (MAX_MEM_SPOOL).
_AT_ONCE = 20_000


@dataclass(frozen=True)
class Attack:
    """What each client begins with, what it sends from then on, and whether it reads an answer."""

    name: str
    begin: bytes
    crumb: bytes = b""
    reads: bool = False


HEADERS = Attack("slow headers", b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X-Crumb: 1\r\n")
BODIES = Attack(
    "slow bodies",
    b"POST /upload/raw/ HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"
    % _LENGTH
    + b"x" * _AT_ONCE,
    b"x" * 10,
)
READING = Attack("slow reading", b"GET /large/ HTTP/1.1\r\nHost: localhost\r\n\r\n", reads=True)
ATTACKS = (HEADERS, BODIES, READING)


@contextlib.contextmanager
def attacked(port: int, attack: Attack, count: int) -> Iterator[Callable[[], int]]:
    """So many slow clients until the block ends; what is yielded counts those still connected."""
    over = threading.Event()
    with contextlib.ExitStack() as closing:
        clients = [closing.enter_context(_client(port, attack)) for _ in range(count)]
        thread = threading.Thread(target=_feed, args=(clients, attack, over), daemon=True)
        thread.start()
        try:
            yield lambda: len(clients)
        finally:
            over.set()
            thread.join(60)


def _client(port: int, attack: Attack) -> socket.socket:
    client = socket.socket()
    if attack.reads:  # As small as the kernel allows, so that what is unread waits at the server.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    client.settimeout(60)
    client.connect(("127.0.0.1", port))
    client.sendall(attack.begin)
    client.setblocking(False)
    return client


def _feed(clients: list[socket.socket], attack: Attack, over: threading.Event) -> None:
    """Send, or read, a crumb of every client, again and again; forget whom the server left."""
    while not over.wait(_PAUSE):
        for client in list(clients):
            try:
                gone = attack.reads and client.recv(16) == b""
                client.send(attack.crumb)
            except BlockingIOError:
                continue
            except OSError:
                gone = True
            if gone:
                clients.remove(client)


def slowest_answer(ask: Callable[[], int], count: int) -> float:
    """Ask until the attack is answered around, then so many times; the seconds of the slowest
    answer. Every status has to be 200."""
    assert ask() == 200
    slowest = 0.0
    for _ in range(count):
        began = time.monotonic()
        assert ask() == 200
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(_PAUSE / 5)
    return slowest
