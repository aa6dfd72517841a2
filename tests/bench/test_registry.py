"""The counted figures of bench_registry, at a size that takes a moment: a change costs what it touches."""

from registry_work import carried, counted, filled, load, nothing_to_do


def test_a_one_line_change_asks_and_signs_as_much_among_many_as_among_few(tmp_path):
    few, many = filled(tmp_path / "few", 100, 10), filled(tmp_path / "many", 1000, 100)
    assert load(many) > 9 * load(few)
    assert counted(few) == counted(many)
    nothing_to_do(many)
    assert carried(few) <= 512
