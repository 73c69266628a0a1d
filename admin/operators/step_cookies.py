"""`StepCookies`: what a browser keeps between the steps of signing in, signed, and good for some minutes."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from tornado.web import create_signed_value, decode_signed_value

from storage.base.clock import DAY_SECONDS, Clock

__all__ = ["STEP_SECONDS", "Step", "StepCookies"]

#: How long a step may take: a person looks for a phone meanwhile.
STEP_SECONDS = 10 * 60
_LONGEST_COOKIE = 2048


class Step(StrEnum):
    """What a browser waits for. The value is the cookie's name, and part of what is signed."""

    #: That the company's provider sends it back.
    PROVIDER = "provider_sign_in"
    #: That a second factor follows the right password.
    SECOND_FACTOR = "second_factor"
    #: That a passkey signs a challenge.
    PASSKEY = "passkey_challenge"


class StepCookies:
    """Writes and reads them. They hold nothing that their own browser may not know.

    Args:
        keys: Keys that sign, by their numbers, the newest first.
        clock: What stamps the values and tells their age.
    """

    def __init__(self, keys: Mapping[int, bytes], clock: Clock) -> None:
        self._keys = dict(keys)
        self._clock = clock

    def write(self, step: Step, content: Sequence[str | int]) -> str:
        """Return the cookie of a step that begins now."""
        signed = create_signed_value(
            self._keys, step, json.dumps(content), clock=self._clock.now, key_version=next(iter(self._keys))
        )
        return signed.decode("ascii")

    def read(self, step: Step, cookie: str | None) -> Any:
        """Return the content of a step's cookie; None for any other text, and for one older than ten minutes."""
        if cookie is None or len(cookie) > _LONGEST_COOKIE:
            return None
        content = decode_signed_value(
            self._keys,
            step,
            cookie,
            max_age_days=STEP_SECONDS / DAY_SECONDS,
            clock=self._clock.now,
            min_version=2,
        )
        # Signed here, so it is what `write` wrote.
        return None if content is None else json.loads(content)
