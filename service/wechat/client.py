"""`WeChatClient`: calls WeChat's API and returns its answers as data, or raises a `WeChatError`."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final, TypeVar

from service.wechat.account_protocol import (
    CredentialReply,
    parse_stable_token,
    parse_ticket,
    stable_token_body,
    ticket_url,
)
from service.wechat.addresses import ApiAddresses
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
from service.wechat.transports import PostingTransport, RawReply, TransportFault

__all__ = ["WeChatClient"]

T = TypeVar("T")

_OK: Final = 200
#: A second try of an exchange at the same address begins only this soon after the first, so that both end before the
#: page gives up.
_SECOND_TRY_WITHIN_SECONDS: Final = 0.5
_JSON: Final = {"Content-Type": "application/json"}


class WeChatClient:
    """Calls WeChat's API. Belongs to the event loop of its transport.

    Every method raises `WeChatRefusal` when WeChat answers with an errcode, `WeChatFault` when there is no usable
    answer, and no other error of its own.

    Args:
        transport: Sends the requests. The client closes it.
        api_url: The address of WeChat's API.
        further_api_urls: Addresses of the same API that are asked while those before them do not answer.
        timeout_seconds: How long the transport lets a call take.
        ask_first_again_seconds: How often `api_url` is tried while another address is asked.
        observe: Called after each call with the endpoint, `ok` or the kind of the failure, and the duration in seconds.
        ended: Called after each call with the endpoint, the appid, and the error of a call that failed.
    """

    def __init__(
        self,
        transport: PostingTransport,
        *,
        api_url: str = "https://api.weixin.qq.com",
        further_api_urls: Sequence[str] = (),
        timeout_seconds: float = 4.0,
        ask_first_again_seconds: float = 10.0,
        observe: Callable[[Endpoint, str, float], None] = lambda *_: None,
        ended: Callable[[Endpoint, str, WeChatError | None], None] = lambda *_: None,
    ) -> None:
        self._transport = transport
        self._addresses = ApiAddresses(
            (api_url, *further_api_urls), transport, ask_first_again_seconds=ask_first_again_seconds
        )
        self._timeout_seconds = timeout_seconds
        self._observe = observe
        self._ended = ended

    async def exchange_code(self, account: Account, code: str) -> TokenReply:
        """Exchange a code, which can be used once.

        It is sent a second time only when no byte of a reply was received and time is left: the first try failed at
        once, or another address can be asked in what remains of a call's time. Otherwise the code may be used up, and
        a second try would hide the reason.
        """

        async def ask() -> TokenReply:
            return await self._get(
                Endpoint.EXCHANGE, account.appid, lambda api: exchange_url(api, account, code), parse_token_reply
            )

        began_at, began_with = time.monotonic(), self._addresses.current
        try:
            return await ask()
        except WeChatFault as fault:
            took = time.monotonic() - began_at
            may_ask_another = self._addresses.current != began_with
            time_left = self._timeout_seconds - took if may_ask_another else _SECOND_TRY_WITHIN_SECONDS - took
            if fault.reply_started or time_left <= 0:
                raise
        if not may_ask_another:
            return await ask()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(time_left):
                return await ask()
        raise WeChatFault(Endpoint.EXCHANGE, account.appid, FaultReason.TIMEOUT, reply_started=True)

    async def refresh_token(self, appid: str, refresh_token: str) -> TokenReply:
        """Refresh an access token, with one try: the caller decides when to try again."""
        return await self._get(
            Endpoint.REFRESH, appid, lambda api: refresh_url(api, appid, refresh_token), parse_refresh_reply
        )

    async def userinfo(self, appid: str, access_token: str, openid: str, lang: str = "zh_CN") -> UserInfo:
        """Fetch a user's profile; the token must have been granted with scope `snsapi_userinfo`."""
        return await self._get(
            Endpoint.USERINFO, appid, lambda api: userinfo_url(api, access_token, openid, lang), parse_userinfo
        )

    async def check_token(self, appid: str, access_token: str, openid: str) -> bool:
        """Return whether an access token is valid for a user. Anything but a clear yes or no raises."""
        return await self._get(Endpoint.AUTH, appid, lambda api: auth_url(api, access_token, openid), parse_auth_reply)

    async def stable_token(self, account: Account, *, force: bool = False) -> CredentialReply:
        """Fetch the account's own access token.

        Args:
            account: Whose.
            force: End the one there is and make another; see `stable_token_body`.
        """

        async def send(api: str) -> RawReply:
            body = stable_token_body(account, force=force)
            url = f"{api}{Endpoint.STABLE_TOKEN.path}"
            return await self._transport.post(url, body, _JSON, timeout_seconds=self._timeout_seconds)

        return await self._ask(Endpoint.STABLE_TOKEN, account.appid, send, parse_stable_token)

    async def ticket(self, appid: str, access_token: str, ticket_type: str) -> CredentialReply:
        """Fetch a ticket of an account with its own access token."""
        return await self._get(
            Endpoint.TICKET, appid, lambda api: ticket_url(api, access_token, ticket_type), parse_ticket
        )

    async def close(self) -> None:
        """Wait for calls under way and close the connections."""
        await self._addresses.close()
        await self._transport.close()

    async def _get(
        self, endpoint: Endpoint, appid: str, url_at: Callable[[str], str], parse: Callable[[bytes, str], T]
    ) -> T:
        return await self._ask(endpoint, appid, lambda api: self._transport.get(url_at(api)), parse)

    async def _ask(
        self,
        endpoint: Endpoint,
        appid: str,
        send: Callable[[str], Awaitable[RawReply]],
        parse: Callable[[bytes, str], T],
    ) -> T:
        started = time.monotonic()
        try:
            reply = await self._reply_to(send, endpoint, appid)
            answer = (
                parse(reply.body, appid) if reply.status == _OK else _answer_in_spite(reply, endpoint, appid, parse)
            )
        except WeChatError as error:
            self._observe(endpoint, error.kind, time.monotonic() - started)
            self._ended(endpoint, appid, error)
            raise
        self._observe(endpoint, "ok", time.monotonic() - started)
        self._ended(endpoint, appid, None)
        return answer

    async def _reply_to(self, send: Callable[[str], Awaitable[RawReply]], endpoint: Endpoint, appid: str) -> RawReply:
        address = self._addresses.current
        try:
            reply = await send(address)
        except TransportFault as error:
            if error.is_unanswered:
                self._addresses.note_unanswered(address)
            fault = WeChatFault(endpoint, appid, error.reason, reply_started=error.reply_started, detail=error.detail)
        else:
            if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._addresses.note_unanswered(address)
            return reply
        raise fault  # out here, so that it is chained to nothing: the cause of the transport's error may hold the URL


def _answer_in_spite(reply: RawReply, endpoint: Endpoint, appid: str, parse: Callable[[bytes, str], T]) -> T:
    """Return the answer that came under a status other than 200: WeChat's own status is 200 whatever it answers.

    Raises:
        WeChatFault: It is no answer. A refusal under such a status is not taken for WeChat's.
    """
    with contextlib.suppress(WeChatError):
        return parse(reply.body, appid)
    raise WeChatFault(endpoint, appid, FaultReason.HTTP_STATUS, reply_started=True, detail=f"HTTP {reply.status}")
