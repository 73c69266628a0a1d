"""What happens to accounts' own access tokens beside the calls of the server under test."""

from ipaddress import ip_address
from types import NoneType

from service.simulator.control.base import BadRequest, ControlHandler

__all__ = ["ForcedTokensHandler", "IpListHandler"]


class IpListHandler(ControlHandler):
    """The addresses that may call `/cgi-bin/…`."""

    def get(self) -> None:
        """Tell which."""
        listed = self.wechat.account_tokens.ip_list
        self.answer({"addresses": None if listed is None else sorted(listed)})

    def post(self) -> None:
        """Replace them; null lets everybody call."""
        addresses = self.read({"addresses": (list, NoneType)}).get("addresses")
        try:
            listed = None if addresses is None else frozenset(str(ip_address(one)) for one in addresses)
        except ValueError:
            raise BadRequest("addresses: expected IP addresses in numbers, or null") from None
        self.wechat.account_tokens.ip_list = listed
        self.get()


class ForcedTokensHandler(ControlHandler):
    """Access tokens that another server forces."""

    def post(self) -> None:
        """End an account's stable token, as a server does that asks with `force_refresh`."""
        appid = self.read({"appid": (str, NoneType)}).get("appid")
        try:
            account = self.wechat.find_account(appid)
        except ValueError as error:
            raise BadRequest(str(error)) from None
        self.wechat.account_tokens.force(account.appid)
        self.answer({"forced": account.appid})
