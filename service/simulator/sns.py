"""The API that servers call, `/sns/…`: replies with HTTP 200 and `text/plain` even for errors."""

import asyncio
from http import HTTPStatus
from typing import ClassVar

from service.simulator.errcodes import ErrorReply, error_reply
from service.simulator.faults import Breakage, Disturbance, Endpoint, Fault
from service.simulator.handler import SimulatorHandler
from service.simulator.replies import Reply, encode_reply
from service.simulator.wechat import SimulatedWeChat

__all__ = ["HUGE_BODY_BYTES", "sns_handlers"]

HUGE_BODY_BYTES = 10_000_000

_HTML = "<html><head><title>Service unavailable</title></head><body><h1>系统繁忙</h1></body></html>".encode()


class SnsHandler(SimulatorHandler):
    """One call of the API: counts it, lets its faults befall it, and answers."""

    endpoint: ClassVar[Endpoint]

    def initialize(self, wechat: SimulatedWeChat) -> None:
        """Take the WeChat that is asked."""
        super().initialize(wechat)
        self._gave_up = asyncio.Event()

    def set_default_headers(self) -> None:
        """Name the type without a charset, as WeChat does."""
        super().set_default_headers()
        self.set_header("Content-Type", "text/plain")

    def compute_etag(self) -> None:
        """Send no ETag: WeChat does not."""

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Read an argument of any bytes; what is not UTF-8 is a wrong value, not a fault of HTTP."""
        del name
        return value.decode(errors="replace")

    def on_connection_close(self) -> None:
        """Let a call that hangs end with its connection."""
        self._gave_up.set()

    async def get(self) -> None:
        """Answer the call."""
        self.wechat.calls[self.endpoint] += 1
        disturbance = self.wechat.faults.take(self.endpoint)
        if disturbance is None:
            self._send(*self._perform())
        else:
            await self._answer_disturbed(disturbance)

    head = post = get

    def answer(self) -> Reply:
        """Return the reply to the arguments of this call, or raise `ErrorReply`."""
        raise NotImplementedError

    def argument(self, name: str) -> str:
        """Return an argument of the query or, where it is not there, of a form in the body; empty when missing."""
        return self.get_query_argument(name, "") or self.get_body_argument(name, "")

    def _perform(self) -> tuple[str, bytes]:
        """Carry the call out. Returns its outcome and the body of its reply."""
        try:
            return "ok", encode_reply(self.answer(), self.wechat.quirks)
        except ErrorReply as error:
            return str(error.errcode), self._encode_error(error)

    def _encode_error(self, error: ErrorReply) -> bytes:
        quirks = self.wechat.quirks
        return encode_reply(error_reply(error, self.wechat.now(), quirks), quirks)

    def _send(self, outcome: str, body: bytes) -> None:
        self.wechat.note(self.endpoint, outcome)
        self.finish(body)

    async def _answer_disturbed(self, disturbance: Disturbance) -> None:
        if disturbance.latency_seconds:
            await asyncio.sleep(disturbance.latency_seconds)
        fault = disturbance.fault
        if fault is None:
            self._send(*self._perform())
            return
        body = self._perform()[1] if fault.takes_effect else b""
        if fault.errcode is not None:
            self._send(fault.outcome, self._encode_error(ErrorReply(fault.errcode, fault.errmsg)))
        else:
            self.wechat.note(self.endpoint, fault.outcome)
            await self._break(fault, body)

    async def _break(self, fault: Fault, body: bytes) -> None:
        """Do to the reply what the fault says; `body` is the reply there would have been."""
        match fault.breakage:
            case Breakage.DROP:
                self.detach().close()
            case Breakage.HALF:
                self.set_header("Content-Length", len(body))
                self.write(body[: len(body) // 2])
                await self.flush()
                self.detach().close()
            case Breakage.HANG:
                await self._gave_up.wait()
            case Breakage.HTML | Breakage.HTTP_500:
                if fault.breakage == Breakage.HTTP_500:
                    self.set_status(HTTPStatus.INTERNAL_SERVER_ERROR)
                self.set_header("Content-Type", "text/html; charset=utf-8")
                self.finish(_HTML)
            case Breakage.TRUNCATED:
                self.finish(body[: len(body) // 2])
            case Breakage.HUGE:
                self.finish(body.ljust(HUGE_BODY_BYTES))


class AccessTokenHandler(SnsHandler):
    """`/sns/oauth2/access_token`: a code for tokens."""

    endpoint = Endpoint.ACCESS_TOKEN

    def answer(self) -> Reply:
        """Exchange the code."""
        return self.wechat.exchange(
            appid=self.argument("appid"),
            secret=self.argument("secret"),
            code=self.argument("code"),
            grant_type=self.argument("grant_type"),
        )


class RefreshTokenHandler(SnsHandler):
    """`/sns/oauth2/refresh_token`: a refresh token for an access token."""

    endpoint = Endpoint.REFRESH_TOKEN

    def answer(self) -> Reply:
        """Refresh the access token."""
        return self.wechat.refresh(
            appid=self.argument("appid"),
            grant_type=self.argument("grant_type"),
            refresh_token=self.argument("refresh_token"),
        )


class UserinfoHandler(SnsHandler):
    """`/sns/userinfo`: the user's profile."""

    endpoint = Endpoint.USERINFO

    def answer(self) -> Reply:
        """Show the profile."""
        return self.wechat.userinfo(
            access_token=self.argument("access_token"),
            openid=self.argument("openid"),
            lang=self.argument("lang"),
        )


class AuthHandler(SnsHandler):
    """`/sns/auth`: whether an access token is valid."""

    endpoint = Endpoint.AUTH

    def answer(self) -> Reply:
        """Check the token."""
        return self.wechat.auth(access_token=self.argument("access_token"), openid=self.argument("openid"))


sns_handlers: list[tuple[str, type[SnsHandler]]] = [
    (r"/sns/oauth2/access_token", AccessTokenHandler),
    (r"/sns/oauth2/refresh_token", RefreshTokenHandler),
    (r"/sns/userinfo", UserinfoHandler),
    (r"/sns/auth", AuthHandler),
]
