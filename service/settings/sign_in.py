"""How operators sign in to the dashboard: rows of the table of settings, and which of them fit together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from service.settings.rows import setting
from service.settings.sources import PREFIX
from service.settings.values import parse_flag, parse_optional_file, plain_text
from storage.sql.accounts.operators import Role

__all__ = ["SignInSettings", "parse_issuer", "parse_roles", "parse_scopes", "sign_in_problems"]

#: RFC 6749, 3.3.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_LONGEST_ISSUER = 255
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def parse_issuer(text: str) -> str:
    """Read the identifier of a provider, as it is: a slash at its end is part of it. Or nothing."""
    try:
        parts = urlsplit(text)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        fits = is_safe and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        fits = False
    if text and (not fits or "?" in text or "#" in text or not text.isascii() or len(text) > _LONGEST_ISSUER):
        raise ValueError(
            "the https:// URL that the provider's metadata name as issuer, such as https://login.example.com/realms/staff"
        )
    return text


def parse_scopes(text: str) -> str:
    """Read scopes, separated by spaces or commas, `openid` among them."""
    scopes = text.replace(",", " ").split()
    if "openid" not in scopes or not all(_SCOPE.fullmatch(scope) for scope in scopes):
        raise ValueError("scopes separated by spaces, `openid` among them, such as openid profile groups")
    return " ".join(dict.fromkeys(scopes))


def parse_roles(text: str) -> Mapping[str, Role]:
    """Read which groups have which role, or nothing. A group's name may hold anything but a comma."""
    roles = {}
    for word in text.split(","):
        group, separator, role = word.rpartition("=")
        if not word.strip():
            continue
        if not (separator and group.strip() and role.strip() in {*Role} and group.strip() not in roles):
            raise ValueError(
                "groups with their roles, each group once, separated by commas, such as "
                f"wechat-owners=owner,wechat-ops=operator; the roles are {', '.join(Role)}"
            )
        roles[group.strip()] = Role(role.strip())
    return MappingProxyType(roles)


@dataclass(frozen=True, kw_only=True)
class SignInSettings:
    """How operators sign in."""

    admin_password_sign_in: bool = setting(
        "true",
        parse_flag,
        "Whether operators may sign in by a password. `false` needs OIDC_ISSUER, and a group of owners in OIDC_ROLES; "
        "passkeys stay good.",
        quotable=True,
    )
    admin_require_second_factor: bool = setting(
        "false",
        parse_flag,
        "Whether a password needs a second factor beside it. Who has none yet can do nothing but set one up. Not for "
        "operators of OIDC_ISSUER: there the provider asks for it.",
        quotable=True,
    )
    oidc_issuer: str = setting(
        "",
        parse_issuer,
        "The company's identity provider (OpenID Connect), by which operators sign in. Needs ADMIN_URL, "
        "OIDC_CLIENT_ID and OIDC_ROLES. Empty: none.",
        quotable=True,
    )
    oidc_name: str = setting("", plain_text, "What the sign-in page calls the provider. Empty: its host.")
    oidc_client_id: str = setting("", plain_text, "The id by which the provider knows the dashboard.")
    oidc_client_secret: str = setting(
        "", plain_text, "The secret beside it. Empty for a public client, which PKCE protects alone.", secret=True
    )
    oidc_scopes: str = setting(
        "openid profile email",
        parse_scopes,
        "What the provider is asked for. Some need `groups` here to tell a person's groups.",
        quotable=True,
    )
    oidc_groups_claim: str = setting(
        "groups",
        plain_text,
        "The claim that holds a person's groups; a dot leads into a claim, as in `realm_access.roles`. Looked for in "
        "the identity token, then at the UserInfo endpoint.",
    )
    oidc_roles: Mapping[str, Role] = setting(
        "",
        parse_roles,
        "Which groups may come in, and as what, such as `wechat-owners=owner,wechat-ops=operator`. Of several groups "
        "the widest role counts, at each sign-in anew.",
        quotable=True,
    )
    oidc_ca_file: str = setting(
        "",
        parse_optional_file,
        "Certificate authorities to trust for the provider. Empty: the usual.",
        quotable=True,
    )


def sign_in_problems(values: Mapping[str, Any]) -> list[str]:
    """Return what does not fit together, and what would keep everybody out. Settings that are bad are left out."""
    problems = []
    if values.get("oidc_issuer"):
        needed = [name for name in ("admin_url", "oidc_client_id", "oidc_roles") if name in values and not values[name]]
        problems += [f"{PREFIX}OIDC_ISSUER needs {PREFIX}{name.upper()}" for name in needed]
    has_owners = Role.OWNER in (values.get("oidc_roles") or {}).values()
    if values.get("admin_password_sign_in") is False and not (values.get("oidc_issuer") and has_owners):
        problems.append(
            f"{PREFIX}ADMIN_PASSWORD_SIGN_IN=false would keep everybody out: it needs {PREFIX}OIDC_ISSUER, and a group "
            f"in {PREFIX}OIDC_ROLES whose role is owner"
        )
    return problems
