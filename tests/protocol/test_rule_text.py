"""Windows and bounds in words: what a refusal shows, and what a list of grants shows."""

from admit_protocol import rule_text


def test_windows_in_words():
    for days, text in ((127, "Mon-Sun"), (0b0010101, "Mon Wed Fri"), (0b1000011, "Mon-Tue Sun"), (1 << 5, "Sat")):
        assert rule_text.window_text([days, 5, 1439]) == text + " 00:05-23:59"
        assert rule_text.window_text([days, 0, 0]) == text
        assert rule_text.window_text([days, 5, 5]) == text + " 00:05-00:05"
        assert rule_text.window_text([days, 0, 1]) == text + " 00:00-00:01"
    assert rule_text.windows_text([[1, 0, 0], [2, 5, 5]]) == "Mon, Tue 00:05-00:05"


def test_a_moment_in_words():
    assert [rule_text.moment_text(6, 600), rule_text.moment_text(0, 5)] == ["Sun 10:00", "Mon 00:05"]
