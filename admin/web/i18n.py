"""The dashboard's languages: English, in which its texts are written, and translations from CSV files.

A text is marked for translation where it stands, by `_("…")` in a template and by `N_("…")` in a module, and has a
line in `locale/zh_CN.csv`: the English, then the Chinese. Tests hold the marks and the lines equal.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

from tornado.locale import CSVLocale, Locale

from admin.web.accept_language import preferred_language

__all__ = ["DEFAULT", "N_", "load_languages", "locale_for"]

DEFAULT = "en"
_FOLDER = Path(__file__).parents[1] / "locale"


def N_(text: str) -> str:  # noqa: N802 - the name by which gettext's users know it
    """Mark a text for translation and return it unchanged: it is translated where it is shown."""
    return text


def load_languages() -> dict[str, Locale]:
    """Read the translations and return the locales by their codes, English first.

    Raises:
        ValueError: A text is translated twice, or a line has not two columns.
    """
    languages: dict[str, Locale] = {DEFAULT: CSVLocale(DEFAULT, {})}
    for file in sorted(_FOLDER.glob("*.csv")):
        texts: dict[str, str] = {}
        with file.open(encoding="utf-8", newline="") as lines:
            for english, translated in csv.reader(lines):
                if english in texts:
                    raise ValueError(f"{file.name}: {english!r} is translated twice")
                texts[english] = translated
        languages[file.stem] = CSVLocale(file.stem, {"unknown": texts})
    return languages


def locale_for(languages: Mapping[str, Locale], accept_language: str) -> Locale:
    """Return the locale that a browser prefers; for any Chinese, the Chinese there is."""
    by_language = {code.partition("_")[0]: locale for code, locale in languages.items()}
    return by_language[preferred_language(accept_language, by_language.keys(), DEFAULT)]
