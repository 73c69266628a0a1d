"""Sends requests, to WeChat and to servers of one's own: by libcurl where it is installed, by `requests` elsewhere.

Both keep connections alive, follow no redirects, keep no cookies, bound the time and the size of a reply, and take
nothing from the environment: no proxy, no certificates, no passwords.
"""

from typing import Literal

from service.wechat.transports.base import PostingTransport, RawReply, Transport, TransportFault

__all__ = [
    "PostingTransport",
    "RawReply",
    "Transport",
    "TransportFault",
    "TransportName",
    "TransportUnavailable",
    "make_transport",
]

TransportName = Literal["curl", "requests"]


class TransportUnavailable(Exception):
    """The transport asked for is not installed. The text holds the command that installs it."""


def make_transport(
    name: TransportName | None,
    timeout_seconds: float = 4.0,
    max_connections: int = 64,
    *,
    ca_certs: str | None = None,
    proxy: str | None = None,
) -> PostingTransport:
    """Make the transport of this name; None takes curl where it is installed. Call it on the event loop's thread.

    Args:
        name: `curl` costs about a quarter of the processor time of `requests`, which runs everywhere.
        timeout_seconds: How long a call may take in all. WeChat's clients retry a page by themselves after 5 seconds.
        max_connections: How many calls may be under way at once; more wait within their time.
        ca_certs: File of the certificate authorities to trust; those that come with `requests` where left out.
        proxy: `http://user:password@host:port` of a proxy that CONNECTs to whatever is fetched; none where left out.

    Raises:
        TransportUnavailable: `curl` without pycurl.
    """
    # Each transport's library takes some megabytes: only the one in use is loaded.
    if name != "requests":
        try:
            from service.wechat.transports.curl import CurlTransport  # noqa: PLC0415
        except ImportError as error:  # pycurl may not be installed
            if name == "curl":
                raise TransportUnavailable(
                    f"WeChat's transport is set to curl, which cannot be loaded ({error}). Install it by: "
                    "pip install 'wechat-openid[fast]'"
                ) from error
        else:
            return CurlTransport(timeout_seconds, max_connections, ca_certs=ca_certs, proxy=proxy)
    from service.wechat.transports.requests_pool import RequestsTransport  # noqa: PLC0415

    return RequestsTransport(timeout_seconds, max_connections, ca_certs=ca_certs, proxy=proxy)
