"""What pages call a browser, by its User-Agent: "WeChat on Android". Any text may be one, so nothing rests on it."""

from collections.abc import Callable, Iterable

from admin.web.i18n import N_

__all__ = ["describe_browser"]

#: What tells a browser, and what it is called. Most name others too, whose pages they want to get, and stand first.
_BROWSERS = (
    ("wxwork/", N_("WeCom")),
    ("MicroMessenger/", N_("WeChat")),
    ("DingTalk/", N_("DingTalk")),
    ("MQQBrowser/", N_("QQ Browser")),
    ("QQBrowser/", N_("QQ Browser")),
    ("UCBrowser/", N_("UC Browser")),
    ("HuaweiBrowser/", N_("Huawei Browser")),
    ("MiuiBrowser/", N_("Mi Browser")),
    ("SamsungBrowser/", N_("Samsung Internet")),
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python-requests/", "Python"),
    ("Python-urllib/", "Python"),
)
_SYSTEMS = (
    ("OpenHarmony", "HarmonyOS"),
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("iPad", "iPad"),
    ("iPhone", "iPhone"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def describe_browser(user_agent: str, translate: Callable[[str], str]) -> str | None:
    """Return which browser a User-Agent tells of, and on what; None where it tells neither."""
    browser, system = _first_named(user_agent, _BROWSERS), _first_named(user_agent, _SYSTEMS)
    if browser is None:
        return system
    if system is None:
        return translate(browser)
    return translate(N_("%(browser)s on %(system)s")) % {"browser": translate(browser), "system": system}


def _first_named(user_agent: str, names: Iterable[tuple[str, str]]) -> str | None:
    return next((name for mark, name in names if mark in user_agent), None)
