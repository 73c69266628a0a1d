"""`ApiKeyAccess`: authenticates backends by their API keys, and checks what each key may ask."""

import asyncio

from service.authorization.counters import Counters
from service.http.errors import ApiError
from service.settings.rates import Rate
from storage.base.clock import Clock
from storage.sql.accounts.api_keys import ApiKey, ApiKeys, KeyRight

__all__ = ["ApiKeyAccess"]


class ApiKeyAccess:
    """Admits backends. Belongs to one event loop.

    Args:
        counters: Where the requests of limited keys are counted.
    """

    def __init__(self, api_keys: ApiKeys, counters: Counters, clock: Clock) -> None:
        self._api_keys = api_keys
        self._counters = counters
        self._clock = clock
        self._rates: dict[int, Rate] = {}

    async def admit(self, header: str, appid: str, right: KeyRight) -> ApiKey:
        """Return the API key of a request.

        Args:
            header: The request's `Authorization`.
            appid: The account it asks about.
            right: What it asks for.

        Raises:
            ApiError: There is no good key, it is not good for this, or it has asked too often.
        """
        scheme, _, key = header.partition(" ")
        found = None
        if scheme.lower() == "bearer" and key:
            found = await asyncio.to_thread(self._api_keys.verify, key.strip(), self._clock.now())
        if found is None:
            raise ApiError(
                401, "unauthorized", "send Authorization: Bearer KEY; make a key by: wechat-openid apikeys add"
            )
        await self._check_rate(found)
        if not found.limits.admit(appid, right):
            raise ApiError(403, "forbidden", f"this key is not good for {right} at this account")
        return found

    async def _check_rate(self, key: ApiKey) -> None:
        per_minute = key.limits.per_minute
        if per_minute is None:
            return
        rate = self._rates.setdefault(per_minute, Rate(per_minute, 60))
        ends_at = await self._counters.add(rate, ("api key", key.name))
        if ends_at is not None:
            retry_after = max(1, ends_at - self._clock.now())
            raise ApiError(429, "rate_limited", "too many requests with this key", retry_after=retry_after)
