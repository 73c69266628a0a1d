"""Handlers: each reads arguments, calls one domain method and writes the reply; it ends with its route table."""
