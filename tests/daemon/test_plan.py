"""What the composition root has chosen."""

from dataclasses import FrozenInstanceError

import pytest

from joed.daemon.plan import Plan
from joed.model.settings import Settings


def test_a_plan_is_made_once():
    """It asks for nobody's signature, tells nobody and prepares nothing unless that was chosen."""
    nothing = {name: lambda *_: None for name in ("clock", "connect", "feed", "worker")}
    plan = Plan(Settings(), "digest", {}, **nothing, version="0", code="c")

    assert (plan.auto_confirm, plan.tell, plan.prepare, plan.wall_time) == (False, None, None, False)
    with pytest.raises(FrozenInstanceError):
        plan.version = "1"
