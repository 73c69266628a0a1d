"""Files at the root: those that WeChat verifies domains by, and the helper for pages."""

import os
from pathlib import Path

import pytest

import service
from tests.service.http.handlers.h5_browser import reply_of

pytestmark = pytest.mark.gen_test

NAME = "MP_verify_aB3xYz0123456789.txt"
CONTENT = b"aB3xYz0123456789\r\n\xef\xbb\xbf"
HELPER = Path(service.__file__).parent / "http" / "static" / "wechat-openid.js"


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "verification"
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT)
    (folder / "secret.txt").write_text("secret")
    (folder / "MP_verify_.txt").write_text("secret")
    (folder / "MP_verify_a_b.txt").write_text("secret")
    (tmp_path / "MP_verify_outside.txt").write_text("secret")
    return folder


async def test_a_verification_file_is_served_with_exactly_its_bytes(browser_of_changed, files):
    browser = await browser_of_changed(verification_files=files)
    response = await browser.fetch(f"/{NAME}")
    assert (response.code, response.body) == (200, CONTENT)
    assert response.headers["Content-Type"].startswith("text/plain")


@pytest.mark.attack(
    "files of the server",
    "any client",
    "paths and links out of the folder of verification files",
    "404",
)
async def test_no_other_name_is_served(browser_of_changed, files, subtests):
    for path in [
        "/secret.txt",
        "/MP_verify_.txt",
        "/MP_verify_a_b.txt",
        "/MP_verify_missing.txt",
        "/MP_verify_../MP_verify_outside.txt",
        "/..%2fMP_verify_outside.txt",
        "/MP_verify_outside.txt",
        f"/{NAME}%00",
        f"/{NAME}%0a",
        f"/{NAME.lower()}",
        f"/sub/{NAME}",
    ]:
        with subtests.test(path=path):
            browser = await browser_of_changed(verification_files=files)
            response = await browser.fetch(path)
            assert response.code == 404
            assert b"secret" not in response.body


async def test_head_answers_as_get_does_without_a_body(browser_of_changed, files):
    browser = await browser_of_changed(verification_files=files)
    response = await browser.fetch(f"/{NAME}", method="HEAD")
    assert (response.code, response.body) == (200, b"")
    assert response.headers["Content-Length"] == str(len(CONTENT))
    assert (await browser.fetch("/MP_verify_missing.txt", method="HEAD")).code == 404


@pytest.mark.attack(
    "files of the server",
    "any client",
    "paths and links out of the folder of verification files",
    "404",
)
async def test_a_link_out_of_the_folder_is_not_followed_and_one_within_is(browser_of_changed, files, tmp_path):
    (files / "..data").mkdir()
    (files / "..data" / "file").write_bytes(CONTENT)
    (files / "MP_verify_within.txt").symlink_to("..data/file")
    (files / "MP_verify_relative.txt").symlink_to("../MP_verify_outside.txt")
    (files / "MP_verify_absolute.txt").symlink_to(tmp_path / "MP_verify_outside.txt")
    (files / "MP_verify_passwd.txt").symlink_to("/etc/passwd")
    (files / "MP_verify_circle.txt").symlink_to("MP_verify_circle.txt")
    (files / "out").symlink_to(tmp_path)
    (files / "MP_verify_folder.txt").symlink_to("out/MP_verify_outside.txt")
    browser = await browser_of_changed(verification_files=files)
    assert (await browser.fetch("/MP_verify_within.txt")).body == CONTENT
    for name in ("relative", "absolute", "passwd", "circle", "folder"):
        assert (await browser.fetch(f"/MP_verify_{name}.txt")).code == 404, name


async def test_what_is_no_file_of_a_few_bytes_is_not_there(browser_of_changed, files):
    os.mkfifo(files / "MP_verify_pipe.txt")  # reading it would wait for ever
    (files / "MP_verify_folder.txt").mkdir()
    (files / "MP_verify_huge.txt").write_bytes(b"x" * 100_000)
    browser = await browser_of_changed(verification_files=files)
    for name in ("pipe", "folder", "huge"):
        assert (await browser.fetch(f"/MP_verify_{name}.txt")).code == 404, name


async def test_a_folder_that_is_itself_a_link_serves_its_files(browser_of_changed, files, tmp_path):
    (tmp_path / "current").symlink_to(files)
    browser = await browser_of_changed(verification_files=tmp_path / "current")
    assert (await browser.fetch(f"/{NAME}")).body == CONTENT


async def test_a_file_added_later_needs_no_restart(browser_of_changed, files):
    browser = await browser_of_changed(verification_files=files)
    (files / "MP_verify_later.txt").write_bytes(b"later")
    assert (await browser.fetch("/MP_verify_later.txt")).body == b"later"


async def test_without_a_folder_there_are_no_verification_files(browser):
    response = await browser.fetch(f"/{NAME}")
    assert (response.code, reply_of(response)["error"]) == (404, "not_found")


async def test_the_helper_is_served_to_pages_of_every_origin(browser):
    response = await browser.fetch("/wechat-openid.js")
    assert response.body == HELPER.read_bytes()
    assert response.headers["Content-Type"].startswith("text/javascript")
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    again = await browser.fetch("/wechat-openid.js", headers={"If-None-Match": response.headers["Etag"]})
    assert again.code == 304
