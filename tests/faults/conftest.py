"""A mad joed on a copy of the world, for each test that asks; all that runs ends with the test."""

import pytest

from tests.faults.scene import eager


@pytest.fixture
def mad(held_world, tmp_path):
    """Give a function that makes one; `root` is where its state directory shall be."""
    made = []

    def make(more="", root=None, words=None):
        demo = eager(held_world, root or tmp_path / "s", more, words)
        made.append(demo)
        return demo

    yield make
    for demo in made:
        if demo.lives:
            demo.kill()
        demo.end_exchange()
