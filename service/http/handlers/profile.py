"""`GET /userinfo`: the profile of the session's user."""

from typing import Any

from service.authorization.profiles import LANGUAGES
from service.http.errors import ApiError
from service.http.handlers.base import Route
from service.http.handlers.page import PageHandler, PageServices
from service.tokens.manager import NoAuthorization
from service.wechat.errcodes import Kind

__all__ = ["routes"]


class UserinfoHandler(PageHandler):
    """Shows the profile of the session's user. There is no argument by which another's could be asked for."""

    async def get(self) -> None:
        """Answer with the profile."""
        await self.check_rate(self.services.profile_limit)
        appid, openid = await self.require_user()
        await self.check_rate(self.services.profile_limit_of_user, f"{appid}|{openid}")
        lang = self.get_query_argument("lang", LANGUAGES[0])
        if lang not in LANGUAGES:
            raise ApiError(400, "request", f"lang must be one of: {', '.join(LANGUAGES)}")
        try:
            profile = await self.services.profiles.of(appid, openid, lang)
        except NoAuthorization as error:
            if error.status is not None:
                raise
            raise ApiError(
                401, Kind.REAUTHORIZE, "this session's user is not known any more; authorize first"
            ) from None
        reply: dict[str, Any] = {
            "openid": profile.openid,
            "nickname": profile.nickname,
            "headimgurl": profile.avatar_url,
        }
        if profile.unionid:
            reply["unionid"] = profile.unionid
        self.write_json(reply)


def routes(services: PageServices) -> list[Route]:
    """Return the profile's route."""
    return [(r"/userinfo", UserinfoHandler, {"services": services})]
