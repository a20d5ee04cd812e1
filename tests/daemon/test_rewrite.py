"""A model's words against an endpoint that helps, invents, babbles, redirects or hangs, over a real socket."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from joed.daemon.rewrite import ANSWER_BYTES_MAX, SHAPES, rewritten
from joed.model.thinking import Summary

FACTS = "Session 2026-11-20 (paper): up 10.00 USD (+1.00%), equity 1,010.00 USD.\n4 trades, 3 won, 1 lost."
HONEST = "On 2026-11-20 the paper account was up 10.00 USD, or 1.00%, with 3 of 4 trades won."


@asynccontextmanager
async def endpoint(answer):
    """Serve on loopback what `answer(request)` gives; give the address and the list of what was asked."""
    asked = []

    async def handle(request):
        asked.append((dict(request.headers), await request.json()))
        return await answer(request)

    app = web.Application()
    app.router.add_post("/v1", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1", asked
    finally:
        await runner.cleanup()


def saying(text, shape="openai"):
    """Give an endpoint that says this, in this shape."""
    bodies = {
        "openai": {"choices": [{"message": {"role": "assistant", "content": text}}]},
        "anthropic": {"content": [{"type": "text", "text": text}]},
    }

    async def answer(_request):
        return web.json_response(bodies[shape])

    return answer


async def put(answer, shape="openai", deadline_s=5.0):
    """Have the facts rewritten by this endpoint; give what came and what was asked."""
    async with endpoint(answer) as (url, asked):
        found = await rewritten(FACTS, Summary(rewrite=shape, url=url, model="m-1", deadline_s=deadline_s), "s3cret")
    return found, asked


@pytest.mark.parametrize("shape", SHAPES)
async def test_honest_words_are_taken_in_either_shape(shape):
    """The key stands where that shape wants it, the model and the facts in the body, and nothing of an account."""
    found, asked = await put(saying(HONEST, shape), shape)

    (headers, body) = asked[0]
    assert found == (HONEST, "")
    assert "s3cret" in (headers["Authorization"] if shape == "openai" else headers["x-api-key"])
    assert body["model"] == "m-1"
    assert body["messages"][-1]["content"] == FACTS
    assert "s3cret" not in json.dumps(body)


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_text_with_an_invented_figure_is_dropped_for_the_template(shape):
    """One figure that is not in the facts, in a text that is otherwise true: the template goes out instead."""
    found, _ = await put(saying(HONEST + " A Sharpe ratio of 2.35 was reached.", shape), shape)

    assert found == (FACTS, "it says what is not in the facts: the figure 2.35")


async def html(_request):
    """Answer as a proxy's login page does."""
    return web.Response(text="<html>log in</html>", content_type="text/html")


async def flood(_request):
    """Answer ten megabytes."""
    return web.Response(body=b"x" * 10_000_000)


async def broken(_request):
    """Answer in a shape of tomorrow."""
    return web.json_response({"choices": []})


async def wordless(_request):
    """Answer no text."""
    return web.json_response({"choices": [{"message": {"content": None}}]})


async def refusing(_request):
    """Refuse."""
    return web.json_response({"error": "quota"}, status=429)


async def elsewhere(_request):
    """Send us to another place, with our key."""
    return web.Response(status=307, headers={"Location": "http://127.0.0.1:1/steal"})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (html, "JSONDecodeError"),
        (flood, f"an answer of more than {ANSWER_BYTES_MAX} bytes"),
        (broken, "an answer of another shape"),
        (wordless, "an answer without a text"),
        (refusing, "status 429"),
        (elsewhere, "status 307"),
    ],
)
async def test_whatever_comes_instead_the_template_goes_out(answer, words):
    """And the reason is told."""
    found, asked = await put(answer)

    assert found.text == FACTS
    assert words in found.dropped
    assert len(asked) == 1


async def test_an_endpoint_that_hangs_costs_its_deadline_and_no_more():
    """Twenty seconds as shipped, a fifth of one here."""

    async def hang(_request):
        await asyncio.Event().wait()

    found, _ = await put(hang, deadline_s=0.2)

    assert found == (FACTS, "no answer within 0.2 s")


async def test_where_nobody_listens_the_template_goes_out():
    """A refused connection is an answer too."""
    found = await rewritten(FACTS, Summary(rewrite="openai", url="http://127.0.0.1:1/v1", model="m"), "")

    assert found.text == FACTS
    assert "ClientConnectorError" in found.dropped


async def test_without_a_model_nobody_is_asked():
    """The default."""
    assert await rewritten(FACTS, Summary(), "") == (FACTS, "no model is configured")
