"""What each part of the contract stands on: the fixtures and hooks that a store's own test class overrides."""

import time
from collections.abc import Iterator

import pytest

from storage.leases import Lease
from storage.store import Capability, TokenStore
from storage.testing.samples import APPID, LONG_TTL, USER, skip_without

__all__ = ["Contract"]

#: How long a test waits for the end of a lease, in seconds.
PATIENCE_SECONDS = 15


class Contract:
    """Fixtures and hooks."""

    @pytest.fixture
    def store(self) -> Iterator[TokenStore]:
        """Give an empty store, its tables made. Override it."""
        raise NotImplementedError("give the class a fixture `store`")

    @pytest.fixture
    def url(self, store: TokenStore) -> str:
        """Give the URL by which another process opens what `store` holds. Override it if the store can be shared."""
        skip_without(store, Capability.SHARING)
        raise NotImplementedError("give the class a fixture `url`, or the store no capability SHARING")

    def let_pass(self, seconds: float) -> None:
        """Let the store's clock go on. Override it where the clock can be moved."""
        time.sleep(seconds)

    def claimed_when_free(self, store: TokenStore, owner: str, openid: str = USER) -> Lease:
        """Return a lease of a user as soon as an earlier one has ended."""
        waited = 0.0
        while waited < PATIENCE_SECONDS:
            lease = store.claim(APPID, openid, owner, LONG_TTL)
            if lease is not None:
                return lease
            self.let_pass(0.1)
            waited += 0.1
        pytest.fail("the lease did not end")
