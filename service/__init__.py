"""The service: WeChat's gateway, code exchange, token keeping, and the HTTP faces of them."""
