"""Name lookups of WeChat's hosts lead to the simulator; nothing of a library is changed."""

import os
import socket

_WECHAT_HOSTS = {"api.weixin.qq.com", "open.weixin.qq.com"}
_look_up = socket.getaddrinfo


def _look_up_rerouted(host, port, *args, **kwargs):
    if host in _WECHAT_HOSTS:
        return _look_up("127.0.0.1", int(os.environ["SIMULATOR_PORT"]), *args, **kwargs)
    return _look_up(host, port, *args, **kwargs)


socket.getaddrinfo = _look_up_rerouted
