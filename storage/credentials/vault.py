"""`CredentialVault`: the asynchronous interface to accounts' own credentials. It seals, and blocks no event loop."""

import asyncio
import itertools

from storage.base.errors import NotKept
from storage.credentials.records import Credential, CredentialKind, CredentialLease, CredentialOutcome
from storage.sealing import KeyRing
from storage.store import Capability, TokenStore

__all__ = ["CredentialVault"]


class CredentialVault:
    """Everything the service does with stored credentials. Belongs to one event loop.

    Every method that asks the store may raise `StoreUnavailable`.

    Args:
        store: Where they are kept.
        keys: What seals them.
        instance: A name for this process that no other has; it marks the leases.
    """

    def __init__(self, store: TokenStore, keys: KeyRing, *, instance: str) -> None:
        self._store = store
        self._keys = keys
        self._instance = instance
        self._claim_numbers = itertools.count(1)

    @property
    def is_kept(self) -> bool:
        """Whether the store keeps credentials at all."""
        return Capability.ACCOUNT_CREDENTIALS in self._store.capabilities

    async def all(self, appid: str | None = None) -> list[Credential]:
        """Return the credentials of an account, or of all; none where the store keeps none."""
        if not self.is_kept:
            return []
        return await asyncio.to_thread(self._store.credentials, appid)

    async def get(self, appid: str, kind: CredentialKind) -> Credential:
        """Return a credential; an empty one where none was ever asked for.

        Raises:
            NotKept: The store keeps no credentials.
        """
        if not self.is_kept:
            raise NotKept("this token store keeps no credentials of accounts")
        found = await self.all(appid)
        return next((one for one in found if one.kind is kind), Credential(appid, kind))

    async def claim(self, appid: str, kind: CredentialKind, ttl: int) -> CredentialLease | None:
        """Lease a credential for `ttl` seconds; None when it is leased already."""
        owner = f"{self._instance}/credential/{next(self._claim_numbers)}"
        return await asyncio.to_thread(self._store.claim_credential, appid, kind, owner, ttl)

    async def settle(self, outcome: CredentialOutcome) -> bool:
        """Write what became of a lease; False when the credential has changed hands since."""
        return await asyncio.to_thread(self._store.settle_credential, outcome)

    async def touch(self, credential: Credential, used_at: int) -> None:
        """Note that a credential was asked for."""
        await asyncio.to_thread(self._store.touch_credential, credential.appid, credential.kind, used_at)

    def seal(self, credential: Credential, value: str) -> bytes:
        """Seal a new value of a credential, with the newest key."""
        return self._keys.seal_credential(credential.appid, credential.kind, value)

    def open(self, credential: Credential) -> str:
        """Open a credential.

        Raises:
            SealError: The key is missing, or the value was altered or moved.
        """
        return self._keys.open_credential(credential)
