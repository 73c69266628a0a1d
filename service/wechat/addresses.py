"""Which of WeChat's API addresses is asked: the first, or another while the first does not answer."""

import asyncio
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from service.wechat.endpoints import Endpoint
from service.wechat.transports import Transport, TransportFault

__all__ = ["ApiAddresses"]

_ASK_FIRST_AGAIN_SECONDS: Final = 10.0

_logger = logging.getLogger(__name__)


class ApiAddresses:
    """The addresses of WeChat's API, in the order of preference. Belongs to one event loop.

    While another address than the first is asked, the first is tried in the background by a call without a code or a
    token, so that finding it well again costs no visitor's code.

    Args:
        urls: At least one; they all reach the same accounts.
        transport: Tries the first address.
        ask_first_again_seconds: How long to wait before each such trial.
    """

    def __init__(
        self, urls: Sequence[str], transport: Transport, *, ask_first_again_seconds: float = _ASK_FIRST_AGAIN_SECONDS
    ) -> None:
        self._urls = tuple(url.rstrip("/") for url in urls)
        self._transport = transport
        self._ask_first_again_seconds = ask_first_again_seconds
        self._at = 0
        self._return: asyncio.Task[None] | None = None

    @property
    def current(self) -> str:
        """The address to ask now."""
        return self._urls[self._at]

    def note_unanswered(self, url: str) -> None:
        """Note that an address did not answer: if it is the current one, the next is asked from now on."""
        if url != self.current or len(self._urls) == 1:
            return
        self._at = (self._at + 1) % len(self._urls)
        _logger.warning("WeChat does not answer at %s; %s is asked", url, self.current)
        if self._at and (self._return is None or self._return.done()):
            self._return = asyncio.get_running_loop().create_task(self._return_to_first())

    async def close(self) -> None:
        """Stop trying the first address."""
        if self._return is not None:
            self._return.cancel()
            await asyncio.gather(self._return, return_exceptions=True)

    async def _return_to_first(self) -> None:
        while self._at:
            await asyncio.sleep(self._ask_first_again_seconds)
            if self._at and await self._first_answers():
                _logger.info("WeChat answers at %s again", self._urls[0])
                self._at = 0

    async def _first_answers(self) -> bool:
        try:
            reply = await self._transport.get(self._urls[0] + Endpoint.AUTH.path)
        except TransportFault:
            return False
        return reply.status < HTTPStatus.INTERNAL_SERVER_ERROR
