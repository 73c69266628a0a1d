"""Signing in by a passkey, which is possession and, by a finger, a face or a PIN, the person: both factors at once."""

from http import HTTPStatus

from admin.operators.factors.passkey_handler import PasskeyHandler, logger
from admin.operators.factors.refused import PasskeyRefused
from admin.operators.sign_in_refusal import SignInRefusal
from admin.operators.sign_in_throttle import Attempt
from admin.operators.sign_in_ways import SignInWay
from admin.web.handler import AdminRoute
from admin.web.i18n import N_
from storage.sql.accounts.factors.passkeys import Passkey
from storage.sql.accounts.operators import Operator

__all__ = ["routes"]

_PURPOSE = "sign in"
#: By what attempts are counted: before one is checked, nobody knows whose passkey it is.
_ANYBODY = "(passkey)"
_REFUSED = N_("This passkey was not accepted. Try again, or sign in another way.")


class BeginPasskeySignInHandler(PasskeyHandler):
    """`POST /admin/sign-in/passkey/begin`: a challenge for a passkey."""

    requires = None

    async def post(self) -> None:
        """Give it to the script of the sign-in page."""
        ceremonies = await self.run(self.ceremonies)
        self.write_options(ceremonies.request_options(self.new_challenge(_PURPOSE)))


class PasskeySignInHandler(PasskeyHandler):
    """`POST /admin/sign-in/passkey`: begins a session for the owner of the passkey that has signed the challenge."""

    requires = None

    async def post(self) -> None:
        """Begin it, or refuse."""
        attempt = Attempt(_ANYBODY, self.client_address)
        if await self.is_throttled(attempt):
            return
        passkey = await self._signed_by()
        operator = None if passkey is None else await self._owner_of(passkey)
        if operator is None:
            self.set_status(HTTPStatus.UNAUTHORIZED)
            self.show_sign_in(_REFUSED)
            return
        await self.run(self.services.throttle.forgive, attempt)
        await self.begin_session(operator, SignInWay.PASSKEY)
        self.redirect(self.next_path, status=HTTPStatus.SEE_OTHER)

    async def _signed_by(self) -> Passkey | None:
        """Return the passkey that has signed the challenge of this browser."""
        ceremonies = await self.run(self.ceremonies)
        challenge, response = await self.answered_challenge(_PURPOSE), self.response()
        passkeys = self.services.factors.passkeys
        passkey = None
        try:
            passkey = await self.run(passkeys.find, ceremonies.credential_id(response))
            if passkey is not None:
                count = ceremonies.sign_count(response, challenge, passkey)
                if await self.run(passkeys.use, passkey.id, count, self.services.clock.now()):
                    return passkey
        except PasskeyRefused as refusal:
            logger.info("[%s] signing in by a passkey: %s", self.request_id, refusal)
        await self.audit_refusal(SignInRefusal.BAD_PASSKEY, passkey.operator if passkey else "")
        return None

    async def _owner_of(self, passkey: Passkey) -> Operator | None:
        found = await self.run(self.services.operators.find, passkey.operator)
        if found is None or found[0].disabled_at is not None:
            await self.audit_refusal(SignInRefusal.DISABLED, passkey.operator)
            return None
        return found[0]


routes: list[AdminRoute] = [
    (r"/admin/sign-in/passkey", PasskeySignInHandler),
    (r"/admin/sign-in/passkey/begin", BeginPasskeySignInHandler),
]
