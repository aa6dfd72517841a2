/** COSE: a signature holds for one purpose, one key and one message; everything not strictly in form is refused. */

import assert from "node:assert/strict";
import test from "node:test";

import { concat, hex, utf8 } from "../../phone/protocol/bytes.js";
import { Tag, decode, encode } from "../../phone/protocol/cbor.js";
import * as cose from "../../phone/protocol/cose.js";
import { LocalError, Malformed, Unsupported, Unverified } from "../../phone/protocol/errors.js";
import * as p256 from "../../phone/protocol/p256.js";
import { exampleKey } from "./keys.js";
import { hexExample } from "./spec.js";
import { ascii, bytes, filled, refuses } from "./support.js";

const ES256 = new Map([[1, -7]]);
const PURPOSES = [
  cose.DEVICE_CREDENTIAL, cose.GRANT, cose.DELEGATION, cose.JOURNAL_HEAD, cose.ENROLMENT, cose.APPROVAL, cose.NOTICE,
];
const RESERVED = ["bundle", "time", "release", "receipt", "voucher", "wipe-certificate"];
const OTHERS = RESERVED.map((name) => utf8("admit:" + name));
const KEY = await exampleKey("authority");

/** A COSE_Sign1 of whatever it is handed; a Map becomes a protected header's bytes. */
function sign1(parts) {
  const usual = { headers: ES256, unprotected: new Map(), payload: ascii("payload"), tag: 18 };
  const { headers, unprotected, payload, signature, tag } = { ...usual, signature: filled(64, 1), ...parts };
  return encode(new Tag(tag, [headers instanceof Map ? encode(headers) : headers, unprotected, payload, signature]));
}

test("a signed message has the bytes of RFC 9052 section 4.2", async () => {
  const message = await cose.sign1(KEY, ascii("payload"), cose.GRANT);
  assert.equal(hex(message.slice(0, 17)), "d28443a10126a0" + "477061796c6f6164" + "5840");
  assert.equal(message.length, 17 + 64);
  const parsed = cose.parseSign1(message);
  cose.checkForm(parsed);
  await cose.verifySign1(parsed, KEY.public, cose.GRANT);
  const other = await exampleKey("alice");
  await refuses(Unverified, "cose-signature", () => cose.verifySign1(parsed, other.public, cose.GRANT));
  const changed = { ...parsed, payload: ascii("payloaD") };
  await refuses(Unverified, "cose-signature", () => cose.verifySign1(changed, KEY.public, cose.GRANT));
});

test("no kind of signature passes for another", async () => {
  assert.equal(new Set(PURPOSES.map(hex)).size, 7);
  for (const signedAs of PURPOSES) {
    const parsed = cose.parseSign1(await cose.sign1(KEY, ascii("payload"), signedAs));
    for (const takenAs of [...PURPOSES, ...OTHERS, filled(0)]) {
      const verdict = cose.verifySign1(parsed, KEY.public, takenAs);
      if (takenAs === signedAs) await verdict;
      else await refuses(Unverified, "cose-signature", () => verdict);
    }
  }
});

test("a message out of form is named", () => {
  const twice = new Map([...ES256, [4, ascii("a")]]);
  for (const [parts, reason] of [
    [{ tag: 17 }, "cose-tag"],
    [{ tag: 61 }, "cose-tag"],
    [{ headers: [] }, "cose-structure"],
    [{ unprotected: [] }, "cose-structure"],
    [{ payload: "payload" }, "cose-structure"],
    [{ payload: null }, "cose-structure"],
    [{ signature: "x".repeat(64) }, "cose-structure"],
    [{ signature: filled(63) }, "cose-signature-length"],
    [{ signature: filled(65) }, "cose-signature-length"],
    [{ headers: bytes("80") }, "cose-headers"],
    [{ unprotected: ES256 }, "cose-headers"],
    [{ headers: twice, unprotected: new Map([[4, ascii("a")]]) }, "cose-headers"],
    [{ unprotected: new Map([[4, "kid"]]) }, "cose-headers"],
    [{ unprotected: new Map([[ascii("label"), 1]]) }, "cose-headers"],
    [{ headers: filled(0) }, "cbor-truncated"],
    [{ headers: bytes("a1013806") }, "cbor-not-shortest"],
    [{ headers: bytes("a1012600") }, "cbor-trailing"],
    [{ headers: bytes("a201260126") }, "cbor-duplicate-key"],
  ]) {
    refuses(Malformed, reason, () => cose.parseSign1(sign1(parts)));
  }
  refuses(Malformed, "cose-structure", () => cose.parseSign1(encode(new Tag(18, [filled(0)]))));
  refuses(Malformed, "cose-tag", () => cose.parseSign1(encode([])));
});

test("only ES256 counts, and only where it is signed; nothing critical is understood", () => {
  for (const headers of [new Map(), new Map([[1, -8]]), new Map([[1, 7]]), new Map([[1, "ES256"]])]) {
    refuses(Unsupported, "cose-algorithm", () => cose.parseSign1(sign1({ headers, unprotected: ES256 })));
  }
  const critical = new Map([...ES256, [2, [99]], [99, 0]]);
  refuses(Unsupported, "cose-critical", () => cose.parseSign1(sign1({ headers: critical })));
  refuses(Unsupported, "cose-critical", () => cose.parseSign1(sign1({ unprotected: new Map([[2, [4]]]) })));
});

test("a paper has one form: no unprotected header, s in the lower half", async () => {
  const { signature, payload } = cose.parseSign1(await cose.sign1(KEY, ascii("payload"), cose.GRANT));
  cose.checkForm(cose.parseSign1(sign1({ payload, signature })));
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const s = (order - BigInt("0x" + hex(signature.slice(32)))).toString(16).padStart(64, "0");
  const other = concat(signature.slice(0, 32), bytes(s));
  assert.ok(await p256.verify(KEY.public, other, encode(["Signature1", encode(ES256), cose.GRANT, payload])));
  const unprotected = new Map([[4, ascii("kid")]]);
  for (const parts of [{ payload, signature: other }, { payload, signature, unprotected }]) {
    refuses(Malformed, "cose-form", () => cose.checkForm(cose.parseSign1(sign1(parts))));
  }
});

test("a key has one form", () => {
  const data = hexExample("cose-key");
  const [found, kid] = cose.decodeKey(decode(data));
  assert.equal(kid, null);
  assert.equal(hex(encode(cose.encodeKey(found))), hex(data));
  const good = cose.encodeKey(found);
  assert.deepEqual(cose.decodeKey(new Map([...good, [2, ascii("kid")]])), [found, ascii("kid")]);
  for (const [label, value] of [
    [1, 1], [1, true], [-1, 2], [-1, true], [-2, filled(31)], [-2, "x".repeat(32)], [-3, filled(33)], [-3, true],
    [2, "kid"], [2, null], [3, -7], [4, [1]], [-4, filled(32)],
  ]) {
    refuses(Malformed, "cose-key", () => cose.decodeKey(new Map([...good, [label, value]])));
  }
  for (const label of good.keys()) {
    const less = new Map(good);
    less.delete(label);
    refuses(Malformed, "cose-key", () => cose.decodeKey(less));
  }
  for (const none of [null, undefined, [], data]) refuses(Malformed, "cose-key", () => cose.decodeKey(none));
  refuses(LocalError, "cbor-type", () => encode(new Map([[1, undefined]])));
});
