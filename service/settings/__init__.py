"""The settings: what there is to set, what its values may be, and where they are read."""

from service.settings.addresses import Address, Network, parse_address
from service.settings.loading import load_settings, load_words, parse_words, restart_settings, secrets_in
from service.settings.sources import PREFIX, SettingsError
from service.settings.table import Settings
from service.settings.values import HttpServerName

__all__ = [
    "PREFIX",
    "Address",
    "HttpServerName",
    "Network",
    "Settings",
    "SettingsError",
    "load_settings",
    "load_words",
    "parse_address",
    "parse_words",
    "restart_settings",
    "secrets_in",
]
