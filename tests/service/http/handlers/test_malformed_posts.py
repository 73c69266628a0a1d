"""Whatever is posted to `/getCode`, nothing breaks, and nothing that is not a code reaches WeChat."""

import asyncio
import json
import string
from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CODE_ALPHABET = string.ascii_letters + string.digits + "_-"
ENDPOINT = "access_token"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
not_codes = st.text(min_size=1).filter(
    # White space around a code is dropped.
    lambda text: len(text.strip()) > 128 or any(letter not in CODE_ALPHABET for letter in text.strip())
)
bodies = st.one_of(
    st.binary(max_size=2000),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(["code", "state", "appid"]), json_values)
    .filter(lambda fields: not isinstance(fields.get("code"), str))
    .map(lambda fields: json.dumps(fields).encode()),
    not_codes.map(lambda code: json.dumps({"code": code}).encode()),
    not_codes.map(lambda code: urlencode({"code": code}, errors="surrogatepass").encode()),
)
content_types = st.sampled_from(
    ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "", "é"]
)


#: Posted together, so that ten thousand posts do not take ten thousand round trips.
POSTS = 25
EXAMPLES = 400


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large, HealthCheck.too_slow],
)
@given(posts=st.lists(st.tuples(bodies, content_types), min_size=POSTS, max_size=POSTS))
def test_ten_thousand_malformed_posts_break_nothing_and_never_reach_wechat(io_loop, page, wechat, posts):
    async def post_all():
        return await asyncio.gather(*(page.post(body, content_type) for body, content_type in posts))

    for response in io_loop.run_sync(post_all, timeout=60):
        assert response.code == 400
        reply = json.loads(response.body)
        assert reply["error"] in {"request", "reauthorize"}
        assert reply["errmsg"]
    assert wechat.calls[ENDPOINT] == 0
