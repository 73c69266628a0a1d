"""`POST /getCode`: the code that WeChat gave a page, for its user's openid."""

import json
from dataclasses import dataclass, field
from typing import Any

from service.authorization.id_tokens import IdTokens
from service.authorization.sessions import Session
from service.authorization.states import InvalidState, IssuedState
from service.http.errors import CODE_MISSING, ApiError
from service.http.handlers.base import Route
from service.http.handlers.page import PageHandler, PageServices
from service.http.origins import origin_of
from service.wechat.scopes import BASE_SCOPE

__all__ = ["routes"]

_TEXTS = ("code", "state", "appid")


@dataclass(frozen=True, slots=True)
class _Post:
    """What a page posts."""

    code: str = field(default="", repr=False)
    state: str = field(default="", repr=False)
    appid: str = ""
    id_token: bool = False


class GetCodeHandler(PageHandler):
    """Exchanges the code that WeChat gave the page for its user's openid."""

    async def post(self) -> None:
        """Exchange, store, answer with the openid and never a token, and note the user in the session cookie."""
        services = self.services
        await self.check_rate()
        post = self._read_post()
        if not post.code:
            raise ApiError(400, "request", "missing code", CODE_MISSING)
        account = self.account(post.appid)
        id_tokens = self._id_tokens() if post.id_token else None
        state = self._check_state(post, account.appid)
        session = self.session()
        asked_scope = BASE_SCOPE if state is None else state.asked.scope
        redeemed = await services.exchange.exchange(account, post.code, self.browser(session), asked_scope=asked_scope)
        self.set_session((session or Session.new()).of_user(redeemed.appid, redeemed.openid))
        if state is not None:
            self.set_state_cookie(state)
        reply: dict[str, Any] = {
            "openid": redeemed.openid,
            "scope": redeemed.scope,
            "is_snapshotuser": redeemed.is_snapshotuser,
        }
        if redeemed.unionid:
            reply["unionid"] = redeemed.unionid
        if id_tokens is not None:
            reply["id_token"] = id_tokens.sign(redeemed)
        self.write_json(reply)

    def _check_state(self, post: _Post, appid: str) -> IssuedState | None:
        """Make sure that this browser asked for the code, as far as it can be told.

        A state issued here is verified whether it is required or not. Any other one, such as the constant `123` of
        the field's samples, is taken where states are not required, unless this browser began an authorization here
        for this page and is still to bring its state back.

        Raises:
            InvalidState: The browser did not ask for it.
        """
        states = self.services.states
        if states.is_ours(post.state):
            issued = states.verify(post.state, self.browser_cookies, post.code)
            if issued.asked.appid != appid:
                raise InvalidState("the authorization was begun for another account")
            return issued
        if self.services.require_state or self._awaits_a_state():
            raise InvalidState("the state is missing or was not issued here")
        return None

    def _awaits_a_state(self) -> bool:
        origin = self.request.headers.get("Origin")
        return any(
            origin is None or origin == origin_of(asked.redirect_uri)
            for asked in self.services.states.under_way(self.browser_cookies)
            if not asked.through_callback
        )

    def _id_tokens(self) -> IdTokens:
        if self.services.id_tokens is None:
            raise ApiError(400, "request", "id_token is not offered here: ID_TOKEN_AUDIENCE is not set")
        return self.services.id_tokens

    def _read_post(self) -> _Post:
        """Read the body, JSON or form, whatever the content type says: samples of the field get it wrong."""
        body = self.request.body
        if body.lstrip()[:1] in {b"{", b"["}:
            return _json_post(body)
        if self.request.body_arguments:
            form = {name: self.get_body_argument(name, strip=False) for name in self.request.body_arguments}
            texts = {name: form.get(name, "") for name in _TEXTS}
            return _Post(**texts, id_token=form.get("id_token") in {"true", "1"})
        if body:
            raise ApiError(400, "request", 'the body must be JSON, such as {"code": "…"}, or a form with a field code')
        return _Post()


def _json_post(body: bytes) -> _Post:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError(400, "request", "the body is not JSON") from None
    if not isinstance(content, dict):
        raise ApiError(400, "request", 'the body must be a JSON object, such as {"code": "…"}')
    for name in _TEXTS:
        if not isinstance(content.get(name, ""), str | None):
            raise ApiError(400, "request", f"{name} must be a string")
    if not isinstance(content.get("id_token", False), bool | None):
        raise ApiError(400, "request", "id_token must be true or false")
    texts = {name: content.get(name) or "" for name in _TEXTS}
    return _Post(**texts, id_token=bool(content.get("id_token")))


def routes(services: PageServices) -> list[Route]:
    """Return where pages post their codes."""
    return [(r"/getCode", GetCodeHandler, {"services": services})]
