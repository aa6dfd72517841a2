"""The virtual kiosk's clock, randomness and outputs."""

from admit_protocol.errors import EntropyError
from ports.virtual.clock import Clock
from ports.virtual.entropy import Entropy
from ports.virtual.outputs import Outputs
from support import raises

PROBE = 16  # bytes of each draw that are never given out
IN_2023 = 1_700_000_000
IN_2096 = 4_000_000_000


def test_the_time_counts_from_1970_whatever_the_interpreter_counts_from():
    assert IN_2023 < Clock().now() < IN_2096


def test_the_clock_can_be_moved_or_left_out():
    ahead = Clock(86_400).now() - Clock().now()
    assert 86_399 <= ahead <= 86_401
    assert Clock(None).now() is None


def test_milliseconds_only_grow_even_when_the_ticks_wrap():
    import ports.virtual.clock as module

    real, ticks = (module.ticks_ms, module.ticks_diff), [0x3FFFFFF0]
    module.ticks_ms = lambda: ticks[0]
    module.ticks_diff = lambda later, earlier: (later - earlier + 0x20000000 & 0x3FFFFFFF) - 0x20000000
    try:
        clock = Clock()
        assert clock.monotonic_ms() == 0
        ticks[0] = 0x10  # a 32-bit board's ticks have wrapped
        assert clock.monotonic_ms() == 0x20
        assert clock.monotonic_ms() == 0x20
    finally:
        module.ticks_ms, module.ticks_diff = real


def test_random_bytes_have_the_length_asked_for_and_differ():
    entropy = Entropy()
    drawn = [entropy.random(32) for _ in range(8)]
    assert all(len(each) == 32 for each in drawn) and len(set(drawn)) == 8
    assert entropy.random(0) == b"" and len(entropy.random(1)) == 1


def test_a_stuck_source_gives_no_bytes():
    healthy = Entropy()
    for bad in (b"\x00", b"\xff", b"0123456789abcdef"):
        entropy = Entropy(lambda length, bad=bad: (bad * length)[:length])
        with raises(EntropyError, "entropy-stuck"):
            entropy.random(32)
    sources = [healthy.random(PROBE), healthy.random(PROBE + 32), b"short"]
    entropy = Entropy(lambda length: sources.pop(0))
    assert len(entropy.random(32)) == 32
    with raises(EntropyError, "entropy-stuck"):
        entropy.random(32)


def test_the_probe_is_never_given_out():
    drawn = []
    entropy = Entropy(lambda length: drawn.append(bytes(range(len(drawn), len(drawn) + length))) or drawn[-1])
    assert entropy.random(4) == drawn[1][PROBE:]


def test_outputs_keep_their_values_and_print_each_change_once():
    import ports.virtual.outputs as module

    lines = []
    module.print = lambda *words: lines.append(words)
    try:
        outputs = Outputs()
        assert outputs.get("door") is None
        for name, value in (("door", "closed"), ("door", "closed"), ("door", "open"), ("lamp", True), ("lamp", False)):
            outputs.set(name, value)
            assert outputs.get(name) == value
    finally:
        del module.print
    assert lines == [("door", "closed"), ("door", "open"), ("lamp", "on"), ("lamp", "off")]


def test_a_source_that_is_not_live_gives_no_bytes_until_it_is():
    live = []
    entropy = Entropy(live=lambda: bool(live))
    with raises(EntropyError, "entropy-not-live"):
        entropy.random(32)
    live.append("the radio is on")
    assert len(entropy.random(32)) == 32


def test_who_touches_the_buttons_file_has_pressed_it():
    import os

    path = "button-%d" % int.from_bytes(Entropy().random(4), "big")
    outputs = Outputs(path)
    assert outputs.get("button") is None and Outputs().get("button") is None
    with open(path, "w"):
        pass
    try:
        assert 0 <= outputs.get("button") <= 10000
    finally:
        os.remove(path)
