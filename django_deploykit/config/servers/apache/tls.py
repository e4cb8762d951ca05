"""TLS as the guideline has it, and the header that keeps browsers on it."""

from __future__ import annotations

from django_deploykit.config import tls as guideline
from django_deploykit.config.facts import Tls
from django_deploykit.config.fronts import Group
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache.dialect import Version
from django_deploykit.config.syntax.nodes import Comment, Format, Node, Raw, block, directive


def rules(plan: Plan, tls: Tls) -> list[Node]:
    """Protocols, ciphers and curves of the guideline, and the certificate."""
    version, setting = Version.of(plan.deployment), guideline.SETTING
    protocols = ["all", "-SSLv3", "-TLSv1", "-TLSv1.1"]
    curves = guideline.curves(plan.deployment.openssl_version)
    nodes: list[Node] = [
        Comment(f"TLS: {guideline.WHY}"),
        directive("SSLEngine", "on", why="this host speaks TLS", setting=setting),
        directive(
            "SSLCertificateFile",
            str(tls.certificate),
            setting=setting,
            why="the certificate and its chain",
        ),
        directive("SSLCertificateKeyFile", str(tls.key), why="its key", setting=setting),
        directive("SSLProtocol", *protocols, why=guideline.WHY),
        directive("SSLCipherSuite", ":".join(guideline.CIPHERS), why=guideline.WHY),
        directive("SSLHonorCipherOrder", "off", why=guideline.WHY),
    ]
    if not version.at_least(2, 4, 8):
        why = "until 2.4.8 the chain was not read with the certificate"
        chain = str(tls.certificate)
        nodes.append(directive("SSLCertificateChainFile", chain, why=why, setting=setting))
    if version.at_least(2, 4, 11):
        nodes.append(directive("SSLSessionTickets", "off", why=guideline.WHY))
        nodes.append(directive("SSLOpenSSLConfCmd", "Curves", ":".join(curves), why=guideline.WHY))
    if version.at_least(2, 4, 17):
        http2 = directive("Protocols", "h2", "http/1.1", why="HTTP/2 where the module is loaded")
        why = "HTTP/2 is optional"
        nodes.append(block("IfModule", Raw("http2_module"), children=[http2], why=why))
    return nodes


def hsts(group: Group) -> list[Node]:
    """Strict-Transport-Security exactly once on every answer, if Django is to send it at all."""
    values = [site.headers.hsts for site in group.sites if site.headers.hsts]
    if not values:
        return []
    name, setting = "Strict-Transport-Security", "SECURE_HSTS_SECONDS"
    return [
        Comment("HSTS has one owner, this server: Django's own is taken away."),
        directive(
            "Header",
            "onsuccess",
            "unset",
            name,
            setting=setting,
            why="Django sends it too; the server owns it, so that it comes exactly once",
        ),
        directive(
            "Header",
            "always",
            "set",
            name,
            Format(values[0]),
            setting=setting,
            why="on every answer of this host, errors and static files too",
        ),
    ]
