"""The current TLS guideline: Mozilla's, version 6.0 (2026-04-06), profile "intermediate"."""

from __future__ import annotations

SETTING = "DEPLOYKIT['SITE']['TLS']"

WHY = "Mozilla TLS guideline 6.0, intermediate"

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)

_CURVES = ("X25519MLKEM768", "X25519", "prime256v1", "secp384r1")


def curves(openssl_version: tuple[int, ...] | None) -> tuple[str, ...]:
    """The key exchange groups; the post-quantum one needs OpenSSL 3.5."""
    return _CURVES if (openssl_version or (0,)) >= (3, 5) else _CURVES[1:]
