import pytest

from storage.base.addresses import credentials_and_rest, unescaped_at, unescaped_characters


@pytest.mark.parametrize(
    ("url", "credentials", "rest"),
    [
        ("postgresql://user:pass@host/name", "user:pass", "host/name"),
        ("postgresql://host/name", "", "host/name"),
        ("postgresql://user@h1:1,h2:2/name", "user", "h1:1,h2:2/name"),
        ("mysql://user@tenant:pass@host/name", "user@tenant:pass", "host/name"),
        ("redis://:pass@host:6379/0", ":pass", "host:6379/0"),
        ("sqlite:////folder/a:b@c.db", "", "//folder/a:b@c.db"),
        ("nonsense", "", ""),
    ],
)
def test_what_stands_before_the_host_is_told_from_what_begins_with_it(url, credentials, rest):
    assert credentials_and_rest(url) == (credentials, rest)


@pytest.mark.parametrize("tail", ["@tail", "@ta/il", "@ta?il", "@ta#il", "@123", "@ta:il", "@@"])
def test_an_at_in_a_password_is_recognized_wherever_its_tail_ends(tail):
    said = unescaped_at(f"postgresql://user:head{tail}@host:5432/name?connect_timeout=3")
    assert said == "its password holds an '@' as it is: write %40 for it"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:he%40ad@host/name",
        "postgresql://user@tenant:pass@host/name",
        "postgresql://user:pass@host/name?sslrootcert=/etc/a@b.pem",
        "postgresql://user@host/name",
        "sqlite:////folder/a@b.db",
        "sqlite:////folder/a:b@c@d.db",
    ],
)
def test_an_at_elsewhere_is_nobodys_mistake(url):
    assert unescaped_at(url) is None


@pytest.mark.parametrize(("character", "written"), [("/", "%2F"), ("#", "%23"), ("?", "%3F"), ("@", "%40")])
def test_a_character_that_ends_a_password_to_other_readers_is_named(character, written):
    said = unescaped_characters(f"redis://:head{character}tail@host:6379/0")
    assert said is not None
    assert f"'{character}'" in said
    assert written in said
    assert "tail" not in said
    assert unescaped_characters(f"redis://:head{written}tail@host:6379/0") is None
