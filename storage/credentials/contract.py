"""The part of a token store that keeps accounts' own credentials: the capability `account_credentials`."""

from storage.credentials.records import Credential, CredentialKind, CredentialLease, CredentialOutcome

__all__ = ["CredentialStore"]


class CredentialStore:
    """Keeps a credential for each pair of account and kind; there are a few for each account.

    What is promised of `storage.store.TokenStore` holds here, too: threads share an instance, values come sealed, and
    leases are compared on the store's own clock. No action on a user concerns credentials.
    """

    def credentials(self, appid: str | None = None) -> list[Credential]:
        """Return the credentials of an account, or of all accounts, in the order of account and kind."""
        raise NotImplementedError

    def claim_credential(self, appid: str, kind: CredentialKind, owner: str, ttl: int) -> CredentialLease | None:
        """Lease a credential for `ttl` seconds, at most `storage.leases.LONGEST_LEASE_SECONDS`; make it if need be.

        Raises the version. Returns None when it is leased (`owner` included) for longer. Of any number of callers at
        once, at most one gets it.
        """
        raise NotImplementedError

    def settle_credential(self, outcome: CredentialOutcome) -> bool:
        """Write what became of a lease, and end it unless the outcome keeps it.

        Returns whether it was written: False when the credential was leased anew since, or the lease has ended. One
        whose time is over is still good while nobody else came.
        """
        raise NotImplementedError

    def touch_credential(self, appid: str, kind: CredentialKind, used_at: int) -> None:
        """Note that a credential was asked for: `last_used_at` never moves back. One that is not there is not made."""
        raise NotImplementedError

    def reseal_credential(self, read: Credential, sealed: bytes) -> bool:
        """Replace the sealed value by the same one under another key, where it still is the one that was read.

        Nothing else changes, no lease either. Returns whether it was written.
        """
        raise NotImplementedError
