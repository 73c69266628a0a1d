"""Loads settings as if the environment held them."""

from service.settings import PREFIX, Settings, load_settings

#: What no message may show.
SECRET_WORD = "hunter2-the-secret"


def load(**values: str) -> Settings:
    return load_settings(environment={f"{PREFIX}{name}": value for name, value in values.items()})
