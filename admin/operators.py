"""Managing operators."""

from admin.base import AdminHandler

__all__ = ["routes"]

routes: list[tuple[str, type[AdminHandler]]] = []
