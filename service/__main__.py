"""`python -m service` is the command `wechat-openid`."""

from service.cli import main

main()
