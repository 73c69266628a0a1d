"""`python -m service` is the command `wechat-openid`."""

from service.commands.cli import main

main()
