"""joed.daemon.web.gate: who may look, judged from a request's head alone."""

import pytest

from joed.daemon.web.gate import HEADERS, judge

PORT = 9465
OURS = {"host": "127.0.0.1:9465"}


@pytest.mark.parametrize("host", ["127.0.0.1:9465", "localhost:9465"])
def test_the_page_answers_under_its_own_two_names(host):
    """A person types one or the other."""
    assert judge("GET", "/", {"host": host}, PORT) is None


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:9465", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.nip.io:9465", "localhost"),
        *("", "LOCALHOST.evil.example:9465", "[::1]:9465", "0.0.0.0:9465", "127.0.0.1:9465@evil.example"),
        *("localhost.:9465", "127.1:9465", "2130706433:9465"),
    ],
)
def test_a_name_that_was_made_to_lead_here_is_refused_before_routing(host):
    """DNS rebinding: the browser still says the name of the page that asks (S17)."""
    for path in ("/", "/view.json", "/nothing"):
        assert judge("GET", path, {"host": host}, PORT).status == 421


def test_a_request_without_a_host_is_refused():
    """HTTP/1.0 need not have one; we do (S17)."""
    assert judge("GET", "/", {}, PORT).status == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "https://127.0.0.1:9465", "http://127.0.0.1:9464", "http://localhost"]
)
def test_another_origin_is_refused(origin):
    """An EventSource, a fetch or a form of another page names where it came from (S18, S19)."""
    assert judge("GET", "/events", OURS | {"origin": origin}, PORT).status == 403


def test_our_own_origin_is_let_in():
    """A browser names it on some of our own requests."""
    assert judge("GET", "/events", OURS | {"origin": "http://127.0.0.1:9465"}, PORT) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_another_site_gets_the_page_in_a_tab_of_its_own_and_nothing_else(site):
    """A link in an alert may open the page; a frame, a picture, a script or a fetch from elsewhere gets nothing."""
    head = OURS | {"sec-fetch-site": site}
    link = head | {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}

    assert judge("GET", "/", link, PORT) is None
    assert judge("GET", "/view.json", link, PORT).status == 403
    assert judge("GET", "/", head | {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, PORT).status == 403
    assert judge("GET", "/", head | {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "document"}, PORT).status == 403
    assert judge("GET", "/page.js", head | {"sec-fetch-dest": "script"}, PORT).status == 403
    assert judge("GET", "/events", head, PORT).status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get"])
def test_nothing_can_be_changed_here(method):
    """There is no route that changes anything, and no method that could ask for one (S18)."""
    assert judge(method, "/", OURS, PORT).status == 405


def test_every_answer_forbids_frames_foreign_code_and_guesses():
    """The policy names nothing but ourselves, and no header grants another origin anything (S20-S22)."""
    policy = dict(rule.partition(" ")[::2] for rule in HEADERS["Content-Security-Policy"].split("; "))

    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert {policy["script-src"], policy["style-src"], policy["connect-src"], policy["img-src"]} == {"'self'"}
    assert HEADERS["X-Content-Type-Options"] == "nosniff"
    assert HEADERS["Referrer-Policy"] == "no-referrer"
    assert not [name for name in HEADERS if name.startswith("Access-Control")]
