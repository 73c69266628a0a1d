"""The service with an H5 page of another host of its site, and browsers that show it."""

from dataclasses import replace

import pytest

from service.runtime.app import make_public_app
from tests.service.http.handlers.h5_browser import PAGE_ORIGIN, Browser


@pytest.fixture
def settings(settings):
    return replace(settings, public_url="https://api.example.com", allowed_origins=(PAGE_ORIGIN,))


@pytest.fixture
def browser(http, public_url) -> Browser:
    return Browser(http, public_url)


@pytest.fixture
def another_browser(http, public_url) -> Browser:
    return Browser(http, public_url, user_agent="another browser")


@pytest.fixture
def browser_of_changed(http, open_another, serve):
    """Open another instance with changed settings and give a browser for it."""

    async def open_browser(**changes) -> Browser:
        return Browser(http, await serve(make_public_app(await open_another(**changes))))

    return open_browser
