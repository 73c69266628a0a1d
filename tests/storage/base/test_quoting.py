from storage.base.quoting import quoted


def test_a_value_is_quoted_on_one_line_without_what_may_be_a_secret(subtests):
    for text, shown in [
        ("localhost", "'localhost'"),
        ("", "''"),
        ("公众号", "'公众号'"),
        ("a\nb\x1b[0m\u202ec\0", r"'a\nb\x1b[0m\u202ec\x00'"),
        ("https://user:pass@word@example.com/x", "'https://…@example.com/x'"),
        ("user:password@example.com", "'…@example.com'"),
        ("https://user:a://b@example.com", "'https://…@example.com'"),
        ("https://example.com/?token=x&b=c", "'https://example.com/?…'"),
        ('[{"secret": "x"}]', "'[{…'"),
        ("51a7ed00c0ffee0051a7", "'…'"),
        ("/etc/ssl/certs/ca-certificates.crt", "'/etc/ssl/certs/ca-certificates.crt'"),
        ("a b " * 15, f"'{'a b ' * 15}'"),
        ("a b " * 15 + "c", f"'{'a b ' * 15}…'"),
    ]:
        with subtests.test(text=text):
            assert quoted(text) == shown
