"""`POST /getCode`: exchanges the code that WeChat gave a page for its user's openid."""

import re
from dataclasses import dataclass, field
from typing import Any

from service.authorization.id_tokens import IdTokens
from service.authorization.states import InvalidState, IssuedState, Taker
from service.http.body import InvalidBody, names_for_message, read_fields
from service.http.errors import CODE_MISSING, DECLINED, ApiError
from service.http.handlers.base import Route
from service.http.handlers.page import PageHandler, PageServices
from service.http.origins import origin_of
from service.wechat.protocol import Account, is_declined

__all__ = ["routes"]

_TEXTS = ("code", "state", "appid", "nonce")
#: Long enough for 512 random bits in hexadecimal; nothing that a backend would have to quote.
_NONCE = re.compile(r"[A-Za-z0-9._~-]{0,128}")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
#: What scripts write into a form for a value that they do not have.
_NO_VALUES = frozenset({"undefined", "null"})
_CODE_IN_ADDRESS = "send code in the body of a POST, not in the address"


@dataclass(frozen=True, slots=True)
class _Post:
    """What a page posts."""

    code: str = field(default="", repr=False)
    state: str = field(default="", repr=False)
    appid: str = ""
    nonce: str = field(default="", repr=False)
    id_token: bool = False


class GetCodeHandler(PageHandler):
    """Exchanges the code that WeChat gave the page for its user's openid."""

    def initialize(self, services: PageServices) -> None:
        """Take what the handler needs, and leave the body to this handler: Tornado reads it by its content type."""
        super().initialize(services)
        self.request.headers.pop("Content-Type", None)

    def get(self) -> None:
        """Refuse: a code in an address stands in logs and histories."""
        if self._code_in_address():
            raise ApiError(400, "request", _CODE_IN_ADDRESS, CODE_MISSING)
        raise ApiError(405, "request", "POST the code to this address")

    head = get

    def allowed_methods(self) -> str:
        """Return the methods that do something here."""
        return "POST, OPTIONS"

    async def post(self) -> None:
        """Exchange, store, answer with the openid and never a token, and note the user in the session cookie."""
        await self.check_rate(self.services.rate_limit)
        post = self._read_post()
        asked = self.account(post.appid)
        if is_declined(post.code):
            self._decline(post, asked)
            return
        id_tokens = self._id_tokens() if post.id_token else None
        state = self._check_state(post, asked)
        account = asked if state is None else self.account(state.asked.appid)
        redeemed = await self.redeem(account, post.code, state)
        reply: dict[str, Any] = {
            "openid": redeemed.openid,
            "scope": redeemed.scope,
            "is_snapshotuser": redeemed.is_snapshotuser,
        }
        if redeemed.unionid:
            reply["unionid"] = redeemed.unionid
        if account is not asked:
            reply["appid"] = account.appid
        if id_tokens is not None:
            reply["id_token"] = id_tokens.sign(redeemed, post.nonce)
        self.write_json(reply)

    def _check_state(self, post: _Post, account: Account) -> IssuedState | None:
        """Make sure that this browser asked for the code, as far as that can be known.

        A state issued here is verified whether it is required or not. Any other one, such as the constant `123` of
        the field's samples, is taken where states are not required, unless this browser began an authorization here
        for this page and is still to bring its state back. `GET /authorize` may have sent the browser to the website
        application that stands in for the account outside of WeChat.

        Raises:
            InvalidState: The browser did not ask for it.
        """
        states = self.services.states
        if states.is_ours(post.state):
            appids = frozenset({account.appid, account.outside_wechat})
            taker = Taker(through_callback=False, appids=appids, origin=self._page_origin())
            return states.verify(post.state, self.browser_cookies, post.code, taker)
        if self.services.require_state or self._awaits_a_state():
            raise InvalidState("the state is missing or was not issued here")
        return None

    def _awaits_a_state(self) -> bool:
        origin = self._page_origin()
        return any(
            origin is None or asked.is_for(origin)
            for asked in self.services.states.under_way(self.browser_cookies)
            if not asked.through_callback
        )

    def _page_origin(self) -> str | None:
        """Return the origin of the page that posts; None where its browser does not say."""
        origin = self.request.headers.get("Origin")
        if origin is None or origin == "null":
            return origin_of(self.request.headers.get("Referer", ""))
        return origin

    def _id_tokens(self) -> IdTokens:
        if self.services.id_tokens is None:
            raise ApiError(400, "request", "id_token is not offered here: ID_TOKEN_AUDIENCE is not set")
        return self.services.id_tokens

    def _decline(self, post: _Post, account: Account) -> None:
        """Tell the page that its visitor declined. A state of this browser is spent on that, as it would on a code."""
        try:
            state = self._check_state(post, account)
        except InvalidState:
            state = None
        if state is not None:
            self.set_state_cookie(state)
        self.refuse(DECLINED)

    def _read_post(self) -> _Post:
        try:
            fields = read_fields(self.request.body)
        except InvalidBody as error:
            raise ApiError(400, "request", str(error)) from None
        post = _post_of(fields)
        if post.code:
            return post
        if self._code_in_address():
            raise ApiError(400, "request", _CODE_IN_ADDRESS, CODE_MISSING)
        raise ApiError(400, "request", _without_code(fields), CODE_MISSING)

    def _code_in_address(self) -> bool:
        return "code" in self.request.query_arguments

    def refuse(self, error: ApiError) -> None:
        """Name the allowed methods to a caller that put the code into the address."""
        if self._code_in_address():
            self.set_header("Allow", self.allowed_methods())
        super().refuse(error)


def _post_of(fields: dict[str, Any]) -> _Post:
    for name in _TEXTS:
        if not isinstance(fields.get(name, ""), str | None):
            raise ApiError(400, "request", f"{name} must be a string")
    wants_id_token = fields.get("id_token") or False
    if isinstance(wants_id_token, str):  # as forms have it
        wants_id_token = _FLAGS.get(wants_id_token)
    if not isinstance(wants_id_token, bool):
        raise ApiError(400, "request", "id_token must be true or false")
    texts = {name: fields.get(name) or "" for name in _TEXTS}
    if _NONCE.fullmatch(texts["nonce"]) is None:
        raise ApiError(400, "request", "nonce must be 1 to 128 letters, digits and -._~")
    if texts["nonce"] and not wants_id_token:
        raise ApiError(400, "request", "nonce is for an identity token: send id_token as true with it")
    texts["code"] = texts["code"].strip()
    if texts["code"] in _NO_VALUES:
        texts["code"] = ""
    return _Post(**texts, id_token=wants_id_token)


def _without_code(fields: dict[str, Any]) -> str:
    """Return an error message that names the fields which came instead of `code`."""
    if not fields or "code" in fields:
        return 'missing code: send {"code": "…"}'
    holders = [name for name, value in fields.items() if isinstance(value, dict) and "code" in value]
    if holders:
        return f'missing code: it stands inside of {names_for_message(holders)}; send {{"code": "…"}}'
    return f'missing code: the fields are {names_for_message(fields)}; send {{"code": "…"}}'


def routes(services: PageServices) -> list[Route]:
    """Return the route to which pages post their codes."""
    return [(r"/getCode", GetCodeHandler, {"services": services})]
