/** P-256 by WebCrypto: published vectors, Wycheproof's verdicts, points that are none, keys that cannot be exported. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";

import { concat, fromUint, hex, webcrypto } from "../../phone/protocol/bytes.js";
import { LocalError, Malformed } from "../../phone/protocol/errors.js";
import * as p256 from "../../phone/protocol/p256.js";
import { exampleKey, keyPair } from "./keys.js";
import { ascii, bytes, filled, refuses, vectors } from "./support.js";

const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const { rfc6979_a_2_5: SIGNED, rfc5903_8_1: SHARED } = vectors("p256.json");
const WYCHEPROOF = new URL("../../../shared/vectors/wycheproof/", import.meta.url);

function wycheproof(name) {
  const file = new URL(name, WYCHEPROOF);
  if (!existsSync(file)) {
    console.log(`nothing checked: there is no ../shared/vectors/wycheproof/${name}`);
    return [];
  }
  return JSON.parse(readFileSync(file, "utf8")).testGroups;
}

test("signatures of RFC 6979 verify, those changed do not", async () => {
  const publicKey = bytes(SIGNED.public);
  for (const { message, signature } of SIGNED.signatures) {
    assert.ok(await p256.verify(publicKey, bytes(signature), ascii(message)));
    assert.ok(!(await p256.verify(publicKey, bytes(signature), ascii(message + "x"))));
    const changed = bytes(signature);
    changed[40] ^= 1;
    assert.ok(!(await p256.verify(publicKey, changed, ascii(message))));
  }
});

test("the shared secret of RFC 5903, of either side, by whole point and by x alone", async () => {
  for (const [own, peer] of [["i", "gr"], ["r", "gi"]]) {
    const { privateKey } = await keyPair(bytes(SHARED[own]), "ECDH");
    for (const length of [64, 32]) {
      assert.equal(hex(await p256.sharedSecret(privateKey, bytes(SHARED[peer]).slice(0, length))), SHARED.gir);
    }
  }
});

test("Wycheproof's ECDSA verdicts", async () => {
  let checked = 0;
  for (const { publicKey, tests } of wycheproof("ecdsa_secp256r1_sha256_p1363_test.json")) {
    const point = bytes(publicKey.uncompressed).slice(1);
    for (const { msg, sig, result, tcId } of tests) {
      assert.equal(await p256.verify(point, bytes(sig), bytes(msg)), result === "valid", tcId);
      checked += 1;
    }
  }
  console.log(`${checked} verdicts`);
});

test("Wycheproof's ECDH verdicts", async () => {
  let checked = 0;
  for (const { tests } of wycheproof("ecdh_secp256r1_ecpoint_test.json")) {
    for (const { private: secret, public: encoded, shared, result, tcId } of tests) {
      const length = { "02": 66, "03": 66, "04": 130 }[encoded.slice(0, 2)];
      if (encoded.length !== length) continue; // the prefix is not ours to parse
      const { privateKey } = await keyPair(fromUint(BigInt("0x" + secret), 32), "ECDH");
      const found = await p256.sharedSecret(privateKey, bytes(encoded).slice(1)).then(hex, (error) => error.reason);
      assert.equal(found, result === "invalid" ? "p256-point" : shared, tcId);
      checked += 1;
    }
  }
  console.log(`${checked} verdicts`);
});

test("points that are none are refused, in whatever way they come", async () => {
  const { privateKey, public: good } = await p256.generate("ECDH");
  const [x, y] = [good.slice(0, 32), good.slice(32)];
  const moved = concat(x, y.map((byte, at) => (at === 31 ? byte ^ 1 : byte)));
  const beyond = concat(fromUint(5n + P, 32), filled(32)); // 5 has a point, 5 + p is no coordinate
  const high = concat(x, fromUint(P, 32));
  const short = [good.slice(0, 63), concat(good, [0]), filled(0)];
  for (const point of [moved, beyond, high, filled(64), filled(64, 255), ...short]) {
    refuses(Malformed, "p256-point", () => p256.checkPoint(point));
    await refuses(Malformed, "p256-point", () => p256.sharedSecret(privateKey, point));
    assert.ok(!(await p256.verify(point, filled(64, 1), ascii("x"))));
  }
  for (const one of [filled(32, 255), fromUint(5n + P, 32), fromUint(1n, 32), filled(31, 5), filled(33)]) {
    refuses(Malformed, "p256-point", () => p256.publicFromX(one));
  }
});

test("x alone is no public key of a signature", async () => {
  let key;
  do key = await p256.generate("ECDSA");
  while (key.public[63] & 1); // until x alone would mean this very point
  const signature = await p256.sign(key.privateKey, ascii("a"));
  assert.ok(await p256.verify(key.public, signature, ascii("a")));
  assert.ok(!(await p256.verify(key.public.slice(0, 32), signature, ascii("a"))));
});

test("x alone gives the point with the even y", async () => {
  for (let i = 0; i < 8; i++) {
    const { public: point } = await p256.generate("ECDSA");
    const found = p256.publicFromX(point.slice(0, 32));
    assert.equal(found[63] & 1, 0);
    const y = BigInt("0x" + hex(point.slice(32)));
    assert.equal(hex(found), hex(concat(point.slice(0, 32), fromUint(y & 1n ? P - y : y, 32))));
  }
});

test("we sign with s in the lower half, always", async () => {
  const { privateKey, public: publicKey } = await p256.generate("ECDSA");
  for (let i = 0; i < 40; i++) { // by chance half of them would be in the upper
    const signature = await p256.sign(privateKey, fromUint(i, 4));
    assert.ok(p256.isLow(signature));
    assert.ok(await p256.verify(publicKey, signature, fromUint(i, 4)));
    const s = BigInt("0x" + hex(signature.slice(32)));
    const other = concat(signature.slice(0, 32), fromUint(N - s, 32));
    assert.ok(await p256.verify(publicKey, other, fromUint(i, 4)));
    assert.ok(!p256.isLow(other));
  }
});

test("private keys cannot be exported", async () => {
  const { privateKey } = await p256.fromSecret(bytes(SIGNED.secret), bytes(SIGNED.public));
  for (const key of [privateKey, (await p256.generate("ECDH")).privateKey, (await p256.generate("ECDSA")).privateKey]) {
    assert.equal(key.extractable, false);
    for (const format of ["jwk", "pkcs8"]) await assert.rejects(webcrypto.subtle.exportKey(format, key));
  }
});

test("a secret becomes a key only together with its own public key", async () => {
  const [secret, own] = [bytes(SIGNED.secret), bytes(SIGNED.public)];
  const key = await p256.fromSecret(secret, own);
  assert.ok(await p256.verify(own, await p256.sign(key.privateKey, ascii("a")), ascii("a")));
  const mirrored = concat(own.slice(0, 32), fromUint(P - BigInt("0x" + hex(own.slice(32))), 32));
  for (const other of [(await exampleKey("alice")).public, mirrored]) {
    await refuses(Malformed, "p256-mismatch", () => p256.fromSecret(secret, other));
  }
  await refuses(Malformed, "p256-point", () => p256.fromSecret(secret, filled(64, 1)));
  for (const none of [filled(32), filled(32, 255), fromUint(N, 32), filled(31, 1), filled(33, 1)]) {
    await refuses(LocalError, "p256-secret", () => p256.fromSecret(none, own));
  }
  const last = await keyPair(fromUint(N - 1n, 32));
  assert.equal(hex((await p256.fromSecret(fromUint(N - 1n, 32), last.public)).public), hex(last.public));
});
