"""By what operators may sign in, out of the settings."""

from importlib import import_module
from urllib.parse import urlsplit

from admin.operators.provider.identity_provider import CALLBACK_PATH, IdentityProvider, ProviderConfiguration
from admin.operators.sign_in_ways import SignInWays
from service.settings import Settings
from storage.base.clock import Clock

__all__ = ["make_sign_in_ways"]

_LOOPBACK = "localhost"


def make_sign_in_ways(settings: Settings, clock: Clock) -> SignInWays:
    """Return what the settings allow. Call it in the event loop of the dashboard."""
    return SignInWays(
        takes_passwords=settings.admin_password_sign_in,
        requires_factor=settings.admin_require_second_factor,
        provider=_provider_of(settings, clock) if settings.oidc_issuer else None,
        passkey_origin=settings.admin_url if _may_have_passkeys(settings.admin_url) else "",
    )


def _may_have_passkeys(address: str) -> bool:
    """Return whether browsers make passkeys for an address: by TLS or on this machine, and under a name."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    is_local = host == _LOOPBACK or host.endswith(f".{_LOOPBACK}")
    is_named = not (":" in host or host.rpartition(".")[2].isdecimal())
    return bool(host) and is_named and (parts.scheme == "https" or is_local)


def _provider_of(settings: Settings, clock: Clock) -> IdentityProvider:
    configuration = ProviderConfiguration(
        issuer=settings.oidc_issuer,
        name=settings.oidc_name or urlsplit(settings.oidc_issuer).netloc,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        scopes=settings.oidc_scopes,
        groups_claim=settings.oidc_groups_claim,
        roles=settings.oidc_roles,
        redirect_uri=f"{settings.admin_url}{CALLBACK_PATH}",
        ca_file=settings.oidc_ca_file,
    )
    # By name, so that a process without a provider does without the megabytes of its libraries.
    make = import_module("admin.operators.provider.oidc").OidcProvider
    provider: IdentityProvider = make(configuration, f"{settings.admin_url}/admin/sign-in", clock)
    return provider
