"""The day's summary put into better words by a language model, over plain HTTP, or left as it is.

Two shapes are spoken, OpenAI's (which local servers speak too) and Anthropic's. The model gets the template's text,
which names no account; what comes back is held against it, figure by figure, and dropped where it says more.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import aiohttp

from joed.analysis.wording import unfounded
from joed.model.thinking import Summary

ANSWER_BYTES_MAX = 256 * 1024
TOKENS_MAX = 1_000
TASK = (
    "Rewrite this trading day's summary as a few plain sentences for the account's owner. Use only the facts given: no "
    "figure, name, cause or forecast that is not in them. Keep every number exactly as written. No advice."
)
VERSION = "2023-06-01"
"""The version of its messages that Anthropic asks each request to name."""


class Shape(NamedTuple):
    """How one kind of endpoint is asked, and where its text stands."""

    headers: Callable[[str], dict[str, str]]
    body: Callable[[str, str], dict[str, Any]]
    text: Callable[[Any], Any]


def _openai(model: str, facts: str) -> dict[str, Any]:
    messages = [{"role": "system", "content": TASK}, {"role": "user", "content": facts}]
    return {"model": model, "messages": messages, "max_tokens": TOKENS_MAX}


def _anthropic(model: str, facts: str) -> dict[str, Any]:
    return {
        "model": model,
        "max_tokens": TOKENS_MAX,
        "system": TASK,
        "messages": [{"role": "user", "content": facts}],
    }


SHAPES: Mapping[str, Shape] = {
    "openai": Shape(
        lambda key: {"Authorization": f"Bearer {key}"} if key else {},
        _openai,
        lambda body: body["choices"][0]["message"]["content"],
    ),
    "anthropic": Shape(
        lambda key: {"x-api-key": key, "anthropic-version": VERSION},
        _anthropic,
        lambda body: body["content"][0]["text"],
    ),
}
"""By the word in `summary.rewrite`."""


class Rewritten(NamedTuple):
    """The text to use, and why it is the template's; "" where it is the model's."""

    text: str
    dropped: str


async def rewritten(facts: str, rules: Summary, key: str) -> Rewritten:
    """Give the model's words, or the facts as they are with the reason: nothing of a model keeps the summary away."""
    if rules.rewrite not in SHAPES:
        return Rewritten(facts, "no model is configured")
    try:
        async with asyncio.timeout(rules.deadline_s):
            text = await _asked(facts, rules, key)
    except TimeoutError:
        return Rewritten(facts, f"no answer within {rules.deadline_s:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Rewritten(facts, f"{type(error).__name__}: {error}"[:300])
    if more := unfounded(text, facts):
        return Rewritten(facts, f"it says what is not in the facts: {more}")
    return Rewritten(text.strip(), "")


async def _asked(facts: str, rules: Summary, key: str) -> str:
    """Ask the endpoint; raise ValueError where its answer is none."""
    shape = SHAPES[rules.rewrite]
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(
            rules.url, json=shape.body(rules.model, facts), headers=shape.headers(key), allow_redirects=False
        ) as response,
    ):
        body = await response.content.read(ANSWER_BYTES_MAX + 1)
        while len(body) <= ANSWER_BYTES_MAX and (more := await response.content.read(ANSWER_BYTES_MAX + 1 - len(body))):
            body += more
        if len(body) > ANSWER_BYTES_MAX:
            raise ValueError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
        if response.status != 200:
            raise ValueError(f"status {response.status}")
    try:
        text = shape.text(json.loads(body))
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError("an answer of another shape") from error
    if not isinstance(text, str):
        raise ValueError("an answer without a text")  # noqa: TRY004 - whatever is wrong with an answer is a value
    return text
