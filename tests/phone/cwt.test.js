/** CWT: RFC 8392's own token, the types of claims, `cnf`, and the CCS of a bare key. */

import assert from "node:assert/strict";
import test from "node:test";

import { EMPTY, concat, hex } from "../../phone/protocol/bytes.js";
import { encode } from "../../phone/protocol/cbor.js";
import * as cose from "../../phone/protocol/cose.js";
import * as cwt from "../../phone/protocol/cwt.js";
import { Malformed, Unverified } from "../../phone/protocol/errors.js";
import { exampleKey } from "./keys.js";
import { ascii, bytes, filled, refuses, vectors } from "./support.js";

const RFC8392 = vectors("rfc8392_cwt.json");
const KEY = await exampleKey("authority");

test("the signed token of RFC 8392 A.3", async () => {
  const { claims, sign1 } = cwt.parse(bytes(RFC8392.signed.hex));
  assert.equal(claims.get(cwt.ISS), RFC8392.claims.iss);
  assert.equal(claims.get(cwt.EXP), RFC8392.claims.exp);
  assert.equal(hex(claims.get(cwt.CTI)), RFC8392.claims.cti);
  const point = bytes(RFC8392.p256.x + RFC8392.p256.y);
  await cose.verifySign1(sign1, point, EMPTY); // it knows no purposes
  await refuses(Unverified, "cose-signature", () => cose.verifySign1(sign1, point, cose.GRANT));
  refuses(Malformed, "cose-form", () => cose.checkForm(sign1));
});

test("what we issue is read again", async () => {
  const claims = new Map([[cwt.ISS, "00".repeat(16)], [cwt.IAT, 5], ["ours", [1]], [-70000, filled(2)]]);
  const { claims: read, sign1 } = cwt.parse(await cwt.issue(KEY, claims, cose.GRANT));
  assert.deepEqual(new Map([...read].sort()), new Map([...claims].sort()));
  await cose.verifySign1(sign1, KEY.public, cose.GRANT);
});

test("a claim of the wrong type is refused", () => {
  for (const [name, ...values] of [
    [cwt.ISS, 1, filled(1), null], [cwt.SUB, 1, filled(1)], [cwt.AUD, 1, [], ["a", 1], null, new Map()],
    [cwt.EXP, -1, "1", true, null, 2n ** 60n], [cwt.NBF, -1, false], [cwt.IAT, -1, [1]], [cwt.CTI, "x", 1],
    [cwt.CNF, 1, [], null], [cwt.SCOPE, 1, [], null], [cwt.SIG_KEY, 1, null], [cwt.SEAL_KEY, filled(3), false],
  ]) {
    for (const value of values) {
      refuses(Malformed, "cwt-claims", () => cwt.parseClaims(encode(new Map([[name, value]]))));
    }
  }
  refuses(Malformed, "cwt-claims", () => cwt.parseClaims(encode(new Map([[ascii("name"), 1]]))));
  refuses(Malformed, "cwt-claims", () => cwt.parseClaims(encode([])));
  refuses(Malformed, "cbor-trailing", () => cwt.parseClaims(concat(encode(new Map()), [0])));
  cwt.parseClaims(encode(new Map([[cwt.AUD, ["a"]], [cwt.SCOPE, "text"], ["name", null]])));
});

test("a site's name as an issuer has one form", () => {
  assert.equal(hex(cwt.parseIssuer("0123456789abcdef".repeat(2))), "0123456789abcdef".repeat(2));
  const rest = "00".repeat(15);
  for (const text of ["", rest, "00".repeat(17), "0G" + rest, "AB" + rest, " 0" + rest, rest + "0 ", 5]) {
    refuses(Malformed, "cwt-issuer", () => cwt.parseIssuer(text));
  }
});

test("cnf holds exactly one COSE_Key", () => {
  const key = cose.encodeKey(KEY.public);
  assert.deepEqual(cwt.cnfKey(new Map([[cwt.CNF, cwt.cnf(KEY.public)]])), [KEY.public, null]);
  for (const held of [undefined, [], new Map(), new Map([[2, key]]), new Map([[1, key], [3, filled(1)]])]) {
    refuses(Malformed, "cwt-cnf", () => cwt.cnfKey(new Map([[cwt.CNF, held]])));
  }
  refuses(Malformed, "cose-key", () => cwt.cnfKey(new Map([[cwt.CNF, new Map([[1, 5]])]])));
});

test("a bare key shows itself by a CCS with cnf alone", () => {
  const data = cwt.encodeCcs(KEY.public);
  assert.equal(data.length, 79);
  assert.deepEqual(cwt.cnfKey(cwt.parseClaims(data)), [KEY.public, null]);
});
