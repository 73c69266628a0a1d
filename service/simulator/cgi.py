"""Calls about accounts' own access tokens and tickets, `/cgi-bin/…`: replies with HTTP 200 and JSON even for errors."""

import json
from typing import Any

from service.simulator.errcodes import ErrorReply
from service.simulator.faults import Endpoint
from service.simulator.replies import Reply
from service.simulator.sns import SnsHandler

__all__ = ["cgi_handlers"]


class CgiHandler(SnsHandler):
    """One call: may be refused by its address before anything else."""

    def set_default_headers(self) -> None:
        """Name the type as these calls of WeChat's do."""
        super().set_default_headers()
        self.set_header("Content-Type", "application/json; encoding=utf-8")

    def answer(self) -> Reply:
        """Answer a caller from an address that is on the IP list."""
        self.wechat.account_tokens.check_address(self.request.remote_ip or "")
        return self.answer_admitted()

    def answer_admitted(self) -> Reply:
        """Return the reply to the arguments of this call, or raise `ErrorReply`."""
        raise NotImplementedError


class StableTokenHandler(CgiHandler):
    """`/cgi-bin/stable_token`: the account's access token, the same for all callers."""

    endpoint = Endpoint.STABLE_TOKEN

    def answer_admitted(self) -> Reply:
        """Give it, or force another."""
        if self.request.method != "POST":
            raise ErrorReply(43002)
        fields = self._fields()
        return self.wechat.account_tokens.stable_token(
            grant_type=_text(fields, "grant_type"),
            appid=_text(fields, "appid"),
            secret=_text(fields, "secret"),
            force_refresh=fields.get("force_refresh") is True,
        )

    def _fields(self) -> dict[str, Any]:
        try:
            fields = json.loads(self.request.body)
        except (ValueError, RecursionError):
            raise ErrorReply(47001) from None
        if not isinstance(fields, dict):
            raise ErrorReply(47001)
        return fields


class TokenHandler(CgiHandler):
    """`/cgi-bin/token`: an access token that ends the one before it."""

    endpoint = Endpoint.TOKEN

    def answer_admitted(self) -> Reply:
        """Make it."""
        return self.wechat.account_tokens.token(
            grant_type=self.argument("grant_type"), appid=self.argument("appid"), secret=self.argument("secret")
        )


class TicketHandler(CgiHandler):
    """`/cgi-bin/ticket/getticket`: a ticket for `wx.config` or for cards."""

    endpoint = Endpoint.GETTICKET

    def answer_admitted(self) -> Reply:
        """Give it."""
        return self.wechat.account_tokens.ticket(
            access_token=self.argument("access_token"), ticket_type=self.argument("type")
        )


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


cgi_handlers: list[tuple[str, type[CgiHandler]]] = [
    (r"/cgi-bin/stable_token", StableTokenHandler),
    (r"/cgi-bin/token", TokenHandler),
    (r"/cgi-bin/ticket/getticket", TicketHandler),
]
