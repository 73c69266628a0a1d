"""The names by which the simulator may be addressed.

A page of any website can make its own name point at the loopback (DNS rebinding) and then use what listens there as if
it were its own. Such a request still names the website in its Host header.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address

__all__ = ["WECHAT_HOSTS", "AcceptedHosts"]

#: WeChat's own, for client libraries whose name lookup leads here.
WECHAT_HOSTS = frozenset(
    {
        "api.weixin.qq.com",
        "api2.weixin.qq.com",
        "hk.api.weixin.qq.com",
        "open.weixin.qq.com",
        "sh.api.weixin.qq.com",
        "sz.api.weixin.qq.com",
    }
)

_HOST = re.compile(r"(?:\[(?P<bracketed>[0-9A-Fa-f:.]+)\]|(?P<name>[0-9A-Za-z._-]+))(?::[0-9]{1,5})?")


class AcceptedHosts:
    """Accepts addresses in numbers, `localhost`, WeChat's own names, and further names.

    Args:
        names: The further names, without a port.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset({"localhost", *WECHAT_HOSTS, *(name.lower() for name in names)})

    def accept(self, host: str) -> bool:
        """Return whether a request with this Host header is answered."""
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = (match["bracketed"] or match["name"]).lower()
        return name in self._names or _is_address(name)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
