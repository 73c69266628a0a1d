"""Posts of pages as their libraries make them, from allowed, foreign and sandboxed pages."""

import pytest

pytestmark = pytest.mark.usefixtures("from_the_beginning")

POST = """async ([service, code, kind, headers, credentials]) => {
    const form = new FormData();
    form.append('code', code);
    const body = {
        json: JSON.stringify({code}), text: 'code=' + code, form: new URLSearchParams({code}), multipart: form,
        name: new URLSearchParams(JSON.stringify({code})), blob: new Blob(['\\ufeff' + JSON.stringify({code})]),
        wrong: JSON.stringify({data: {code}}),
    }[kind];
    try {
        const response = await fetch(service + '/getCode', {method: 'POST', credentials, headers, body});
        return [response.status, await response.json()];
    } catch (error) { return ['blocked', String(error)]; }
}"""


@pytest.fixture
def post(stack, page):
    def send(origin, kind, headers=None, credentials="include", code=None):
        page.goto(f"{origin}/away.html")
        return page.evaluate(POST, [stack.service, code or stack.issue_code(), kind, headers or {}, credentials])

    return send


def test_whatever_a_library_sends_is_understood(stack, post, subtests):
    for kind in ("json", "text", "form", "multipart", "name", "blob"):
        for headers in ({}, {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}):
            with subtests.test(kind=kind, headers=headers):
                status, reply = post(stack.allowed, kind, headers)
                assert (status, "openid" in reply) == (200, True)


def test_headers_of_interceptors_do_not_break_an_allowed_page(stack, post, subtests):
    for headers in (
        {"X-Requested-With": "XMLHttpRequest", "Content-Type": "application/json"},
        {"token": "abc", "Authorization": "Bearer x"},
        {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-datadog-origin": "rum"},
    ):
        with subtests.test(headers=headers):
            assert post(stack.allowed, "json", headers)[0] == 200


def test_a_foreign_page_reads_why_it_is_refused_and_sends_no_cookie(stack, page, post):
    status, reply = post(stack.foreign, "text", credentials="omit")
    assert (status, reply["error"]) == (403, "origin")
    assert "ALLOWED_ORIGINS" in reply["errmsg"]
    assert post(stack.foreign, "text", credentials="include")[0] == "blocked"
    assert post(stack.foreign, "text", {"token": "abc"}, credentials="omit")[0] == "blocked"  # by its preflight
    assert stack.exchanges() == 0
    assert page.context.cookies() == []


def test_a_sandboxed_frame_reads_why_it_is_refused(stack, page):
    page.goto(f"{stack.allowed}/away.html")
    outcome = page.evaluate(
        """(service) => new Promise((resolve) => {
            window.onmessage = (event) => resolve(event.data);
            const frame = document.createElement('iframe');
            frame.sandbox = 'allow-scripts';
            frame.srcdoc = `<script>fetch('${service}/getCode', {method: 'POST', body: 'code=abc'})
                .then((response) => response.json()).then((reply) => parent.postMessage(reply.error, '*'),
                (error) => parent.postMessage('blocked', '*'))</` + 'script>';
            document.body.append(frame);
        })""",
        stack.service,
    )
    assert outcome == "origin"


def test_a_wrong_field_is_named(stack, post):
    status, reply = post(stack.allowed, "wrong")
    assert (status, reply["errcode"]) == (400, 41008)
    assert "inside of data" in reply["errmsg"]


def test_a_form_of_a_foreign_page_signs_nobody_in(stack, page):
    page.goto(f"{stack.foreign}/away.html")
    page.evaluate(
        """([service, code]) => {
            const form = document.createElement('form');
            form.method = 'POST';
            form.action = service + '/getCode';
            form.innerHTML = `<input name="code" value="${code}">`;
            document.body.append(form);
            form.submit();
        }""",
        [stack.service, stack.issue_code()],
    )
    page.wait_for_url(f"{stack.service}/getCode")
    assert stack.exchanges() == 0
    assert page.context.cookies() == []
