"""The service: the gateway to WeChat, the exchange of codes, live tokens, webhooks, and HTTP."""
