"""The subcommands of `wechat-openid`, one module each."""
