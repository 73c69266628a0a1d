"""`IdentityProvider`: what the pages ask of the company's provider, and how that may fail."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from storage.sql.accounts.operators import Role
from storage.sql.accounts.provider_operators import ProviderIdentity

__all__ = [
    "CALLBACK_PATH",
    "IdentityProvider",
    "PendingSignIn",
    "ProviderConfiguration",
    "ProviderFault",
    "ProviderRefusal",
    "VouchedFor",
]

#: Where the provider sends browsers back to, below the dashboard's address.
CALLBACK_PATH = "/admin/sign-in/provider/callback"


class ProviderFault(Exception):
    """The provider does not answer, or not as it should. The text names no address and quotes nothing secret."""


class ProviderRefusal(Exception):
    """What came back proves nobody's identity. The text says why, for the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfiguration:
    """What the settings say of the provider.

    Attributes:
        issuer: Its identifier, below which its metadata is found.
        name: What pages call it.
        scopes: Separated by spaces; `openid` among them.
        groups_claim: The claim that holds a person's groups; a dot leads into a claim of claims.
        roles: What members of each group may do.
        redirect_uri: The dashboard's address for browsers that come back.
        ca_file: Certificate authorities to trust; empty for the usual.
    """

    issuer: str
    name: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    groups_claim: str
    roles: Mapping[str, Role]
    redirect_uri: str
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """What the browser that begins a sign-in keeps, and its end is checked by.

    Attributes:
        state: Comes back with the answer: it shows that this browser asked (RFC 6749, 10.12).
        nonce: Comes back in the identity token, which so was made for this sign-in (OpenID Connect Core 1.0, 15.5.2).
        code_verifier: Without it the code is of no use to anybody else (RFC 7636).
    """

    state: str
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class VouchedFor:
    """Whom the provider vouches for, and the role of their groups; None where no group of theirs may come in."""

    identity: ProviderIdentity
    role: Role | None


class IdentityProvider(Protocol):
    """The company's provider. Each method may ask it."""

    @property
    def name(self) -> str:
        """What pages call it."""

    async def begin(self) -> tuple[str, PendingSignIn]:
        """Return where a browser signs in, and what it keeps meanwhile.

        Raises:
            ProviderFault: Its metadata are not to be had.
        """

    async def finish(self, pending: PendingSignIn, code: str, issuer: str | None) -> VouchedFor:
        """Exchange a code and return whose it is.

        Args:
            pending: What the browser kept. That its state has come back is checked before.
            code: What came back.
            issuer: Who says to have sent it (RFC 9207); None where nobody does.

        Raises:
            ProviderFault: It does not answer, or not as it should.
            ProviderRefusal: It does not know the code, or what it says is not for this sign-in.
        """

    async def sign_out_address(self) -> str | None:
        """Return where a browser signs out there, too; None where that is not offered, or cannot be told now."""
