"""`WeChatClient`: calls WeChat's API and returns its answers as data, or raises a `WeChatError`."""

import contextlib
import time
from collections.abc import Callable
from typing import Final, TypeVar

from service.wechat.endpoints import Endpoint
from service.wechat.errors import FaultReason, WeChatError, WeChatFault
from service.wechat.protocol import (
    Account,
    TokenReply,
    UserInfo,
    auth_url,
    exchange_url,
    parse_auth_reply,
    parse_refresh_reply,
    parse_token_reply,
    parse_userinfo,
    refresh_url,
    userinfo_url,
)
from service.wechat.transports import RawReply, Transport, TransportFault

__all__ = ["WeChatClient"]

T = TypeVar("T")

_OK: Final = 200
#: A second try of an exchange begins only this soon after the first, so that both end before the page gives up.
_SECOND_TRY_WITHIN_SECONDS: Final = 0.5


class WeChatClient:
    """Calls WeChat's API. Belongs to the event loop of its transport.

    Every method raises `WeChatRefusal` when WeChat answers with an errcode, `WeChatFault` when there is no usable
    answer, and no other error of its own.

    Args:
        transport: Sends the requests. The client closes it.
        api_url: The address of WeChat's API.
        observe: Called after each call with the endpoint, `ok` or the kind of the failure, and the duration in seconds.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        api_url: str = "https://api.weixin.qq.com",
        observe: Callable[[Endpoint, str, float], None] | None = None,
    ) -> None:
        self._transport = transport
        self._api_url = api_url.rstrip("/")
        self._observe = observe

    async def exchange_code(self, account: Account, code: str) -> TokenReply:
        """Exchange a code, which can be used once.

        It is sent a second time only when the first try failed at once and no byte of a reply was received: otherwise
        the code may be used up, and a second try would hide the reason.
        """
        started = time.monotonic()
        url = exchange_url(self._api_url, account, code)
        try:
            return await self._ask(Endpoint.EXCHANGE, account.appid, url, parse_token_reply)
        except WeChatFault as fault:
            if fault.reply_started or time.monotonic() - started > _SECOND_TRY_WITHIN_SECONDS:
                raise
        return await self._ask(Endpoint.EXCHANGE, account.appid, url, parse_token_reply)

    async def refresh_token(self, appid: str, refresh_token: str) -> TokenReply:
        """Refresh an access token, with one try: the caller decides when to try again."""
        url = refresh_url(self._api_url, appid, refresh_token)
        return await self._ask(Endpoint.REFRESH, appid, url, parse_refresh_reply)

    async def userinfo(self, appid: str, access_token: str, openid: str, lang: str = "zh_CN") -> UserInfo:
        """Fetch a user's profile; the token must have been granted with scope `snsapi_userinfo`."""
        url = userinfo_url(self._api_url, access_token, openid, lang)
        return await self._ask(Endpoint.USERINFO, appid, url, parse_userinfo)

    async def check_token(self, appid: str, access_token: str, openid: str) -> bool:
        """Return whether an access token is valid for a user. Anything but a clear yes or no raises."""
        url = auth_url(self._api_url, access_token, openid)
        return await self._ask(Endpoint.AUTH, appid, url, parse_auth_reply)

    async def close(self) -> None:
        """Wait for calls under way and close the connections."""
        await self._transport.close()

    async def _ask(self, endpoint: Endpoint, appid: str, url: str, parse: Callable[[bytes, str], T]) -> T:
        started = time.monotonic()
        try:
            reply = await self._fetch(endpoint, appid, url)
            answer = (
                parse(reply.body, appid) if reply.status == _OK else _answer_in_spite(reply, endpoint, appid, parse)
            )
        except WeChatError as error:
            self._note(endpoint, error.kind, started)
            raise
        self._note(endpoint, "ok", started)
        return answer

    async def _fetch(self, endpoint: Endpoint, appid: str, url: str) -> RawReply:
        try:
            return await self._transport.get(url)
        except TransportFault as error:
            fault = WeChatFault(endpoint, appid, error.reason, reply_started=error.reply_started, detail=error.detail)
        raise fault  # out here, so that it is chained to nothing: the cause of the transport's error may hold the URL

    def _note(self, endpoint: Endpoint, outcome: str, started: float) -> None:
        if self._observe is not None:
            self._observe(endpoint, outcome, time.monotonic() - started)


def _answer_in_spite(reply: RawReply, endpoint: Endpoint, appid: str, parse: Callable[[bytes, str], T]) -> T:
    """Return the answer that came under a status other than 200: WeChat's own status is 200 whatever it answers.

    Raises:
        WeChatFault: It is no answer. A refusal under such a status is not taken for WeChat's.
    """
    with contextlib.suppress(WeChatError):
        return parse(reply.body, appid)
    raise WeChatFault(endpoint, appid, FaultReason.HTTP_STATUS, reply_started=True, detail=f"HTTP {reply.status}")
