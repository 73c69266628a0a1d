"""`PasskeyHandler`: what the handlers of passkeys share: challenges, each for one browser and one answer."""

import base64
import logging
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING, Any

from admin.operators.sign_in_base import SignInBase
from admin.operators.step_cookies import STEP_SECONDS, Step
from admin.web.errors import PageError
from admin.web.i18n import N_
from admin.web.inputs import parse_json

if TYPE_CHECKING:
    from admin.operators.factors.passkey_ceremonies import PasskeyCeremonies

__all__ = ["PasskeyHandler", "logger"]

_CHALLENGE_BYTES = 32

logger = logging.getLogger(__name__)


class PasskeyHandler(SignInBase):
    """A handler that makes passkeys, or lets somebody in by one. Each says itself which role it requires."""

    def ceremonies(self) -> "PasskeyCeremonies":
        """Return what makes and checks passkeys. Blocking, the first time.

        Raises:
            PageError: The address of the dashboard allows none.
        """
        origin = self.services.ways.passkey_origin
        if not origin:
            raise PageError(HTTPStatus.NOT_FOUND, N_("There is no such page."))
        made: PasskeyCeremonies = import_module("admin.operators.factors.passkey_ceremonies").PasskeyCeremonies(origin)
        return made

    def new_challenge(self, purpose: str) -> bytes:
        """Return a challenge, which the browser keeps beside what it is for."""
        challenge = secrets.token_bytes(_CHALLENGE_BYTES)
        content = [purpose, base64.b64encode(challenge).decode()]
        self.private_cookies.set(Step.PASSKEY, self.services.steps.write(Step.PASSKEY, content))
        return challenge

    async def answered_challenge(self, purpose: str) -> bytes | None:
        """Return the challenge that this browser was given for a purpose, if nobody has answered it before."""
        kept = self.services.steps.read(Step.PASSKEY, self.private_cookies.get(Step.PASSKEY))
        self.private_cookies.clear(Step.PASSKEY)
        match kept:
            case [str(kept_purpose), str(challenge)] if kept_purpose == purpose:
                now = self.services.clock.now()
                spend = self.services.factors.challenges.spend
                is_first = await self.run(spend, challenge, now, now + STEP_SECONDS)
                return base64.b64decode(challenge) if is_first else None
            case _:
                return None

    def response(self) -> Any:
        """Return what the browser brings of a passkey, as JSON: any value at all."""
        return parse_json(self.get_body_argument("credential", ""))

    def write_options(self, options: Mapping[str, Any]) -> None:
        """Answer the script with what the browser is to be given."""
        self.finish(dict(options))
