"""The client that fetches files of any size."""

from __future__ import annotations

import socket
import threading

import pytest

from bench.client import Client

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def _serve(listener: socket.socket, *answers: bytes) -> None:
    """Give each connection one answer, and close it without having said so."""
    for answer in answers:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(answer)


@pytest.mark.parametrize(("answers", "fetched"), [((ANSWER, ANSWER), 2), ((ANSWER, b""), 1)])
def test_a_kept_connection_may_be_closed_without_a_word(
    answers: tuple[bytes, ...], fetched: int
) -> None:
    """RFC 9112 9.3.1: it is asked on another one, once; a new one that is closed is a failure."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_serve, args=(listener, *answers))
        server.start()
        client = Client(listener.getsockname()[1])
        for _ in range(fetched):
            client.fetch("/")
        if fetched < len(answers):
            with pytest.raises(AssertionError, match="closed"):
                client.fetch("/")
        client.close()
        server.join()
