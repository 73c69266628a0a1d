"""Browsers in words: what real ones call themselves, as Playwright knows it, and this Chromium's own session."""

from playwright.sync_api import expect

from admin.labels.browsers import describe_browser

BROWSERS = {"chromium": "Chrome", "firefox": "Firefox", "webkit": "Safari"}
#: How the names of devices begin that run a browser of today, and their systems.
SYSTEMS = {
    "Desktop Safari": "macOS",
    "Desktop": "Windows",
    "Galaxy S9": "Android",
    "Galaxy S2": "Android",
    "Pixel": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
}


def test_browsers_that_others_know_are_named(playwright):
    named = 0
    for device, options in playwright.devices.items():
        system = next((system for start, system in SYSTEMS.items() if device.startswith(start)), None)
        if system is None:
            continue
        browser = "Edge" if "Edge" in device else BROWSERS[options["default_browser_type"]]
        assert describe_browser(options["user_agent"], str) == f"{browser} on {system}", device
        named += 1
    assert named > 50


def test_a_session_names_its_browser_and_the_whole_text_is_a_key_away(owner):
    owner.goto("/admin/me")
    name = owner.locator("td summary").first
    expect(name).to_have_text("Chrome on Linux")
    whole = owner.locator("td details .detail").first
    expect(whole).to_be_hidden()
    name.focus()
    owner.keyboard.press("Enter")
    expect(whole).to_have_text(owner.evaluate("navigator.userAgent"))
