"""A device decides as the host predicts: 100,000 questions, on CPython and on MicroPython, byte for byte."""

import ast
import os
import subprocess
from pathlib import Path

import rule_cases
from admit_protocol import rule, rule_index

TESTS = Path(__file__).parent
WORLDS = 2000


def test_both_runtimes_give_the_same_decisions_byte_for_byte():
    there = subprocess.Popen(
        [os.environ["ADMIT_MICROPYTHON"], "-X", "heapsize=8M", TESTS / "rule_cases.py", "0", str(WORLDS)],
        env=os.environ | {"MICROPYPATH": f"{TESTS.parent / 'firmware'}:{TESTS}:.frozen"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    with there:
        digest, given = rule_cases.digest(0, WORLDS)
        told = there.communicate()[0]
    assert there.returncode == 0
    assert ast.literal_eval(told) == (digest, given)
    assert sum(given) == WORLDS * rule_cases.QUESTIONS >= 100_000
    rare = {reason: times for reason, times in zip(rule.REASONS, given, strict=True) if times < 100}
    assert not rare  # each reason was put to the test


def test_what_a_chain_and_a_policy_may_change_over_as_many_questions():
    """The properties that tests/fuzz states, where everything happens often: each of the changes is seen to matter."""
    shut = [rule.PolicyRule(rule.DENY, ["user:alice", "group:day"], ["role:guard"], "/r/*", 127, {}, "shut")]
    seen = {"chain": 0, "denial": 0, "allowance": 0}
    for who, law, request, moment, state in rule_cases.questions(0, 300):
        policy = list(law[0]) if law else []
        decision = rule.decide(who, law, request, moment, state)
        parents = rule.decide(who[1:], law, request, moment, state) if who[1:] else None
        denied = rule.decide(who, rule_index.build(policy + shut), request, moment, state)
        granting = [one for one in policy if one.effect == rule.ALLOW]
        others = rule_index.build([one for one in policy if one not in granting])
        without = rule.decide(who, others, request, moment, state)
        assert decision.allowed or not denied.allowed
        assert decision.allowed or not without.allowed
        if parents and decision.allowed:
            assert parents.allowed and set(parents.uses) <= set(decision.uses)
        seen["chain"] += bool(parents and parents.allowed and not decision.allowed)
        seen["denial"] += decision.allowed and not denied.allowed
        seen["allowance"] += decision.allowed and not without.allowed
    assert min(seen.values()) > 100, seen


def test_another_decision_is_another_digest():
    assert rule_cases.digest(0, 2) != rule_cases.digest(1, 2)
