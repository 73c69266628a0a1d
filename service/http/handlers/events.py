"""`/events/{appid}`: where WeChat pushes events about users who take their authorization back."""

from collections.abc import Mapping

from service.http.errors import ApiError
from service.http.handlers.base import JsonHandler, Route
from service.webhooks.crypto import InvalidMessage, MessageCipher, is_signed
from service.webhooks.messages import read_event, read_fields
from service.webhooks.pushed import PushedEvents
from service.wechat.protocol import Account
from storage.base.clock import Clock

__all__ = ["routes"]

#: A delivery may be a day late. An older signature is a replay, or the clock is wrong.
_OLDEST_SECONDS = 25 * 3600
_LONGEST_NUMBER = 12


class EventsHandler(JsonHandler):
    """Takes deliveries: plain ones, or only encrypted ones where the account has an AES key."""

    def initialize(self, events: PushedEvents, accounts: Mapping[str, Account], clock: Clock) -> None:
        """Take what the handler needs."""
        self.events = events
        self.accounts = accounts
        self.clock = clock

    def get(self, appid: str) -> None:
        """Prove to WeChat that this address is the account's, when it is entered in the console."""
        account = self._account(appid)
        self._require_signature(account, self.get_query_argument("signature", ""))
        self._answer(self.get_query_argument("echostr", ""))

    async def post(self, appid: str) -> None:
        """Take a delivery. An answer other than `success` has WeChat deliver it again."""
        account = self._account(appid)
        try:
            event = read_event(self._fields(account), account.appid)
        except InvalidMessage as error:
            raise ApiError(400, "request", str(error)) from None
        if event is not None:
            await self.events.act(event)
        self._answer("success")

    def _account(self, appid: str) -> Account:
        account = self.accounts.get(appid)
        if account is None or not account.event_token:
            raise ApiError(404, "not_found", "no events are taken for this account: its EVENT_TOKEN is not set")
        return account

    def _fields(self, account: Account) -> dict[str, str]:
        """Read a delivery whose signature is good."""
        if not account.event_aes_key:
            self._require_signature(account, self.get_query_argument("signature", ""))
            return read_fields(self.request.body)
        encrypted = read_fields(self.request.body).get("Encrypt", "")
        # Only this signature covers the message; the one of plain deliveries would let any message pass.
        self._require_signature(account, self.get_query_argument("msg_signature", ""), encrypted)
        return read_fields(MessageCipher(account.event_aes_key, account.appid).open(encrypted))

    def _require_signature(self, account: Account, signature: str, *words: str) -> None:
        timestamp = self.get_query_argument("timestamp", "")
        nonce = self.get_query_argument("nonce", "")
        if not is_signed(signature, account.event_token, timestamp, nonce, *words):
            raise ApiError(403, "signature", "the signature is not the account's")
        is_number = timestamp.isdecimal() and len(timestamp) <= _LONGEST_NUMBER
        if not is_number or abs(self.clock.now() - int(timestamp)) > _OLDEST_SECONDS:
            raise ApiError(403, "signature", "the signature is too old, or this server's clock is wrong")

    def _answer(self, text: str) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(text)


def routes(events: PushedEvents, accounts: Mapping[str, Account], clock: Clock) -> list[Route]:
    """Return where events are pushed to."""
    return [(r"/events/([^/]+)", EventsHandler, {"events": events, "accounts": accounts, "clock": clock})]
