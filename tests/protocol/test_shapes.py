"""A grant and a rule as tuples: the same for whoever keeps them and for whoever judges by them."""

from admit_protocol import rule, shapes, standing


def test_what_is_kept_is_what_is_judged():
    assert shapes.Rule is rule.Rule and shapes.Grant is standing.Grant


def test_the_shapes_of_rules_and_grants():
    one = shapes.Rule("/r/open", 3, {})
    assert one[:2] == (one.pattern, one.methods) == ("/r/open", 3)
    grant = shapes.Grant(*range(17))
    assert (grant.data, grant.rules, grant.selectors, grant.chain) == (0, 8, 12, 16)
