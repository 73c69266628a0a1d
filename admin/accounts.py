"""The accounts: how each is set up and how it stands with WeChat."""

from admin.base import AdminHandler

__all__ = ["routes"]

routes: list[tuple[str, type[AdminHandler]]] = []
