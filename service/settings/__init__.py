"""The settings: what there is to set, what its values may be, and where they are read."""

from service.settings.addresses import Address, Network, parse_address
from service.settings.sources import PREFIX, SettingsError
from service.settings.table import Settings, load_settings, secrets_in

__all__ = ["PREFIX", "Address", "Network", "Settings", "SettingsError", "load_settings", "parse_address", "secrets_in"]
