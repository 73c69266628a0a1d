"""The helper for pages: small, and in the syntax that old web views understand."""

import gzip
from pathlib import Path

import pytest
from calmjs.parse import es5
from calmjs.parse.exceptions import ECMASyntaxError

import service

HELPER = Path(service.__file__).parent / "http" / "static" / "wechat-openid.js"
LARGEST_BYTES = 5120


def test_the_helper_is_small():
    assert len(gzip.compress(HELPER.read_bytes())) < LARGEST_BYTES


def test_the_helper_is_in_ecmascript_5():
    es5(HELPER.read_text(encoding="utf-8"))


@pytest.mark.parametrize("newer", ["const a = 1;", "f(() => 1);", "`x`;", "f(...a);", "var {a} = b;", "a?.b;"])
def test_newer_syntax_would_be_noticed(newer):
    with pytest.raises(ECMASyntaxError):
        es5(newer)
