"""The dashboard's languages: English, in which the pages are written, and translations from CSV files.

A translation of Chinese stands in `locale/zh_CN/*.csv`, one line for each text: the English, then the Chinese.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

from tornado.locale import CSVLocale, Locale

__all__ = ["DEFAULT", "load_languages", "preferred"]

DEFAULT = "en"
_FOLDER = Path(__file__).parents[1] / "locale"


def load_languages() -> dict[str, Locale]:
    """Read the translations and return the locales by their codes, English first.

    Raises:
        ValueError: A text is translated in two ways, or a line has not two columns.
    """
    languages: dict[str, Locale] = {DEFAULT: CSVLocale(DEFAULT, {})}
    for folder in sorted(path for path in _FOLDER.iterdir() if path.is_dir()):
        texts: dict[str, str] = {}
        for file in sorted(folder.glob("*.csv")):
            with file.open(encoding="utf-8", newline="") as lines:
                for row in csv.reader(lines):
                    english, translated = row
                    if texts.setdefault(english, translated) != translated:
                        raise ValueError(f"{file.name}: {english!r} is translated in two ways")
        languages[folder.name] = CSVLocale(folder.name, {"unknown": texts})
    return languages


def preferred(languages: Mapping[str, Locale], accept_language: str) -> str:
    """Return the code of the language that an Accept-Language header likes best, English if none of ours.

    Only the part before the hyphen counts: any Chinese gets the Chinese we have.
    """
    best, best_weight = DEFAULT, 0.0
    by_language = {code.partition("_")[0]: code for code in languages}
    for choice in accept_language.split(","):
        tag, _, parameter = choice.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        code = by_language.get(tag.partition("-")[0].lower())
        if code is not None and weight > best_weight:
            best, best_weight = code, weight
    return best
