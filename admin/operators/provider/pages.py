"""Signing in at the company's provider: on the way there, and back."""

import hmac
import logging
from http import HTTPStatus

from admin.operators.provider.identity_provider import (
    CALLBACK_PATH,
    IdentityProvider,
    PendingSignIn,
    ProviderFault,
    ProviderRefusal,
    VouchedFor,
)
from admin.operators.sign_in_base import SignInBase
from admin.operators.sign_in_refusal import SignInRefusal
from admin.operators.sign_in_throttle import Attempt
from admin.operators.sign_in_ways import SignInWay
from admin.operators.step_cookies import Step
from admin.web.errors import PageError
from admin.web.handler import AdminRoute
from admin.web.i18n import N_
from storage.base.text import is_text
from storage.sql.accounts.audit import IDENTITY_PROVIDER, AuditAction
from storage.sql.accounts.operators import Operator

__all__ = ["routes"]

_LONGEST_ANSWER = 4096
_ELSEWHERE = N_("This sign-in was begun in another browser, or too long ago. Please try again.")
_REFUSED = N_("%s did not confirm who you are. Please try again.")
_NO_ANSWER = N_("%s is not available, or is set up wrongly here. The log has more.")
_NO_GROUP = N_("You are in no group at %s that may use this dashboard. Ask whoever manages your groups there.")
_DISABLED = N_("Your access to this dashboard has been disabled.")

_logger = logging.getLogger(__name__)


class _ProviderHandler(SignInBase):
    """A handler that is there only with a provider."""

    @property
    def provider(self) -> IdentityProvider:
        """The company's provider.

        Raises:
            PageError: None is configured.
        """
        provider = self.services.ways.provider
        if provider is None:
            raise PageError(HTTPStatus.NOT_FOUND, N_("There is no such page."))
        return provider

    def refuse(self, status: HTTPStatus, text: str, *, is_signed_in_there: bool = False) -> None:
        """Show the sign-in page, and why this attempt came to nothing."""
        self.set_status(status)
        self.show_sign_in(text, is_signed_in_there=is_signed_in_there)

    def tell_fault(self, fault: ProviderFault) -> None:
        """Say that the provider cannot be used now, and why in the log."""
        _logger.warning("[%s] signing in by the identity provider: %s", self.request_id, fault)
        self.refuse(HTTPStatus.BAD_GATEWAY, _NO_ANSWER)


class BeginHandler(_ProviderHandler):
    """`GET /admin/sign-in/provider`: sends the browser to the provider."""

    requires = None

    async def get(self) -> None:
        """Let the browser keep what its coming back is checked by, and send it there."""
        try:
            address, pending = await self.provider.begin()
        except ProviderFault as fault:
            self.tell_fault(fault)
            return
        content = [pending.state, pending.nonce, pending.code_verifier, self.next_path]
        self.private_cookies.set(Step.PROVIDER, self.services.steps.write(Step.PROVIDER, content))
        self.redirect(address, status=HTTPStatus.SEE_OTHER)


class CallbackHandler(_ProviderHandler):
    """`GET /admin/sign-in/provider/callback`: takes the code that the browser brings back."""

    requires = None

    async def get(self) -> None:
        """Begin a session for the person that the provider vouches for, if a group of theirs may come in."""
        provider, pending, path = self.provider, *self._pending()
        self.private_cookies.clear(Step.PROVIDER)
        if pending is None:
            self.refuse(HTTPStatus.BAD_REQUEST, _ELSEWHERE)
            return
        attempt = Attempt(IDENTITY_PROVIDER, self.client_address)
        if await self.is_throttled(attempt):
            return
        try:
            vouched = await self._vouched(provider, pending)
        except ProviderRefusal as refusal:
            _logger.info("[%s] signing in by the identity provider: %s", self.request_id, refusal)
            await self.audit_refusal(SignInRefusal.PROVIDER)
            self.refuse(HTTPStatus.FORBIDDEN, _REFUSED)
            return
        except ProviderFault as fault:
            self.tell_fault(fault)
            return
        operator = await self._admitted(vouched)
        if operator is None:
            return
        await self.run(self.services.throttle.forgive, attempt)
        await self.begin_session(operator, SignInWay.PROVIDER)
        self.redirect(path, status=HTTPStatus.SEE_OTHER)

    def _pending(self) -> tuple[PendingSignIn | None, str]:
        """Return what this browser keeps of the sign-in whose state has come back, and where it goes on."""
        kept = self.services.steps.read(Step.PROVIDER, self.private_cookies.get(Step.PROVIDER))
        given = self.get_query_argument("state", "")[:_LONGEST_ANSWER].encode("utf-8", "surrogatepass")
        match kept:
            case [str(state), str(nonce), str(verifier), str(path)] if hmac.compare_digest(state.encode(), given):
                return PendingSignIn(state, nonce, verifier), self.own(path)
            case _:
                return None, ""

    async def _vouched(self, provider: IdentityProvider, pending: PendingSignIn) -> VouchedFor:
        code = self.get_query_argument("code", "")
        if not code or not is_text(code, _LONGEST_ANSWER):
            # RFC 6749, 4.1.2.1: a person who cancels, or a client that is not set up there.
            raise ProviderRefusal("it sent no code")
        issuer = self.get_query_argument("iss", None)
        return await provider.finish(pending, code, issuer)

    async def _admitted(self, vouched: VouchedFor) -> Operator | None:
        """Return the operator, with the role that the groups have now; None where the answer is given already."""
        services = self.services
        if vouched.role is None:
            known = await self.run(services.provider_operators.find, vouched.identity)
            if known is not None:
                # Who was in an allowed group until now is in none any more.
                await self.run(services.sessions.end_all, known.id)
            await self.audit_refusal(SignInRefusal.NO_GROUP, known.name if known else "")
            self.refuse(HTTPStatus.FORBIDDEN, _NO_GROUP, is_signed_in_there=True)
            return None
        operator = await self.run(
            services.provider_operators.admit,
            vouched.identity,
            vouched.role,
            services.clock.now(),
            added=self.audit_entry(AuditAction.OPERATOR_ADD, operator=IDENTITY_PROVIDER),
            changed=self.audit_entry(AuditAction.OPERATOR_ROLE, operator=IDENTITY_PROVIDER),
        )
        if operator.disabled_at is not None:
            await self.audit_refusal(SignInRefusal.DISABLED, operator.name)
            self.refuse(HTTPStatus.FORBIDDEN, _DISABLED, is_signed_in_there=True)
            return None
        return operator


class SignOutThereHandler(_ProviderHandler):
    """`GET /admin/sign-in/provider/sign-out`: sends the browser to where it signs out at the provider, too."""

    requires = None

    async def get(self) -> None:
        """Send it there, or say that this cannot be done from here."""
        address = await self.provider.sign_out_address()
        if address is None:
            self.refuse(HTTPStatus.NOT_FOUND, N_("%s does not offer to sign out from here. Sign out there."))
            return
        self.redirect(address, status=HTTPStatus.SEE_OTHER)


routes: list[AdminRoute] = [
    (r"/admin/sign-in/provider", BeginHandler),
    (CALLBACK_PATH, CallbackHandler),
    (r"/admin/sign-in/provider/sign-out", SignOutThereHandler),
]
