"""Authorizations in Redis."""
