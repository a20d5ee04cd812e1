"""A seed stands for one scenario, which a person can read."""

from joed.sim.scenario import Fault, scenario_text, traits_of


def test_a_seed_always_draws_the_same_traits():
    """And another seed others."""
    assert traits_of(7) == traits_of(7)
    assert len({traits_of(seed) for seed in range(1, 21)}) == 20


def test_a_fault_reads_as_one_line():
    """When, what, and with which arguments."""
    assert (
        Fault(312.4, "cut", {"at": "handed", "down_s": 4.2}).words()
        == "+  312.4 s  cut           at=handed  down_s=4.2"
    )


def test_a_scenario_is_told_in_the_order_of_time():
    """Whatever order its faults are kept in."""
    lines = scenario_text([Fault(20.0, "kill"), Fault(3.0, "lag")]).splitlines()

    assert [line.split()[3] for line in lines] == ["lag", "kill"]
