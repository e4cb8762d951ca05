"""What an application may want to count or to write down."""

from __future__ import annotations

from django.dispatch import Signal

# Sent when the answer to a GET is decided: ``request``, ``file`` (a ProtectedFile), ``backend``
# (the name of the mechanism, "stream" for Python). Nobody can know whether it arrived; a client
# that asks for a file in ranges asks more than once.
file_served = Signal()

# Sent when a view refuses: ``request``, ``view``.
file_denied = Signal()
