"""`HashingPool`: hashes, checks and judges passwords away from the event loop, a few at a time."""

import asyncio

from storage.base.password_rules import PasswordFault, PasswordRules
from storage.base.passwords import PasswordHashes

__all__ = ["HashingPool"]

#: Each hash takes 64 MiB and a core for a while; more at once would only make all of them slower.
_AT_ONCE = 2
#: Beside these, for browsers that are known: a flood of strangers' passwords is no queue that they stand in.
_AT_ONCE_KNOWN = 1


class HashingPool:
    """The asynchronous interface of `PasswordHashes` and `PasswordRules`. Belongs to one event loop."""

    def __init__(self, hashes: PasswordHashes, rules: PasswordRules | None = None) -> None:
        self._hashes = hashes
        self._rules = rules or PasswordRules()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._known_slots = asyncio.Semaphore(_AT_ONCE_KNOWN)

    async def hash(self, password: str) -> str:
        """Return the hash to store.

        Raises:
            InvalidRecord: The password is too short or too long.
        """
        async with self._known_slots:
            return await asyncio.to_thread(self._hashes.hash, password)

    async def verify(self, password_hash: str | None, password: str, *, is_known: bool) -> bool:
        """Return whether a password is the one of a hash; None, for an unknown name, costs the same and is False.

        Args:
            password_hash: The hash.
            password: What was typed.
            is_known: Whether it was typed in a browser in which the operator has signed in before.
        """
        async with self._known_slots if is_known else self._slots:
            return await asyncio.to_thread(self._hashes.verify, password_hash, password)

    async def renewed(self, password_hash: str, password: str) -> str | None:
        """Return another hash of the password if this one was made with other parameters than today's."""
        return await self.hash(password) if self._hashes.is_outdated(password_hash) else None

    async def fault_of(self, password: str, name: str) -> PasswordFault | None:
        """Return what is wrong with a password of the operator with this name; None for a good one."""
        async with self._known_slots:
            return await asyncio.to_thread(self._rules.fault_of, password, name)
