import pytest


@pytest.mark.attack(
    "operators' accounts",
    "a web page in an operator's browser",
    "it tries passwords under a rebound name to lock the owner out",
    "nothing is counted",
)
@pytest.mark.gen_test
async def test_a_refused_attempt_to_sign_in_counts_nothing(browser, add_operator, hashes):
    add_operator("ada")
    browser.headers["Host"] = "rebind.example"
    for _ in range(40):
        assert (await browser.post_form("/admin/sign-in", "name=ada&password=x")).code == 421
    del browser.headers["Host"]
    assert hashes.checked == 0
    assert (await browser.sign_in("ada", "x")).code == 401
