"""`PasskeyCeremonies`: Web Authentication (WebAuthn Level 2) by the library fido2: making passkeys, signing in by one.

Imported only when a passkey is made or used: the library takes some megabytes.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from admin.operators.factors.refused import PasskeyRefused
from storage.sql.accounts.factors.passkeys import NewPasskey, Passkey

__all__ = ["PasskeyCeremonies"]

_NAME = "wechat-openid"
_REQUIRED = UserVerificationRequirement.REQUIRED


class PasskeyCeremonies:
    """Passkeys that the browser keeps itself, and that ask whoever uses one for a finger, a face or a PIN.

    Args:
        origin: The dashboard's, such as `https://admin.example.com`. No other page can use its passkeys.
    """

    def __init__(self, origin: str) -> None:
        # It tells of each passkey at INFO, by its id.
        logging.getLogger("fido2").setLevel(logging.WARNING)
        self._server = Fido2Server(
            PublicKeyCredentialRpEntity(id=urlsplit(origin).hostname, name=_NAME),
            verify_origin=lambda given: given == origin,
        )

    def creation_options(
        self, operator_id: int, name: str, existing: Sequence[Passkey], challenge: bytes
    ) -> Mapping[str, Any]:
        """Return what a browser is given to make a passkey, as JSON has it."""
        # The same operator's passkeys share a handle, which tells nothing of them.
        handle = hashlib.sha256(f"wechat-openid operator {operator_id}".encode()).digest()
        options, _ = self._server.register_begin(
            PublicKeyCredentialUserEntity(id=handle, name=name, display_name=name),
            [AttestedCredentialData(passkey.credential) for passkey in existing],
            resident_key_requirement=ResidentKeyRequirement.REQUIRED,
            user_verification=_REQUIRED,
            challenge=challenge,
        )
        return dict(options.public_key)

    def made(self, response: Any, challenge: bytes | None, name: str) -> NewPasskey:
        """Return the passkey that a browser has made for a challenge; None stands for one that it was not given.

        Raises:
            PasskeyRefused: It was made for another challenge, page or host, or without asking its owner.
        """
        if challenge is None:
            raise PasskeyRefused("nobody asked for it, or not lately")
        try:
            data = self._server.register_complete(_state(challenge), response)
            credential = data.credential_data
            assert credential is not None, "a registration without one is refused"
            return NewPasskey(credential.credential_id, bytes(credential), data.counter, name)
        except Exception as error:  # noqa: BLE001 - what a hostile answer makes the library raise is not listed
            raise PasskeyRefused(f"no passkey was made: {type(error).__name__}") from None

    def request_options(self, challenge: bytes) -> Mapping[str, Any]:
        """Return what a browser is given to sign in by any passkey of this dashboard that it has."""
        options, _ = self._server.authenticate_begin(user_verification=_REQUIRED, challenge=challenge)
        return dict(options.public_key)

    @staticmethod
    def credential_id(response: Any) -> bytes:
        """Return the id of the passkey that a browser says to have used.

        Raises:
            PasskeyRefused: It says none.
        """
        try:
            return bytes(AuthenticationResponse.from_dict(response).raw_id)
        except Exception as error:  # noqa: BLE001 - as above
            raise PasskeyRefused(f"no answer of a passkey: {type(error).__name__}") from None

    def sign_count(self, response: Any, challenge: bytes | None, passkey: Passkey) -> int:
        """Return how often a passkey has signed, if it has signed this challenge; None stands for one not given.

        Raises:
            PasskeyRefused: It has not, or for another page or host, or without asking its owner.
        """
        if challenge is None:
            raise PasskeyRefused("nobody asked for it, or not lately")
        try:
            self._server.authenticate_complete(
                _state(challenge), [AttestedCredentialData(passkey.credential)], response
            )
            return int(AuthenticationResponse.from_dict(response).response.authenticator_data.counter)
        except Exception as error:  # noqa: BLE001 - as above
            raise PasskeyRefused(f"the passkey did not sign: {type(error).__name__}") from None


def _state(challenge: bytes) -> dict[str, str]:
    return {"challenge": websafe_encode(challenge), "user_verification": _REQUIRED}
