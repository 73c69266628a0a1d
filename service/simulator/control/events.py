"""`POST /simulator/events`: pushes an event or a message to the address of an account's server, as WeChat would."""

from types import NoneType
from typing import Any
from urllib.parse import urlsplit

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from service.simulator.control.base import BadRequest, ControlHandler
from service.simulator.people import openid_of
from service.simulator.pushes import Push, authorization_event, sealed_push, signed_push, text_message

__all__ = ["EventsHandler"]

#: WeChat waits so long for an answer.
_WAIT_SECONDS = 5
_LONGEST_REPLY_BYTES = 1024 * 1024
_MOST_SECONDS_AGO = 366 * 86400


class EventsHandler(ControlHandler):
    """Pushed events, of which the simulator pushes none by itself."""

    async def post(self) -> None:
        """Push one, once, and tell what was answered."""
        fields = self.read(
            {
                "url": (str,),
                "token": (str,),
                "aes_key": (str, NoneType),
                "event": (str,),
                "text": (str, NoneType),
                "person": (str, NoneType),
                "appid": (str, NoneType),
                "revoke_info": (str,),
                "seconds_ago": (int,),
                "json": (bool,),
            }
        )
        try:
            url = _address(fields.get("url", ""))
            push = self._push(fields)
        except ValueError as error:
            raise BadRequest(str(error)) from None
        self.answer(await _delivered(url, push))

    def _push(self, fields: dict[str, Any]) -> Push:
        token, seconds_ago = fields.get("token", ""), fields.get("seconds_ago", 0)
        if not token:
            raise ValueError("token: needed, the one that the receiving server has")
        if not 0 <= seconds_ago <= _MOST_SECONDS_AGO:
            raise ValueError(f"seconds_ago: expected 0 to {_MOST_SECONDS_AGO}")
        appid = self.wechat.find_account(fields.get("appid")).appid
        openid = openid_of(self.wechat.find_person(fields.get("person")), appid)
        at = self.wechat.now()
        if fields.get("text") is not None:
            message = text_message(fields["text"], openid=openid, created_at=at - seconds_ago)
        else:
            message = authorization_event(
                fields.get("event", "user_authorization_revoke"),
                appid=appid,
                openid=openid,
                revoke_info=fields.get("revoke_info", "301"),
                created_at=at - seconds_ago,
            )
        as_json, aes_key = fields.get("json", False), fields.get("aes_key")
        if aes_key is None:
            return signed_push(message, token=token, at=at, as_json=as_json)
        return sealed_push(message, appid=appid, token=token, aes_key=aes_key, at=at, as_json=as_json)


def _address(url: str) -> str:
    """Return an address that can be posted to.

    Raises:
        ValueError: It is none.
    """
    expected = "url: expected the http:// or https:// address of the receiving server, without a user and a fragment"
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(expected) from None
    is_plain = url.isascii() and url.isprintable() and " " not in url and "#" not in url and "@" not in parts.netloc
    if not (is_whole and is_plain and parts.scheme in {"http", "https"}):
        raise ValueError(expected)
    return url


async def _delivered(url: str, push: Push) -> dict[str, object]:
    """Send a push, and return what came back; WeChat follows no redirect."""
    client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=_LONGEST_REPLY_BYTES)
    request = HTTPRequest(
        f"{url}{'&' if '?' in url else '?'}{push.query}",
        method="POST",
        body=push.body,
        headers={"Content-Type": push.content_type},
        request_timeout=_WAIT_SECONDS,
        follow_redirects=False,
    )
    try:
        response = await client.fetch(request, raise_error=False)
    except (HTTPClientError, OSError, ValueError) as error:
        return _outcome(failure=str(error))
    finally:
        client.close()
    return _outcome(response.code, response.headers.get("Content-Type"), response.body.decode(errors="replace"))


def _outcome(
    status: int | None = None, content_type: str | None = None, body: str | None = None, failure: str | None = None
) -> dict[str, object]:
    return {"status": status, "content_type": content_type, "body": body, "failure": failure}
