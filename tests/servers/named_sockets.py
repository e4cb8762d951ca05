"""Applications that answer with the name of the socket at which they were reached."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path


class _Named(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        body = Path(str(self.server.server_address)).name.encode()
        self.wfile.write(b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" + body)


@contextlib.contextmanager
def listening(path: Path) -> Iterator[None]:
    """Answer over HTTP at the socket ``path``, which anybody may connect to."""
    with socketserver.ThreadingUnixStreamServer(str(path), _Named) as server:
        path.chmod(0o777)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield
        server.shutdown()
