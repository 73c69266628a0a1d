"""The audit log: who did what."""

from admin.base import AdminHandler

__all__ = ["routes"]

routes: list[tuple[str, type[AdminHandler]]] = []
