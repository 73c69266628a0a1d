"""`PushReceiver`: receives what WeChat pushes to an account's address, and returns the answer."""

import logging
from collections.abc import Callable, Mapping
from enum import StrEnum

from service.observability.log_throttle import LogThrottle
from service.webhooks.crypto import InvalidMessage, decrypt
from service.webhooks.messages import AuthorizationEvent, read_event, read_fields
from service.webhooks.processor import EventProcessor
from service.webhooks.relay import MessageRelay, PushedMessage, PushReply
from service.webhooks.signed_query import InvalidSignature, SignedQuery, require_recent
from service.wechat.protocol import Account
from storage.base.clock import Clock

__all__ = ["MessageKind", "PushReceiver", "PushesNotTaken"]

_logger = logging.getLogger(__name__)


class PushesNotTaken(Exception):
    """Pushes for an account are not accepted: it is not configured, or its `EVENT_TOKEN` is not."""


class MessageKind(StrEnum):
    """What a message that WeChat signed turned out to be."""

    EVENT = "event"  #: about a user's authorization
    OTHER = "other"
    UNREADABLE = "unreadable"


class PushReceiver:
    """Receives messages. Belongs to one event loop.

    Args:
        processor: Acts on the events about authorizations.
        relay: Passes messages on for accounts that have an `event_forward_url`.
        clock: For the age of messages.
        observe: Called with the appid and the kind of each message.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        processor: EventProcessor,
        relay: MessageRelay,
        clock: Clock,
        *,
        observe: Callable[[str, MessageKind], None] = lambda _appid, _kind: None,
    ) -> None:
        self._accounts = accounts
        self._processor = processor
        self._relay = relay
        self._clock = clock
        self._observe = observe
        self._log_throttle = LogThrottle()

    def verify_address(self, appid: str, query: str) -> str:
        """Return what proves to WeChat that an address is the account's.

        Raises:
            PushesNotTaken: It is not.
            InvalidSignature: The request is not WeChat's.
        """
        account = self._account(appid)
        signed = SignedQuery.parse(query)
        signed.require(account.event_token, self._clock.now())
        return signed.echostr

    async def receive(self, appid: str, message: PushedMessage) -> PushReply:
        """Take a message that WeChat signed: act on it if it is about an authorization, and pass it on.

        What the account's own server answers is the answer. Where there is none, or it does not answer, it is
        `success`: anything else shows an error to the user who wrote the message.

        Raises:
            PushesNotTaken: There is no such account, or it accepts none.
            InvalidSignature: The message is not WeChat's, or is not encrypted although the account has a key.
            StorageError: An event cannot be acted on now; WeChat delivers it again.
        """
        account = self._account(appid)
        event = None
        try:
            event = read_event(self._fields(account, message), account.appid)
            kind = MessageKind.OTHER if event is None else MessageKind.EVENT
        except InvalidMessage as error:
            kind = MessageKind.UNREADABLE
            if self._log_throttle.passes((appid, str(error))):
                _logger.warning("a message that WeChat pushed for %s cannot be read: %s", appid, error)
        if event is not None:
            await self._process(event)
        self._observe(appid, kind)
        reply = await self._relay.forward(account, message) if account.event_forward_url else None
        return reply or PushReply()

    async def drain(self) -> None:
        """Return when everything under way has ended."""
        await self._processor.drain()

    def _account(self, appid: str) -> Account:
        account = self._accounts.get(appid)
        if account is None or not account.event_token:
            raise PushesNotTaken
        return account

    def _fields(self, account: Account, message: PushedMessage) -> dict[str, str]:
        """Return what a message says, decrypted, once its signature has been checked."""
        signed, now = SignedQuery.parse(message.query), self._clock.now()
        try:
            fields = read_fields(message.body)
        except InvalidMessage:
            signed.require(account.event_token, now)
            raise
        encrypted = fields.get("Encrypt", "")
        if not account.event_aes_keys:
            signed.require(account.event_token, now)
            if encrypted and "MsgType" not in fields:
                raise InvalidMessage("the message is encrypted, and EVENT_AES_KEY is not set")
            return fields
        if not encrypted and not signed.msg_signature:
            signed.require(account.event_token, now)
            raise InvalidSignature("the message is not encrypted, although EVENT_AES_KEY is set")
        # Only this signature covers the message; the one of plain deliveries would let any message pass.
        signed.require(account.event_token, now, encrypted=encrypted)
        return read_fields(decrypt(encrypted, account.event_aes_keys, account.appid))

    async def _process(self, event: AuthorizationEvent) -> None:
        # The time in the query may be forged by whoever has seen another delivery; encrypted, this one cannot be.
        require_recent(str(event.happened_at), self._clock.now())
        await self._processor.process(event)
