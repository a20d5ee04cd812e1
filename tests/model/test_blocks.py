"""A Block's name."""

from joed.model.blocks import ALL, Block, key


def test_a_block_is_found_by_its_scope_and_reason_whatever_its_words():
    """Raising, lifting and looking up agree on one name."""
    block = Block(ALL, "vix", "VIX at 36.00", since_ns=5)

    assert block.key == key(ALL, "vix") == "all/vix"
    assert block.key != Block("instrument:AAPL", "vix", "VIX at 36.00").key
