"""joed.brokers.capital.session: one login at a time, tokens that rotate and are kept, and a number for each login."""

import asyncio
import base64
import json
import random

import pytest
from aiohttp import web

from joed.brokers.capital.faults import BadCredentials, Doubted, NotSent, SessionOver, TooMany
from joed.brokers.capital.limiter import Lane
from joed.brokers.capital.session import Credentials
from joed.brokers.capital.shapes import Accounts, Positions
from joed.errors import ConfigError
from joed.model.values import MINUTE
from joed.sim.loop import START_NS, VirtualLoop
from tests.brokers.capital.scripted import CREDENTIALS, SECRETS, play
from tests.brokers.capital.test_password import EXPONENT, der, integer, prime
from tests.faults.measure import measured

NOTHING = {"accounts": []}


def ask(place):
    """Ask one question."""
    return place.session.get(Accounts, "/accounts", Lane.RECONCILE)


def test_credentials_show_nothing_and_fit_one_host():
    """Neither in a log nor in a traceback; those of the other host are refused by name."""
    assert not any(secret in repr(CREDENTIALS) for secret in SECRETS)
    Credentials(*SECRETS, host="demo").fit("demo")
    with pytest.raises(ConfigError, match=r"capital\.host is live, and the credentials are for the demo host"):
        Credentials(*SECRETS, host="demo").fit("live")


def test_twenty_questions_at_once_make_one_login():
    """Single flight: logins are rationed, and a storm of them locks everybody out."""

    async def act(place):
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(ask(place))
        return place.script.logins, place.session.generation

    assert play(act) == (1, 1)


def test_a_login_carries_no_old_token():
    """A stale one there is refused; afterwards every request has both."""

    async def act(place):
        await ask(place)
        return list(zip(place.script.heard, place.script.headers, strict=True))

    rows = dict(play(act))

    assert "CST" not in rows["POST", "/session"]
    assert rows["POST", "/session"]["X-CAP-API-KEY"] == SECRETS[0]
    assert (rows["GET", "/accounts"]["CST"], rows["GET", "/accounts"]["X-SECURITY-TOKEN"]) == ("cst-1", "xst-1")


def test_a_session_that_is_over_is_renewed_once_and_a_read_asked_again():
    """401, a login, the answer; a service that always says 401 is believed in the end."""

    async def act(place):
        refusals = [True]

        async def answer(_request):
            if refusals and refusals.pop():
                return web.Response(status=401, body=b'{"errorCode":"error.invalid.session.token"}')
            return web.Response(body=json.dumps(NOTHING).encode())

        place.script.says = {"/accounts": answer}
        await ask(place)
        once = place.script.logins
        place.script.says = {"/accounts": (401, {"errorCode": "error.invalid.session.token"})}
        with pytest.raises(SessionOver):
            await ask(place)
        return once, place.script.logins

    assert play(act) == (2, 4)


def test_a_write_that_meets_a_dead_session_is_not_sent_again():
    """It was refused, and that is all: what was decided then is decided anew, or not."""

    async def act(place):
        place.script.says = {"/positions": (401, {"errorCode": "error.invalid.session.token"})}
        began = place.loop.time()
        with pytest.raises(SessionOver):
            await place.session.write("POST", "/positions", Lane.ORDER, body=b"{}")
        measured("F53", detected_s=place.loop.time() - began)
        return place.script.count("POST", "/positions")

    assert play(act) == 1


@pytest.mark.parametrize("status", [401, 429, 502])
def test_a_write_whose_login_fails_is_known_not_to_have_been_sent(status):
    """Refused, too early, or not understood: what became of the login is no doubt about the write."""

    async def act(place):
        place.script.says = {"/session": (status, {"errorCode": "error.invalid.details" if status == 401 else ""})}
        with pytest.raises(NotSent, match=r"^no session: "):
            await place.session.write("POST", "/positions", Lane.ORDER, body=b"{}")
        return place.script.count("POST", "/positions")

    assert play(act) == 0


def test_tokens_rotate_and_an_answer_without_any_changes_none():
    """Any answer may bring new ones; one that brings none is no reason to forget those in force."""

    async def act(place):
        place.script.says = {"/accounts": (200, NOTHING, {"CST": "cst-new"})}
        await ask(place)
        place.script.says = {}
        await ask(place)
        return place.session.tokens.client, place.session.tokens.account

    assert play(act) == ("cst-new", "xst-1")


def test_a_slow_answer_of_an_old_login_does_not_overwrite_the_new_tokens():
    """The generation that an answer belongs to decides."""

    async def act(place):
        async def slow(_request):
            await asyncio.sleep(5)
            return web.Response(body=json.dumps(NOTHING).encode(), headers={"CST": "cst-old"})

        place.script.says = {"/accounts": slow}
        async with asyncio.TaskGroup() as group:
            group.create_task(ask(place))
            await asyncio.sleep(1)
            await place.session.renew(place.session.generation)
        return place.session.tokens.client

    assert play(act) == "cst-2"


@pytest.mark.parametrize(("idle_s", "logins"), [(8 * 60, 1), (9.5 * 60, 2)])
def test_tokens_that_lay_idle_are_renewed_before_they_are_used(idle_s, logins):
    """They die after ten minutes: a request with dead ones is a request lost."""

    async def act(place):
        await ask(place)
        await asyncio.sleep(idle_s)
        await ask(place)
        return place.script.logins

    assert play(act) == logins


def test_a_login_is_renewed_before_capital_com_ends_it():
    """Theirs die after about an hour, used or not; ours at 45 minutes."""

    async def act(place):
        for _ in range(12):
            await ask(place)
            await asyncio.sleep(5 * 60)
        return place.script.logins

    assert play(act) == 2


def test_a_renewal_that_fails_does_not_keep_a_close_from_leaving():
    """The old tokens still live: what reduces risk goes with them."""

    async def act(place):
        await ask(place)
        for _ in range(8):
            await asyncio.sleep(5 * 60)
            await ask(place)
        await asyncio.sleep(6 * 60)
        place.script.says = {("POST", "/session"): (502, b"<html>"), "/positions/1": (200, {"dealReference": "p_1"})}
        return await place.session.write("DELETE", "/positions/1", Lane.CLOSE)

    assert json.loads(play(act)) == {"dealReference": "p_1"}


def test_refused_credentials_are_a_fault_of_their_own():
    """Only a person mends them."""

    async def act(place):
        place.script.says = {("POST", "/session"): (401, {"errorCode": "error.invalid.details"})}
        with pytest.raises(BadCredentials):
            await ask(place)

    play(act)


def test_a_login_without_tokens_or_sense_is_doubted():
    """A 200 that is no login is none."""

    async def act(place):
        for said in ((200, b"<html>"), (200, {"currentAccountId": "A1"})):
            place.script.says = {("POST", "/session"): said}
            with pytest.raises(Doubted):
                await ask(place)

    play(act)


def test_a_read_asks_again_after_a_429_and_not_for_ever():
    """Three times at most; the limiter lets some time pass between."""

    async def act(place):
        await ask(place)
        place.script.says = {"/accounts": (429, {"errorCode": "error.too-many.requests"})}
        with pytest.raises(TooMany):
            await ask(place)
        return place.script.count("GET", "/accounts"), round(place.loop.time())

    assert play(act) == (4, 3)


def test_an_answer_of_another_shape_is_doubted():
    """No BadMessage leaves here: what a read cannot be read from has told nothing."""

    async def act(place):
        place.script.says = {"/positions": (200, {"positions": [{"position": {}}]})}
        with pytest.raises(Doubted, match="no Positions"):
            await place.session.get(Positions, "/positions", Lane.RECONCILE)

    play(act)


def test_the_password_goes_under_the_servers_key_where_it_gives_one():
    """Encrypted, with the time that came with the key; in the clear, over TLS, where the server has no key."""
    rng = random.Random(9)
    p, q = prime(512, rng), prime(512, rng)
    pair = der(0x30, integer(p * q) + integer(EXPONENT))
    info = der(0x30, der(0x30, bytes.fromhex("06092a864886f70d0101010500")) + der(3, b"\0" + pair))
    private = pow(EXPONENT, -1, (p - 1) * (q - 1))

    async def act(place):
        await ask(place)
        plain = json.loads(place.script.bodies[1])
        key = {"encryptionKey": base64.b64encode(info).decode(), "timeStamp": 77}
        place.script.says = {"/session/encryptionKey": (200, key)}
        await place.session.renew(place.session.generation)
        return plain, json.loads(place.script.bodies[-1])

    plain, sealed = play(act)
    block = pow(int.from_bytes(base64.b64decode(sealed["password"]), "big"), private, p * q).to_bytes(128, "big")

    assert plain == {"identifier": SECRETS[1], "password": SECRETS[2], "encryptedPassword": False}
    assert sealed["encryptedPassword"] is True
    assert base64.b64decode(block[2:].split(b"\0", 1)[1]).decode() == f"{SECRETS[2]}|77"


def test_a_restart_goes_on_with_the_tokens_of_the_last_process(tmp_path):
    """One question proves them; no login is spent. The file is ours alone."""
    file = tmp_path / "tokens.json"
    play(ask, file=file)
    assert file.stat().st_mode & 0o777 == 0o600

    async def again(place):
        await ask(place)
        return place.script.logins, place.script.heard

    later = VirtualLoop(START_NS + MINUTE)
    assert play(again, file=file, loop=later) == (0, [("GET", "/session"), ("GET", "/accounts")])


@pytest.mark.parametrize("spoil", ["old", "open", "torn", "other"])
def test_tokens_that_cannot_be_trusted_are_not_used(tmp_path, spoil):
    """Too old, readable by others, half written, or of other credentials: a login."""
    file = tmp_path / "tokens.json"
    play(ask, file=file)
    start_ns = START_NS + (10 if spoil == "old" else 1) * MINUTE
    if spoil == "open":
        file.chmod(0o640)
    elif spoil == "torn":
        file.write_bytes(file.read_bytes()[:40])
    elif spoil == "other":
        file.write_text(file.read_text().replace('"key":"', '"key":"0'))

    async def again(place):
        await ask(place)
        return place.script.logins

    assert play(again, file=file, loop=VirtualLoop(start_ns)) == 1


def test_a_switch_of_account_takes_the_new_tokens():
    """They come with its answer."""

    async def act(place):
        await ask(place)
        place.script.says = {("PUT", "/session"): (200, {}, {"CST": "c2", "X-SECURITY-TOKEN": "x2"})}
        await place.session.switch("A2")
        return place.session.tokens.account, place.session.tokens.account_id, json.loads(place.script.bodies[-1])

    assert play(act) == ("x2", "A2", {"accountId": "A2"})
