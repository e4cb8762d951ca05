"""uvicorn's HTTP, which when it ends answers requests that are still on their way to it.

By itself it closes a connection that it has let in and not read from; behind a front that is a 502.
"""

from __future__ import annotations

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from django_deploykit.handlers.workers import EXPECTED


class Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # Chosen at run time.
    """One connection."""

    _is_last = False

    def shutdown(self) -> None:
        if self.cycle is not None:
            super().shutdown()
            return
        self._is_last = True
        self.loop.call_later(EXPECTED, self._give_up)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_last and self.cycle is not None:
            self.cycle.keep_alive = False

    def _give_up(self) -> None:
        if self.cycle is None:
            self.transport.close()
