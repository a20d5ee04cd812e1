"""The door of the fake Capital.com: logins, tokens, limits, accounts."""

import asyncio
import base64

import pytest

from tests.fakes.capital import rsa
from tests.fakes.capital_rig import Client, gold, with_client

INVALID = (401, {"errorCode": "error.invalid.session.token"})


def test_a_login_gives_tokens_the_accounts_and_where_the_stream_is():
    """Tokens are in the headers, the active account and the streaming host in the body, without `connect`."""

    async def scenario(fake, client):
        status, body = await client.login()
        session = await client.get("/session")
        assert status == 200
        assert set(client.tokens) == {"CST", "X-SECURITY-TOKEN"}
        assert body["streamingHost"] == fake.streaming_host == session["streamEndpoint"]
        assert body["currentAccountId"] == session["accountId"] == body["accounts"][0]["accountId"]
        assert body["timezoneOffset"] == session["timezoneOffset"] == 2
        return body["accountInfo"]

    found = with_client(scenario, log_in=False)

    assert found == {"balance": 100_000, "deposit": 100_000, "profitLoss": 0, "available": 100_000}


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        ({"password": "another"}, (401, {"errorCode": "error.invalid.details"})),
        ({"identifier": "another"}, (401, {"errorCode": "error.invalid.details"})),
        ({"encryptedPassword": True}, (401, {"errorCode": "error.invalid.details"})),
    ],
)
def test_wrong_details_are_refused(changed, answer):
    """Another key's password looks the same as a wrong one."""

    async def scenario(fake, client):
        return await client.login(**changed)

    assert with_client(scenario, log_in=False) == answer


def test_a_login_without_a_key_is_refused_by_name():
    """The key goes before everything else."""

    async def scenario(fake, client):
        async with client.http.post(f"{fake.url}/api/v1/session", json={}) as response:
            return response.status, await response.json(), "CST" in response.headers

    assert with_client(scenario, log_in=False) == (400, {"errorCode": "error.null.api.key"}, False)


def test_an_encrypted_password_opens_the_door_and_an_old_stamp_does_not():
    """It is RSA with PKCS #1 v1.5 around base64(password|timeStamp), and the server really decrypts."""

    async def scenario(fake, client):
        key = await client.get("/session/encryptionKey")
        assert key["encryptionKey"] == rsa.PUBLIC_KEY
        answers = []
        for stamp in (key["timeStamp"], key["timeStamp"] - 3_600_000):
            message = base64.b64encode(f"{fake.user.password}|{stamp}".encode())
            cipher = base64.b64encode(rsa.encrypted(message, b"\x5a" * 256)).decode()
            await asyncio.sleep(1)
            answers.append((await client.login(password=cipher, encryptedPassword=True))[0])
        return answers

    assert with_client(scenario, log_in=False) == [200, 401]


def test_logins_are_limited_to_one_a_second():
    """The second one gets 429, and the one after a second is let in."""

    async def scenario(fake, client):
        first = (await client.login())[0]
        second = await client.login()
        await asyncio.sleep(1)
        return first, second, (await client.login())[0]

    assert with_client(scenario, log_in=False) == (200, (429, {"errorCode": "error.too-many.requests"}), 200)


def test_the_eleventh_request_within_a_second_is_refused_without_a_hint():
    """A sliding window over everything that the user asks; there is no Retry-After."""

    async def scenario(fake, client):
        statuses = [(await client.call("GET", "/ping"))[0] for _ in range(10)]
        headers = {"X-CAP-API-KEY": fake.user.api_key, **client.tokens}
        async with client.http.get(f"{fake.url}/api/v1/ping", headers=headers) as response:
            refused = response.status, "Retry-After" in response.headers
        await asyncio.sleep(1)
        return statuses, refused, await client.call("GET", "/ping")

    assert with_client(scenario) == ([200] * 10, (429, False), (200, {"status": "OK"}))


def test_the_thousand_and_first_order_of_an_hour_is_refused():
    """A demo account's own limit."""

    async def scenario(fake, client):
        fake.door.limits.orders_hour.count = 2
        fake.door.limits.orders_hour.seen = type(fake.door.limits.orders_hour.seen)(maxlen=2)
        await client.buy(0.01)
        await client.buy(0.01)
        await asyncio.sleep(1)
        body = {"epic": "GOLD", "direction": "BUY", "size": 0.01}
        return await client.call("POST", "/positions", body)

    assert with_client(scenario) == (429, {"errorCode": "error.too-many.requests"})


@pytest.mark.parametrize(
    ("tokens", "answer"),
    [
        ({}, (400, {"errorCode": "error.null.client.token"})),
        ({"CST": "x"}, (400, {"errorCode": "error.null.account.token"})),
        ({"CST": "x", "X-SECURITY-TOKEN": "y"}, INVALID),
    ],
)
def test_a_request_without_good_tokens_is_refused(tokens, answer):
    """What is missing has a code of its own."""

    async def scenario(fake, client):
        client.tokens = tokens
        return await client.call("GET", "/positions")

    assert with_client(scenario) == answer


def test_tokens_live_ten_minutes_after_their_last_use():
    """Any call refreshes them; then they are gone."""

    async def scenario(fake, client):
        for _ in range(3):
            await asyncio.sleep(599)
            await client.get("/ping")
        await asyncio.sleep(600)
        return await client.call("GET", "/ping")

    assert with_client(scenario) == INVALID


def test_a_session_may_end_at_its_cap_however_busy_it_is():
    """Some have seen tokens die about an hour after the login."""

    async def scenario(fake, client):
        fake.door.cap_s = 3_600
        for _ in range(7):
            await asyncio.sleep(500)
            await client.get("/ping")
        await asyncio.sleep(150)
        return await client.call("GET", "/ping")

    assert with_client(scenario) == INVALID


def test_tokens_rotate_and_the_old_ones_stay_good_for_a_while():
    """A client that does not take the new ones is out after the grace."""

    async def scenario(fake, client):
        fake.door.rotate_each = 3
        old = dict(client.tokens)
        for _ in range(3):
            await client.get("/ping")
        new = dict(client.tokens)
        client.tokens = dict(old)
        first = (await client.call("GET", "/ping"))[0]
        await asyncio.sleep(31)
        client.tokens = dict(old)
        second = await client.call("GET", "/ping")
        client.tokens = new
        return old != new, first, second, (await client.call("GET", "/ping"))[0]

    assert with_client(scenario) == (True, 200, INVALID, 200)


def test_several_sessions_live_beside_one_another_and_a_logout_ends_its_own():
    """A second login evicts nobody."""

    async def scenario(fake, client):
        second = Client(fake, client.http)
        await asyncio.sleep(1)
        await second.login()
        assert (await client.call("DELETE", "/session")) == (200, {"status": "SUCCESS"})
        return await client.call("GET", "/ping"), (await second.call("GET", "/ping"))[0]

    assert with_client(scenario) == (INVALID, 200)


def test_revoked_tokens_end_every_session_at_once():
    """As when the password is changed elsewhere; the next login is as good as ever."""

    async def scenario(fake, client):
        fake.door.revoke_all()
        refused = await client.call("GET", "/ping")
        client.tokens = {}
        await asyncio.sleep(1)
        return refused, (await client.login())[0], (await client.call("GET", "/ping"))[0]

    assert with_client(scenario) == (INVALID, 200, 200)


def test_the_time_needs_no_login():
    """Milliseconds, by the service's clock."""

    async def scenario(fake, client):
        await asyncio.sleep(5)
        return (await client.call("GET", "/time"))[1]["serverTime"] == fake.clock.now() // 1_000_000

    assert with_client(scenario, log_in=False)


def test_another_account_is_looked_at_with_new_tokens_and_has_nothing():
    """X-SECURITY-TOKEN chooses the account; a bad id and the same one have codes of their own."""

    async def scenario(fake, client):
        await client.buy(1)
        mine, other = list(fake.accounts)
        before = dict(client.tokens)
        bad = await client.call("PUT", "/session", {"accountId": "1"})
        same = await client.call("PUT", "/session", {"accountId": mine})
        status, body = await client.call("PUT", "/session", {"accountId": other})
        assert (status, body["dealingEnabled"]) == (200, False)
        assert client.tokens["X-SECURITY-TOKEN"] != before["X-SECURITY-TOKEN"]
        return bad[1], same[1], (await client.get("/session"))["accountId"] == other, await client.positions()

    assert with_client(scenario) == (
        {"errorCode": "error.invalid.accountId"},
        {"errorCode": "error.not-different.accountId"},
        True,
        [],
    )


def test_a_switch_from_elsewhere_is_seen_by_the_next_get_session():
    """Tokens stay good; only the account behind them is another one."""

    async def scenario(fake, client):
        fake.switch_account(list(fake.accounts)[1])
        return (await client.get("/session"))["accountId"]

    assert with_client(scenario) == "987654321098765432"


def test_preferences_change_only_what_is_named():
    """A leverage leaves hedging alone; a value that does not exist changes nothing."""

    async def scenario(fake, client):
        path = "/accounts/preferences"
        before = await client.get(path)
        good = await client.call("PUT", path, {"hedgingMode": True})
        bad = await client.call("PUT", path, {"leverages": {"INDICES": 7}})
        await client.call("PUT", path, {"leverages": {"INDICES": 10}})
        after = await client.get(path)
        return before["hedgingMode"], good, bad, after["hedgingMode"], after["leverages"]["INDICES"]["current"]

    bad = (400, {"errorCode": "error.invalid.leverage.value"})
    assert with_client(scenario) == (False, (200, {"status": "SUCCESS"}), bad, True, 10)


def test_a_demo_account_can_be_topped_up_to_its_cap():
    """And not above it."""

    async def scenario(fake, client):
        down = await client.call("POST", "/accounts/topUp", {"amount": -40_000})
        up = await client.call("POST", "/accounts/topUp", {"amount": 50_000})
        accounts = await client.get("/accounts")
        return down, up, accounts["accounts"][0]["balance"]["deposit"]

    refused = (400, {"errorCode": "error.invalid.topup.amount"})
    assert with_client(scenario) == ((200, {"successful": True}), refused, 60_000)


@pytest.mark.parametrize("path", ["/nowhere", "/positions/1/2"])
def test_what_is_not_there_is_404(path):
    """Every other path."""

    async def scenario(fake, client):
        return (await client.call("GET", path))[0]

    assert with_client(scenario) == 404


def test_the_log_tells_what_was_asked():
    """A test counts orders by it: none may be sent twice."""

    async def scenario(fake, client):
        await client.buy(1)
        return fake.asked("POST", "/positions"), fake.asked("POST", "/session"), fake.asked("GET", "/confirms")

    assert with_client(scenario) == (1, 1, 1)


def test_what_is_not_json_is_refused():
    """A body must be an object."""

    async def scenario(fake, client):
        answers = []
        for body in (b"{", b"[1]"):
            headers = {"X-CAP-API-KEY": fake.user.api_key, **client.tokens}
            async with client.http.post(f"{fake.url}/api/v1/positions", data=body, headers=headers) as response:
                answers.append((response.status, (await response.json())["errorCode"]))
        return answers

    assert with_client(scenario) == [(400, "error.invalid.request")] * 2


def test_gold_has_a_price_in_every_scenario():
    """The rig's own promise."""

    async def scenario(fake, client):
        gold(fake, 1.0, 0.5)  # crossed: not taken
        return (await client.get("/markets/GOLD"))["snapshot"]["bid"]

    assert with_client(scenario) == 2_399.5
