"""Authorizations at rest: records, stores, sealing and the vault. Knows nothing of HTTP, Tornado or WeChat."""
