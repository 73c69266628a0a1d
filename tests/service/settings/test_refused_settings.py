"""What is said of settings that cannot work."""

import json
import re
from dataclasses import fields
from itertools import product

import pytest

from service.settings import PREFIX, Settings, SettingsError, load_settings
from tests.service.settings.loading import SECRET_WORD, load

#: The setting, what was given, what is said that it must be, and how what was given is repeated; None: not at all.
REFUSED = [
    ("APPID", "gh_1234567890ab", "no original ID (原始ID)", "'gh_1234567890ab'"),
    ("APPID", "wx 51a7", "without spaces", "'wx 51a7'"),
    ("LISTEN", "localhost", "host:port", "'localhost'"),
    ("LISTEN", "8888", "host:port", "'8888'"),
    ("LISTEN", "127.0.0.1:", "host:port", "'127.0.0.1:'"),
    ("LISTEN", "127.0.0.1:65536", "host:port", "'127.0.0.1:65536'"),
    ("LISTEN", "127.0.0.1:-1", "host:port", "'127.0.0.1:-1'"),
    ("LISTEN", "127.0.0.1:http", "host:port", "'127.0.0.1:http'"),
    ("LISTEN", "127.0.0.1:²", "host:port", "'127.0.0.1:²'"),
    ("ADMIN_LISTEN", "", "host:port", "''"),
    ("ADMIN_LISTEN", "0.0.0.0:8889\0", "host:port", r"'0.0.0.0:8889\x00'"),
    ("PUBLIC_URL", "h5.example.com", "http:// or https:// URL", "'h5.example.com'"),
    ("PUBLIC_URL", "ftp://h5.example.com", "http:// or https:// URL", "'ftp://h5.example.com'"),
    ("PUBLIC_URL", "https://", "http:// or https:// URL", "'https://'"),
    ("PUBLIC_URL", "https://:443", "http:// or https:// URL", "'https://:443'"),
    ("PUBLIC_URL", "https://[::1", "http:// or https:// URL", "'https://[::1'"),
    ("PUBLIC_URL", "https://h5.example.com:https", "http:// or https:// URL", "'https://h5.example.com:https'"),
    ("PUBLIC_URL", "https://h5.example.com/?a=1", "without user name, query", "'https://h5.example.com/?…'"),
    ("PUBLIC_URL", "https://h5.example.com/#/", "and fragment", "'https://h5.example.com/#…'"),
    ("PUBLIC_URL", "https://h5..example.com", "as browsers write it", "'https://h5..example.com'"),
    ("PUBLIC_URL", "https://-h5.example.com", "as browsers write it", "'https://-h5.example.com'"),
    ("PUBLIC_URL", "http://127.1:8888", "as browsers write it", "'http://127.1:8888'"),
    ("PUBLIC_URL", "https://a.cn,https://b.cn", "as browsers write it", "'https://a.cn,https://b.cn'"),
    ("ADMIN_URL", "http://127.0.0.1:8889/admin", "without a path", "'http://127.0.0.1:8889/admin'"),
    ("ACCESS_LOG", "maybe", "true or false", "'maybe'"),
    ("ADMIN_PASSWORD_SIGN_IN", "never", "true or false", "'never'"),
    ("ADMIN_REQUIRE_SECOND_FACTOR", "totp", "true or false", "'totp'"),
    ("OIDC_ISSUER", "login.example.com", "the https:// URL", "'login.example.com'"),
    ("OIDC_ISSUER", "http://login.example.com", "the https:// URL", "'http://login.example.com'"),
    ("OIDC_ISSUER", "https://login.example.com/?a=1", "the https:// URL", "'https://login.example.com/?…'"),
    ("OIDC_ISSUER", "https://[::1", "the https:// URL", "'https://[::1'"),
    ("OIDC_ISSUER", "https://ada@login.example.com", "the https:// URL", "'https://…@login.example.com'"),
    ("OIDC_SCOPES", "profile groups", "`openid` among them", "'profile groups'"),
    ("OIDC_SCOPES", 'openid "', "scopes separated by spaces", "'openid \"'"),
    ("OIDC_ROLES", "wechat-owners", "groups with their roles", "'wechat-owners'"),
    ("OIDC_ROLES", "=owner", "groups with their roles", "'=…'"),
    ("OIDC_ROLES", "staff=admin", "the roles are viewer, operator, owner", "'staff=…'"),
    ("OIDC_ROLES", "a=owner,a=viewer", "each group once", "'a=…'"),
    ("OIDC_CA_FILE", "/nope", "an existing file", "'/nope'"),
    ("ADMIN_TIMEZONE", "Beijing", "such as Asia/Shanghai", "'Beijing'"),
    ("ADMIN_HOSTS", "admin.example.com:443", "without a port", "'admin.example.com:443'"),
    ("TRUSTED_PROXIES", "nginx", "addresses or networks", "'nginx'"),
    ("TRUSTED_PROXIES", "10.0.0.1/8", "(without host bits: 10.0.0.0/8)", "'10.0.0.1/8'"),
    ("ALLOWED_ORIGINS", "*", "origins separated by commas", "'*'"),
    ("ALLOWED_ORIGINS", "https://h5.example.com/path", "origins separated", "'https://h5.example.com/path'"),
    ("HTTP_SERVER", "nginx", "one of: llhttp, tornado; or empty", "'nginx'"),
    ("ACCESS_LOG", "maybe", "true or false", "'maybe'"),
    ("REQUIRE_STATE", "maybe", "true or false", "'maybe'"),
    ("ACCESS_LOG", "sometimes", "true or false", "'sometimes'"),
    ("PROFILE_CACHE_SECONDS", "-1", "a whole number from 0 to 2592000", "'-1'"),
    ("VERIFICATION_FILES", "/nope", "an existing folder", "'/nope'"),
    ("WECHAT_API_URL", "", "http:// or https:// URL", "''"),
    (
        "WECHAT_API_URL",
        "https://api.weixin.qq.com,api2.weixin.qq.com",
        "such as https://api.weixin.qq.com,",
        "'https://api.weixin.qq.com,api2.weixin.qq.com'",
    ),
    ("WECHAT_AUTHORIZE_URL", "https://x/y?", "http:// or https:// URL", "'https://x/y?'"),
    ("WECHAT_CA_FILE", "/nope", "an existing file", "'/nope'"),
    ("WECHAT_TRANSPORT", "httpx", "one of: curl, requests; or empty", "'httpx'"),
    ("WECHAT_TIMEOUT_SECONDS", "5", "a number from 0.1 to 4.9", "'5'"),
    ("WECHAT_TIMEOUT_SECONDS", "nan", "a number from 0.1 to 4.9", "'nan'"),
    ("WECHAT_TIMEOUT_SECONDS", "", "a number from 0.1 to 4.9", "''"),
    ("WECHAT_QRCONNECT_URL", "open.weixin.qq.com", "an http:// or https:// URL", "'open.weixin.qq.com'"),
    ("OUTSIDE_WECHAT", "hint", "one of: explain, pass, empty", "'hint'"),
    ("WECHAT_MAX_CONNECTIONS", "0", "a whole number from 1 to 4096", "'0'"),
    ("WORKERS", "0", "a whole number from 1 to 128", "'0'"),
    ("WORKERS", "1.5", "a whole number from 1 to 128", "'1.5'"),
    ("WORKERS", "many", "a whole number from 1 to 128", "'many'"),
    ("REFRESH_EVERY_SECONDS", "10s", "a number from 0.1 to 3600", "'10s'"),
    ("REFRESH_AHEAD_SECONDS", "7200", "a whole number from 0 to 3600", "'7200'"),
    ("REFRESH_ACTIVE_WITHIN_DAYS", "31", "a whole number from 0 to 30", "'31'"),
    ("REFRESH_CONCURRENCY", "0", "a whole number from 1 to 1000", "'0'"),
    ("REFRESH_MAX_PER_SECOND", "inf", "a number from 0.1 to 10000", "'inf'"),
    ("RATE_LIMIT", "a lot", "rates such as 600/minute", "'a lot'"),
    ("RATE_LIMIT", "600/fortnight", "rates such as 600/minute", "'600/fortnight'"),
    ("EXCHANGE_BUDGET", "1e9", "a whole number from 0 to 10000000", "'1e9'"),
    ("AUDIT_RETENTION_DAYS", "for ever", "a whole number from 0 to 36500", "'for ever'"),
    ("LOG_FORMAT", "xml", "one of: text, json", "'xml'"),
    ("LOG_LEVEL", "LOUD", "one of: DEBUG, INFO, WARNING, ERROR", "'LOUD'"),
    ("LOG_LEVEL", "x" * 19 + "," + "y " * 60, "one of: DEBUG", f"'{'x' * 19},{'y ' * 20}…'"),
    ("RATE_LIMIT_STORAGE", "redis://redis:6379", "async+redis://host:6379", None),
    ("RATE_LIMIT_STORAGE", "", "async+redis://host:6379", None),
    ("EVENT_AES_KEY", "too-short", "43 letters and digits", None),
    ("EVENT_FORWARD_URL", "http://backend.example.com/", "such as http://10.0.0.5/wechat", None),
    ("ACCOUNTS", "wx1", "a JSON list such as", None),
    ("ACCOUNTS", '[{"appid":"wx1","secret":"s"},{"appid":"wx2","secret":"s","foo":1}]', 'account 2 has "foo"', None),
    ("ACCOUNTS", '[{"appid":"gh_1234567890ab","secret":"s"}]', "no original ID (原始ID)", None),
    ("ACCOUNTS", '[{"appid":"wx 51a7","secret":"s"}]', "without spaces", None),
]
#: How a refusal names what is right. Paths are not there on every machine.
EXAMPLE = re.compile(r"such as (?!/)([^\s;()]+?),?(?= |;|$)|from (\S+) to|one of: (\w+)|(true) or false")


#: What these need beside them.
COMPANY = {"ADMIN_URL": "https://admin.example.com", "OIDC_CLIENT_ID": "dashboard", "OIDC_ROLES": "owners=owner"}
BESIDE = {"OIDC_ISSUER": COMPANY}


def test_what_cannot_work_is_refused_with_what_it_must_be_and_what_was_given(subtests):
    for name, text, says, shown in REFUSED:
        with subtests.test(name=name, text=text):
            with pytest.raises(SettingsError) as caught:
                load(**{name: text})
            [problem] = str(caught.value).splitlines()
            assert problem.startswith(f"{PREFIX}{name} must be ")
            assert says in problem
            if shown is None:
                assert ", not '" not in problem
            else:
                assert problem.endswith(f", not {shown}")


def test_what_a_refusal_gives_as_an_example_is_taken(subtests):
    tried = set()
    for name, text, _, shown in REFUSED:
        with subtests.test(name=name, text=text), pytest.raises(SettingsError) as caught:
            load(**{name: text})
        expected = str(caught.value).removesuffix(f", not {shown}")
        for groups in EXAMPLE.findall(expected) if shown is not None else ():
            load(**{**BESIDE.get(name, {}), name: "".join(groups)})
            tried.add(name)
    quotable = {row.name.upper() for row in fields(Settings) if row.metadata["quotable"]}
    assert tried == quotable - {"OIDC_CA_FILE", "WECHAT_CA_FILE", "VERIFICATION_FILES"}


def test_all_problems_are_listed_at_once():
    with pytest.raises(SettingsError) as caught:
        load(LISTEN="here", WORKERS="none", LOG_FORMAT="xml", APP_ID="wx1")
    text = str(caught.value)
    assert len(text.splitlines()) == 4
    for name in ("LISTEN", "WORKERS", "LOG_FORMAT", "APP_ID"):
        assert f"{PREFIX}{name} " in text


def test_accounts_of_another_form_are_refused_without_being_quoted(subtests):
    for text in [
        json.dumps({"appid": "wx1", "secret": SECRET_WORD}),
        json.dumps([{"appid": "wx1"}]),
        json.dumps([{"appid": "wx1", "secret": SECRET_WORD, "key": 1}]),
        json.dumps([{"appid": "wx1", "secret": [SECRET_WORD]}]),
        json.dumps([{"appid": 1, "secret": SECRET_WORD}]),
        json.dumps([{"appid": "wx1", "secret": SECRET_WORD, "name": None}]),
        json.dumps([{"appid": "", "secret": SECRET_WORD}]),
        json.dumps([{"appid": "wx1", "secret": ""}]),
        json.dumps([{"appid": "wx1", "secret": SECRET_WORD}, {"appid": "wx1", "secret": "b"}]),
        json.dumps([{"appid": "wx1", "secret": SECRET_WORD, "kind": "app"}]),
        json.dumps([{"appid": "wx1", "secret": SECRET_WORD, "kind": [1]}]),
        json.dumps([{"appid": "wx1", "secret": SECRET_WORD, "outside_wechat": "wx2"}]),
        json.dumps([{"appid": "wx1", "secret": SECRET_WORD, "outside_wechat": "wx1", "kind": "website"}]),
        json.dumps([{"appid": "wx1", "secret": SECRET_WORD, "outside_wechat": "wx2"}, {"appid": "wx2", "secret": "b"}]),
        json.dumps([SECRET_WORD]),
        f'[{{"appid": "wx1", "secret": "{SECRET_WORD}"',
        "[" * 100_000,
        "7",
    ]:
        with subtests.test(text=text):
            with pytest.raises(SettingsError, match=r"ACCOUNTS must be a (JSON )?list") as caught:
                load(ACCOUNTS=text)
            assert SECRET_WORD not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "no account is configured"),
        ({"APPID": "wx1"}, f"set {PREFIX}APPID and {PREFIX}SECRET"),
        ({"SECRET": SECRET_WORD}, f"set {PREFIX}APPID and {PREFIX}SECRET"),
        ({"ACCOUNTS": '[{"appid":"wx1","secret":"s"}]', "SECRET": SECRET_WORD}, "not both"),
    ],
)
def test_missing_and_contradicting_accounts_are_refused(values, says):
    with pytest.raises(SettingsError, match=says) as caught:
        load(**values).all_accounts()
    assert SECRET_WORD not in str(caught.value)


NEVER_QUOTED = {
    "SECRET",
    "ACCOUNTS",
    "SECRET_KEYS",
    "DATABASE_URL",
    "TOKEN_STORE_URL",
    "RATE_LIMIT_STORAGE",
    "EVENT_TOKEN",
    "EVENT_AES_KEY",
    "EVENT_FORWARD_URL",
}
#: As a person might give it in the wrong place.
RANDOM = "51a7ed00c0ffee0051a7ed00c0ffee00"
#: What holds a secret whose place or look tells.
WITH_CREDENTIALS = [
    f"https://user:{SECRET_WORD}@example.com",
    f"https://{SECRET_WORD}@example.com/",
    f"user:{SECRET_WORD}@example.com",
    f"async+redis://:{SECRET_WORD}@tail@redis:port",
    f"async+redis://:123/{SECRET_WORD}@redis:6379",
    f"postgresql://user:{SECRET_WORD}#@db:port/x",
    f"https://a.example.com,https://user:{SECRET_WORD}@b.example.com",
    f"https://{SECRET_WORD}://x@b.example.com",
    f"https://example.com/?secret={SECRET_WORD}",
    f"https://example.com/#{SECRET_WORD}",
    f"SECRET={SECRET_WORD}",
    f'[{{"appid": "wx1", "secret": "{SECRET_WORD}", "appid2": 1}}]',
    f"127.0.0.1:{RANDOM}",
    f"wx {RANDOM}",
]


@pytest.mark.attack(
    "keys, tokens and users",
    "whoever reads the logs",
    "a setting that cannot be read, with a secret in it, or a secret in the wrong setting",
    "the message names the setting; it repeats nothing of a setting that can hold a secret, nor of what a file held, "
    "and of others no user, no password, no argument of a URL and no long random word",
)
def test_no_refusal_repeats_a_secret(subtests, toml):
    bare = [SECRET_WORD, f"127.0.0.1:{SECRET_WORD}", f"{SECRET_WORD}\0"]
    for row, form in product(fields(Settings), [*WITH_CREDENTIALS, *bare]):
        name = row.name.upper()
        with subtests.test(row=row.name, form=form):
            sources = {"file": (None, {f"{PREFIX}{name}_FILE": form}), "not TOML": (toml(f"{row.name} = {form}"), {})}
            if form in WITH_CREDENTIALS or not row.metadata["quotable"]:
                sources["variable"] = (None, {PREFIX + name: form})
                sources["TOML"] = (toml(f"{row.name} = {json.dumps(form)}", f"{row.name}.toml"), {})
            complaints = {source: complaint_about(*arguments) for source, arguments in sources.items()}
            assert not [source for source, said in complaints.items() if SECRET_WORD in said or RANDOM in said]


def test_what_can_hold_a_secret_is_never_quoted():
    assert not {row.name.upper() for row in fields(Settings) if row.metadata["quotable"]} & NEVER_QUOTED
    assert not [row.name for row in fields(Settings) if row.metadata["quotable"] and not row.repr]


def test_what_a_file_of_a_secret_holds_is_never_quoted(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(SECRET_WORD)
    complaint = complaint_about(None, {f"{PREFIX}LISTEN_FILE": str(secret)})
    assert "LISTEN must be host:port" in complaint
    assert SECRET_WORD not in complaint


def complaint_about(config, environment):
    """Return what is said of settings that cannot be read; nothing for others."""
    try:
        load_settings(config, environment)
    except SettingsError as error:
        return str(error)
    return ""


def test_an_address_that_is_shown_holds_no_user_name(subtests):
    for name in ("PUBLIC_URL", "ADMIN_URL", "WECHAT_API_URL", "WECHAT_AUTHORIZE_URL"):
        with subtests.test(name=name), pytest.raises(SettingsError, match="without user name"):
            load(**{name: "https://user@example.com"})


def test_an_unescaped_password_of_the_counters_is_named(subtests):
    for url in ("async+redis://:1/x@redis:6379", "async+redis://:a@b@redis:6379", "async+redis://:1#x@redis:6379"):
        with subtests.test(url=url), pytest.raises(SettingsError, match="as it is: write %"):
            load(RATE_LIMIT_STORAGE=url)


def test_what_a_provider_needs_is_asked_for(subtests):
    provider = {"OIDC_ISSUER": "https://login.example.com", **COMPANY}
    assert load(**provider).oidc_issuer == "https://login.example.com"
    for name in COMPANY:
        with subtests.test(name=name), pytest.raises(SettingsError, match=f"OIDC_ISSUER needs {PREFIX}{name}"):
            load(**{**provider, name: ""})


@pytest.mark.parametrize("roles", ["staff=viewer,ops=operator", ""])
def test_settings_that_would_keep_everybody_out_are_refused(roles):
    provider = {"OIDC_ISSUER": "https://login.example.com", **COMPANY}
    assert load(ADMIN_PASSWORD_SIGN_IN="false", **provider).admin_password_sign_in is False
    with pytest.raises(SettingsError, match="would keep everybody out"):
        load(ADMIN_PASSWORD_SIGN_IN="false")
    with pytest.raises(SettingsError, match="would keep everybody out"):
        load(**{**provider, "ADMIN_PASSWORD_SIGN_IN": "false", "OIDC_ROLES": roles})


def test_an_issuer_is_taken_letter_by_letter():
    for issuer in ("https://login.example.com/", "https://login.example.com/realms/Staff", "http://127.0.0.1:9000"):
        assert load(**{**COMPANY, "OIDC_ISSUER": issuer}).oidc_issuer == issuer


def test_a_groups_name_may_hold_nearly_anything():
    roles = load(OIDC_ROLES=" cn=ops=owner,  /staff/wechat=viewer, 运营 组=operator ").oidc_roles
    assert roles == {"cn=ops": "owner", "/staff/wechat": "viewer", "运营 组": "operator"}
