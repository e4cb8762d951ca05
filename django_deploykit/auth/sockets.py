"""Where an authorizer listens: at a socket of its own, or at one that it is handed."""

from __future__ import annotations

import os
import socket

Address = tuple[str, int] | str

# The first descriptor that a service manager passes on (sd_listen_fds(3)).
_FIRST_HANDED = 3

# So many connections wait to be taken; the kernel may allow fewer.
_BACKLOG = 1024


def listening(address: Address) -> socket.socket:
    """A socket at ``host:port``, or at a path: there nobody connects but its owner and its group,
    which may be the web server's."""
    made = socket.socket(_family(address))
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        if isinstance(address, str):
            os.chmod(address, 0o660)
        made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def handed() -> socket.socket | None:
    """The socket that a service manager hands to this process, if it does (sd_listen_fds(3)).

    Raise OSError unless it is one, and listens. What the process starts itself is handed nothing.
    """
    is_ours = os.environ.pop("LISTEN_PID", "") == str(os.getpid())
    count = os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if not is_ours:
        return None
    if count != "1":
        raise OSError(f"LISTEN_FDS: one socket is wanted here, and not {count or 'none'}")
    os.set_inheritable(_FIRST_HANDED, False)
    found = socket.socket(fileno=_FIRST_HANDED)
    if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise OSError(f"LISTEN_FDS: the socket at {found.getsockname()!r} does not listen")
    return found


def _family(address: Address) -> socket.AddressFamily:
    if isinstance(address, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET
