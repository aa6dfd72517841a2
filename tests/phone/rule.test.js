/** Rules: what is one, which is narrower, what a card tells of it. test_against_python.py asks both languages more. */

import assert from "node:assert/strict";
import test from "node:test";

import { Malformed } from "../../phone/protocol/errors.js";
import * as rule from "../../phone/protocol/rule.js";
import { ascii, refuses } from "./support.js";

const { WINDOWS, ZONE, BOUNDS, USES, RATE, PRESENCE, APPROVALS, TIMELESS, FRESH, LIFE } = rule;
const map = (...entries) => new Map(entries);
const parsed = (pattern, methods, ...conditions) => rule.parse([pattern, methods, map(...conditions)]);
const times = (count, each) => Array.from({ length: count }, (_, at) => each(at));

test("what is not a rule does not parse", () => {
  for (const [value, reason] of [
    [null, "rule-shape"], [["/a", 1], "rule-shape"], [["/a", 1, map(), 0], "rule-shape"], [["/a", 1, []], "rule-shape"],
    [["/a", 1, map(["1", 2])], "rule-shape"], [["/a", 1, map([2n ** 60n, 2])], "rule-shape"],
    [[ascii("/a"), 1, map()], "rule-pattern"], [["", 1, map()], "rule-pattern"], [["r/open", 1, map()], "rule-pattern"],
    [["r*", 1, map()], "rule-pattern"], [["/*/b", 1, map()], "rule-pattern"], [["**", 1, map()], "rule-pattern"],
    [["/a\n*b", 1, map()], "rule-pattern"], [["/a", 0, map()], "rule-methods"], [["/a", 128, map()], "rule-methods"],
    [["/a", -1, map()], "rule-methods"], [["/a", true, map()], "rule-methods"], [["/a", "GET", map()], "rule-methods"],
  ]) {
    refuses(Malformed, reason, () => rule.parse(value));
  }
  for (const pattern of ["*", "/", "/*", "/r/open", "/r/o*", "/a\nb"]) {
    assert.equal(parsed(pattern, 127).pattern, pattern);
  }
});

test("what is not a condition does not parse", () => {
  for (const [number, reason, ...values] of [
    [WINDOWS, "rule-window", [], [127, 0, 0], [[0, 0, 60]], [[128, 0, 60]], [[1, 1440, 60]], [[1, 0, 1440]],
      [[1, -1, 6]], [[true, 0, 60]], [[1, 0]], times(17, () => [1, 0, 60]), null],
    [ZONE, "rule-zone", [], [[0]], [[0, 1440]], [[10, 0], [10, 60]], [[10, 0], [9, 60]], [["x", 0]], [[2n ** 60n, 0]],
      times(129, (at) => [at, 0])],
    [BOUNDS, "rule-bounds", map(), [], map([1, [1, 2]]), map(["a", [1]]), map(["a", [null, null]]), map(["a", [2, 1]]),
      map(["a", [false, 1]]), map(["a", [1, "2"]]), map(["a", ["1", null]]), map(["a", [1, 2, 3]])],
    [USES, "rule-condition", 0, true, [1], null],
    [RATE, "rule-condition", [0, 60], [1, 0], [33, 60], [1], 5],
    [PRESENCE, "rule-condition", 0, 3, "code"],
    [APPROVALS, "rule-condition", [0, ["everyone"]], ["everyone"], [1]],
    [APPROVALS, "rule-selector", [1, []], [1, ["bob"]], [1, "everyone"], [1, times(33, () => "everyone")]],
    [TIMELESS, "rule-condition", false, 1],
    [FRESH, "rule-condition", 0, null],
    [LIFE, "rule-life", [null, null], [5, 5], [5, 4], [5], [true, 5], 5],
  ]) {
    for (const value of values) refuses(Malformed, reason, () => parsed("/a", 1, [number, value]));
  }
});

test("every condition that is one parses; an unknown one is kept", () => {
  const conditions = [
    [WINDOWS, times(16, () => [127, 0, 0])], [ZONE, [[-1, -1439], [0, 1439]]],
    [BOUNDS, map(["a", [1, 1]], ["b", [null, -5]], ["c", [2 ** 53 - 1, null]])], [USES, 1], [RATE, [1, 1]],
    [PRESENCE, rule.BUTTON], [TIMELESS, true], [FRESH, 1], [LIFE, [null, 5]], [99, ascii("later")], [0, 1], [-1, 1],
    [APPROVALS, [1, ["everyone", "user:bob", "group:a b", "role:c", "key:0123456789abcdef"]]],
  ];
  assert.deepEqual(parsed("/a", 1, ...conditions).conditions, map(...conditions));
  for (const life of [[4, 5], [4, null]]) parsed("/a", 1, [LIFE, life]);
});

test("whom a selector names", () => {
  for (const good of ["everyone", "user:alice", "user:a:b", "group:night shift", "role:x\ny", "key:0123456789abcdef"]) {
    rule.checkSelector(good);
  }
  for (const bad of [
    "", "Everyone", "everyone:x", "alice", "user:", "key:", "key:0123456789ABCDEF", "key:0123456789abcde", "device:x",
    "user:" + "x".repeat(66), "user:" + "ü".repeat(33), null, ascii("everyone"), 1,
  ]) {
    refuses(Malformed, "rule-selector", () => rule.checkSelector(bad));
  }
});

test("a rule covers what is surely narrower", () => {
  const hours = [WINDOWS, [[31, 480, 1080]]];
  const night = [WINDOWS, [[1, 1320, 360]]];
  const day = [WINDOWS, [[1, 0, 0]]];
  const bound = (...entries) => [BOUNDS, map(...entries)];
  const a = (...conditions) => ["/a", 1, ...conditions];
  for (const [wide, narrow, covered] of [
    [["/r/*", 3], ["/r/open", 3], true],
    [["/r/*", 3], ["/r/o*", 1], true],
    [["*", 127], ["*", 127], true],
    [["/r/open", 3], ["/r/open", 2, [USES, 1], [99, "unknown"]], true],
    [["/r/open", 3], ["/r/*", 3], false],
    [["/r/open", 3], ["/r/open*", 3], false],
    [["/r/open", 1], ["/r/open", 3], false],
    [a(hours), a(), false],
    [a(hours), a([WINDOWS, [[31, 481, 1079]]]), true],
    [a(hours), a([WINDOWS, [[1, 480, 1080], [2, 600, 700]]]), true],
    [a(hours), a([WINDOWS, [[31, 479, 1080]]]), false],
    [a(hours), a([WINDOWS, [[31, 480, 1081]]]), false],
    [a(hours), a([WINDOWS, [[32, 480, 1080]]]), false],
    [a(hours), a([WINDOWS, [[31, 1000, 600]]]), false],
    [a(hours), a(hours, [ZONE, [[0, 60]]]), false],
    [a(hours, [ZONE, [[0, 60]]]), a(hours, [ZONE, [[0, 60]]]), true],
    [a(hours, [ZONE, [[0, 60]]]), a(hours), false],
    [a(night), a([WINDOWS, [[1, 1380, 300]]]), true],
    [a(night), a([WINDOWS, [[1, 1320, 1400]]]), true],
    [a(night), a([WINDOWS, [[1, 1320, 361]]]), false],
    [a(day), a([WINDOWS, [[1, 0, 1439]]]), true],
    [a(day), a(day), true],
    [a(day), a([WINDOWS, [[1, 1, 1]]]), false],
    [a(bound(["s", [1, 10]])), a(bound(["s", [1, 10]], ["t", [0, 0]])), true],
    [a(bound(["s", [1, 10]])), a(bound(["s", [2, 9]])), true],
    [a(bound(["s", [1, 10]])), a(bound(["s", [null, 10]])), false],
    [a(bound(["s", [1, 10]])), a(bound(["s", [0, 10]])), false],
    [a(bound(["s", [1, 10]])), a(bound(["t", [1, 10]])), false],
    [a(bound(["s", [null, 10]])), a(bound(["s", [-5, 10]])), true],
    [a([USES, 3]), a([USES, 3]), true],
    [a([USES, 3]), a([USES, 4]), false],
    [a([FRESH, 60]), a([FRESH, 59]), true],
    [a([FRESH, 60]), a([FRESH, 61]), false],
    [a([LIFE, [5, 9]]), a([LIFE, [6, 8]]), true],
    [a([LIFE, [5, 9]]), a([LIFE, [5, null]]), false],
    [a([RATE, [1, 60]]), a([RATE, [1, 60]]), true],
    [a([RATE, [1, 60]]), a([RATE, [2, 60]]), false],
    [a([PRESENCE, 1]), a([PRESENCE, 2]), false],
    [a([APPROVALS, [2, ["group:a"]]]), a([APPROVALS, [1, ["group:a"]]]), false],
    [a([TIMELESS, true]), a(), true],
    [a(), a([TIMELESS, true]), false],
    [a([99, 1]), a([99, 1]), true],
    [a([99, 1]), a([99, true]), false],
    [a([99, 1]), a(), false],
  ]) {
    assert.equal(rule.covers(parsed(...wide), parsed(...narrow)), covered, JSON.stringify([wide, narrow]));
  }
});

test("a life holds only if it holds for all that the time may be", () => {
  for (const [life, moment, said, timeless] of [
    [[null, null], [null, null], ""], [[5, 9], [5, 8], ""], [[5, 9], [9, 9], "expired"],
    [[5, 9], [8, 9], "time-unknown"],
    [[5, 9], [4, 4], "not-yet-valid"], [[5, 9], [4, 5], "time-unknown"], [[null, 9], [null, null], "time-unknown"],
    [[null, 9], [8, null], "time-unknown"], [[null, 9], [8, null], "", true], [[null, 9], [9, null], "expired", true],
    [[5, null], [null, null], "time-unknown"], [[5, null], [6, null], ""], [[5, null], [4, null], "", true],
  ]) {
    assert.equal(rule.lifeStep(life, moment, timeless), said, JSON.stringify([life, moment, timeless]));
  }
});

test("what a card tells of a rule", () => {
  const plain = rule.describe(parsed("/r/open", 3));
  assert.deepEqual(plain, {
    windows: [], isUtc: true, bounds: [], uses: null,
    rate: null, presence: null, approvals: null, fresh: null, from: null, until: null, unknown: [],
  });
  const full = rule.describe(parsed("/r/*", 127,
    [WINDOWS, [[0b1011011, 480, 1080], [127, 0, 0]]], [ZONE, [[0, 60]]], [BOUNDS, map(["s", [null, 10]])], [USES, 3],
    [RATE, [2, 60]], [PRESENCE, 1], [APPROVALS, [2, ["group:a"]]], [FRESH, 60], [LIFE, [5, 9]], [99, 1], [0, 0]));
  assert.equal(full.isUtc, false);
  const [some, whole] = full.windows;
  assert.deepEqual(some, { days: [[0, 1], [3, 4], [6, 6]], start: 480, end: 1080 });
  assert.deepEqual(whole, { days: [[0, 6]], start: 0, end: 0 });
  assert.deepEqual(full.bounds, [{ name: "s", least: null, most: 10 }]);
  assert.deepEqual([full.uses, full.rate, full.presence, full.fresh], [3, { count: 2, seconds: 60 }, "code", 60]);
  assert.deepEqual([full.approvals, full.from, full.until], [{ count: 2, who: ["group:a"] }, 5, 9]);
  assert.deepEqual(full.unknown, [99, 0]);
  assert.equal(rule.describe(parsed("/a", 1, [PRESENCE, 2])).presence, "button");
});
