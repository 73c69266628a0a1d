"""Addresses of stores that were written wrongly: the commands say which part is wrong, and show none of it."""

import pytest

pytestmark = pytest.mark.gen_test

HEAD, TAIL = "Tr0ub4dor", "tail9X"
COMMANDS = (["migrate"], ["serve"], ["doctor"])


@pytest.fixture
def outputs(start_process):
    """Run each command that opens a database, and give what they printed."""

    async def run(**environment):
        printed = []
        for command in COMMANDS:
            process = start_process(*command, **environment)
            assert await process.ended() != 0
            printed.append(process.log.read_text())
        return printed

    return run


@pytest.mark.parametrize("backend", ["postgresql", "mysql"])
@pytest.mark.parametrize("tail", [f"@{TAIL}", f"@{TAIL}/x", f"@5432{TAIL}", f"@{TAIL}:{TAIL}"])
async def test_the_tail_of_a_password_with_an_at_is_shown_nowhere(outputs, backend, tail):
    for text in await outputs(WECHAT_OPENID_DATABASE_URL=f"{backend}://user:{HEAD}{tail}@127.0.0.1:9/name"):
        assert "DATABASE_URL" in text
        assert "%40" in text
        assert HEAD not in text
        assert TAIL not in text
        assert "Traceback" not in text


@pytest.mark.parametrize(("character", "written"), [("@", "%40"), ("/", "%2F"), ("#", "%23"), ("?", "%3F")])
async def test_a_token_stores_address_is_treated_as_carefully(start_process, character, written):
    address = f"redis://user:{HEAD}{character}{TAIL}@127.0.0.1:9/0"
    for command in (["serve"], ["doctor"]):
        process = start_process(*command, WECHAT_OPENID_TOKEN_STORE="redis", WECHAT_OPENID_TOKEN_STORE_URL=address)
        assert await process.ended() != 0
        text = process.log.read_text()
        assert written in text
        assert HEAD not in text
        assert TAIL not in text


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (f"postgresql://user:{HEAD}@127.0.0.1:54x32/name", "what follows the host is no port"),
        (f"postgresql://user:{HEAD}@127.0.0.1:99999/name", "a port is not a number"),
        (f"mysql://user:{HEAD}@127.0.0.1:9/name?{TAIL}=1", "Option 1 of DATABASE_URL"),
        (f"mysql://user:{HEAD}@127.0.0.1:9/name?ssl_disabled={TAIL}", "must be true or false"),
        (f"{TAIL} {HEAD}", "does not begin with the name of a database"),
    ],
)
async def test_the_part_that_is_wrong_is_named(outputs, address, said):
    for text in await outputs(WECHAT_OPENID_DATABASE_URL=address):
        assert said in text
        assert HEAD not in text
        assert TAIL not in text
        assert "Traceback" not in text


@pytest.mark.parametrize("character", ["/", "#", "?"])
async def test_a_password_that_can_be_read_as_it_is_is_used(outputs, character):
    """Nothing listens there; the host is told, which it is by its own name."""
    for text in await outputs(WECHAT_OPENID_DATABASE_URL=f"postgresql://user:{HEAD}{character}{TAIL}@127.0.0.1:9/name"):
        assert "127.0.0.1:9 does not answer" in text
        assert HEAD not in text
        assert TAIL not in text
