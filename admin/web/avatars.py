"""Users' pictures, which are WeChat's to serve."""

__all__ = ["AVATAR_HOSTS", "avatar_of"]

#: Where WeChat keeps them. Pages load pictures from nowhere else.
AVATAR_HOSTS = ("https://thirdwx.qlogo.cn", "https://wx.qlogo.cn")


def avatar_of(address: str | None) -> str | None:
    """Return the address of a picture if it is WeChat's."""
    if address is None:
        return None
    address = address.replace("http://", "https://", 1)
    return address if address.startswith(tuple(f"{host}/" for host in AVATAR_HOSTS)) else None
