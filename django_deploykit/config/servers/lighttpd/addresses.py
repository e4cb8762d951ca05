"""Where lighttpd listens, beside what its own configuration says, and with which TLS."""

from __future__ import annotations

from django_deploykit.config import tls as guideline
from django_deploykit.config.facts import Tls
from django_deploykit.config.fronts import Group
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.lighttpd.dialect import (
    SOCKET,
    array,
    pair,
    when,
)
from django_deploykit.config.syntax.nodes import (
    Comment,
    Node,
    directive,
)
from django_deploykit.config.values import Address


def sockets(plan: Plan, secure: list[Group]) -> list[Node]:
    why = "a full queue of connections refuses clients; its own default is smaller"
    backlog = directive("server.listen-backlog", 1024, why=why)
    nodes: list[Node] = []
    for address in plan.deployment.listen:
        # On port 80 the server's own configuration listens.
        if address != Address("", 80):
            nodes += _socket(address, "listen", [backlog])
    for address in plan.deployment.tls_listen if secure else ():
        first = secure[0].tls
        if first:
            nodes += _socket(address, "tls_listen", [backlog, *_tls(plan, first)])
    return [Comment("Addresses"), *nodes] if nodes else []


def remarks(plan: Plan) -> tuple[str, ...]:
    """What ``listen`` cannot do: each condition on a name holds at every address."""
    first = plan.deployment.listen[0]
    if Address("", 80) in plan.deployment.listen:
        return ()
    return (
        "listen: lighttpd answers at the address of its own configuration as well (server.bind, "
        f"server.port). Say {first} there if that is to be all; with the same port, lighttpd does "
        "not start otherwise.",
    )


def _socket(address: Address, choice: str, children: list[Node]) -> list[Node]:
    hosts = [address.host] if address.host else ["0.0.0.0", "::"]  # noqa: S104 - as asked for
    spelled = [f"[{host}]" if ":" in host else host for host in hosts]
    why = "the server's own configuration listens only on port 80"
    return [
        when(SOCKET, f"{host}:{address.port}", children, why, choice, test="==") for host in spelled
    ]


def _tls(plan: Plan, tls: Tls) -> list[Node]:
    curves = ":".join(guideline.curves(plan.deployment.openssl_version))
    commands = [
        ("MinProtocol", "TLSv1.2"),
        ("CipherString", ":".join(guideline.CIPHERS)),
        ("Curves", curves),
        ("Options", "-ServerPreference,-SessionTicket"),
    ]
    entries = [pair(name, value, why=guideline.WHY) for name, value in commands]
    return [
        directive("ssl.engine", "enable", why="this address speaks TLS", setting=guideline.SETTING),
        *certificate(tls),
        array("ssl.openssl.ssl-conf-cmd", entries, guideline.WHY),
    ]


def certificate(tls: Tls) -> list[Node]:
    why = "the certificate and its chain"
    return [
        directive("ssl.pemfile", str(tls.certificate), why=why, setting=guideline.SETTING),
        directive("ssl.privkey", str(tls.key), why="its key", setting=guideline.SETTING),
    ]
