"""Codes of authenticator apps (TOTP, RFC 6238): six digits, made anew every 30 seconds."""

import hmac
import re
from importlib import import_module

__all__ = ["new_secret", "qr_svg", "setup_address", "step_of"]

_PERIOD_SECONDS = 30
_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_SPACING = re.compile(r"\s+")
#: The step now, the one before and the next: what a phone's clock may differ, and a person's typing takes.
_STEPS = (0, -1, 1)
_ISSUER = "wechat-openid"


def new_secret() -> str:
    """Return a secret of 160 bits, in base32, as apps take it."""
    secret: str = import_module("pyotp").random_base32()
    return secret


def step_of(secret: str, typed: str, now: int) -> int | None:
    """Return the step of a code that is good now; None for any other text."""
    code = _SPACING.sub("", typed)
    if not _CODE.fullmatch(code):
        return None
    codes = import_module("pyotp").TOTP(secret)
    for offset in _STEPS:
        step = now // _PERIOD_SECONDS + offset
        if hmac.compare_digest(codes.at(step * _PERIOD_SECONDS), code):
            return step
    return None


def setup_address(secret: str, name: str, host: str) -> str:
    """Return the `otpauth://` address by which an app takes the secret.

    Args:
        secret: The secret.
        name: Whose it is.
        host: The dashboard's, so that a person with several tells them apart.
    """
    address: str = import_module("pyotp").TOTP(secret).provisioning_uri(name=f"{name}@{host}", issuer_name=_ISSUER)
    return address


def qr_svg(address: str) -> str:
    """Return an address as a QR code, dark on light in any colour scheme, as an SVG element without style."""
    svg: str = (
        import_module("segno")
        .make(address, error="m")
        .svg_inline(scale=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None)
    )
    return svg
