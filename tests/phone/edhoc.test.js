/**
 * The EDHOC Initiator: RFC 9529 section 3, the example of docs/SPEC.md section 11.6, and Responders that cheat.
 *
 * `Peer` plays the Responder with what the module itself exports to nobody: written here once more, from RFC 9528. That
 * both sides of it are not wrong alike, test_against_python.py sees.
 */

import assert from "node:assert/strict";
import test from "node:test";

import { EMPTY, concat, equal, hex, utf8 } from "../../phone/protocol/bytes.js";
import { Tag, decode, decodeFirst, decodeSequence, encode, encodeSequence } from "../../phone/protocol/cbor.js";
import * as ccm from "../../phone/protocol/ccm.js";
import * as cwt from "../../phone/protocol/cwt.js";
import * as edhoc from "../../phone/protocol/edhoc.js";
import { LocalError, Malformed, Unsupported, Untrusted, Unverified, WrongSuite } from "../../phone/protocol/errors.js";
import * as grants from "../../phone/protocol/grant.js";
import { hkdfExpand, hkdfExtract, sha256 } from "../../phone/protocol/kdf.js";
import * as p256 from "../../phone/protocol/p256.js";
import { exampleKey, keyPair } from "./keys.js";
import { hexExample } from "./spec.js";
import { bytes, filled, refuses, vectors } from "./support.js";

const METHODS = [0, 1, 2, 3];
const TAG_LENGTHS = { 2: 8, 3: 16 };
const signsR = (method) => method % 2 === 0;
const signsI = (method) => method < 2;

function credential(publicKey, kid) {
  const key = new Map().set(1, 2).set(-1, 1).set(-2, publicKey.slice(0, 32)).set(-3, publicKey.slice(32));
  if (kid) key.set(2, kid);
  return edhoc.ccsCredential(encode(new Map([[8, new Map([[1, key]])]])));
}

/** Who uses one secret as both kinds of key, under one credential. */
async function identity(name, kid) {
  const secret = await sha256(utf8("edhoc test key: " + name));
  const [sign, login] = [await keyPair(secret), await keyPair(secret, "ECDH")];
  return { sign, login, cred: credential(sign.public, kid) };
}

const USER = await identity("user", bytes("9102030405060708"));
const DEVICE = await identity("device", bytes("05"));

function initiator(method = 2, { suites = [2], who = USER, ephemeral, knownEad, cI = bytes("0a") } = {}) {
  const own = { key: signsI(method) ? who.sign : who.login, idCredI: who.cred.idCred, credI: who.cred };
  return new edhoc.Initiator({ method, suites, ...own, cI, ephemeral, knownEad });
}

const derive = (prk, label, context, length) => hkdfExpand(prk, encodeSequence([label, context, length]), length);
const xor = (one, other) => one.map((byte, at) => byte ^ other[at]);

/** A Responder, honest unless told otherwise. */
class Peer {
  constructor(who = DEVICE, cR = bytes("0b")) {
    Object.assign(this, { who, cR });
  }

  async message2(message1, { ead = EMPTY, idCred = this.who.cred.idCred, spoilProof = 0, plaintext: forced, gY } = {}) {
    const [method, suites, gX] = decodeSequence(message1);
    const suite = Array.isArray(suites) ? suites.at(-1) : suites;
    this.length = TAG_LENGTHS[suite];
    this.method = method;
    const y = await p256.generate("ECDH");
    this.y = y;
    gY ??= y.public.slice(0, 32);
    this.gX = p256.publicFromX(gX);
    this.th = await sha256(encode(gY), encode(await sha256(message1)));
    const prk2e = await hkdfExtract(this.th, await p256.sharedSecret(y.privateKey, this.gX));
    this.prk = prk2e;
    if (!signsR(method)) {
      const shared = await p256.sharedSecret(this.who.login.privateKey, this.gX);
      this.prk = await hkdfExtract(await derive(prk2e, 1, this.th, 32), shared);
    }
    const proof = await this.proof(2, this.who.cred.data, this.who.cred.idCred, ead);
    proof[0] ^= spoilProof;
    const kid = idCred.get(4);
    const named = kid ? edhoc.encodeIdentifier(kid) : encode(idCred);
    const plaintext = forced ?? concat(edhoc.encodeIdentifier(this.cR), named, encode(proof), ead);
    const message = encode(concat(gY, xor(plaintext, await derive(prk2e, 0, this.th, plaintext.length))));
    this.th = await sha256(encode(this.th), plaintext, this.who.cred.data);
    return message;
  }

  async proof(number, cred, idCred, ead) {
    const signs = number === 2 ? signsR(this.method) : signsI(this.method);
    const rest = concat(encode(this.th), cred, ead);
    const context = concat(number === 2 ? edhoc.encodeIdentifier(this.cR) : EMPTY, encode(idCred), rest);
    const mac = await derive(this.prk, number === 2 ? 2 : 6, context, signs ? 32 : this.length);
    if (!signs) return mac;
    const structure = encode(["Signature1", encode(idCred), rest, mac]);
    return number === 2 ? p256.sign(this.who.sign.privateKey, structure) : { mac, structure };
  }

  /** Returns PLAINTEXT_3's items once message_3 is genuine. */
  async message3(message3, who = USER) {
    const aad = encode(["Encrypt0", EMPTY, this.th]);
    const [key, nonce] = [await derive(this.prk, 3, this.th, 16), await derive(this.prk, 4, this.th, 13)];
    const plaintext = await ccm.decrypt(key, nonce, decode(message3), aad, this.length);
    const items = decodeSequence(plaintext);
    if (!signsI(this.method)) {
      const shared = await p256.sharedSecret(this.y.privateKey, who.cred.public);
      this.prk = await hkdfExtract(await derive(this.prk, 5, this.th, 32), shared);
    }
    const proven = await this.proof(3, who.cred.data, who.cred.idCred, encodeSequence(items.slice(2)));
    if (signsI(this.method)) assert.ok(await p256.verify(who.cred.public, items[1], proven.structure));
    else assert.deepEqual(items[1], proven);
    this.th = await sha256(encode(this.th), plaintext, who.cred.data);
    this.out = await derive(this.prk, 7, this.th, 32);
    return items;
  }

  async message4(ead = EMPTY) {
    const [key, nonce] = [await derive(this.prk, 8, this.th, 16), await derive(this.prk, 9, this.th, 13)];
    return encode(await ccm.encrypt(key, nonce, ead, encode(["Encrypt0", EMPTY, this.th]), this.length));
  }

  async exporter(label, context, length) {
    return derive(await derive(this.out, 10, EMPTY, 32), label, context, length);
  }
}

async function toMessage2(i, peer, options) {
  const message1 = await i.message1();
  return [message1, await peer.message2(message1, options)];
}

async function handshake(i, peer, who = USER) {
  const [message1, message2] = await toMessage2(i, peer);
  const parsed = await i.parseMessage2(message2);
  await i.verifyMessage2(peer.who.cred);
  const message3 = await i.message3();
  await peer.message3(message3, who);
  return [message1, message2, message3, parsed];
}

// Published bytes

const VALUES = vectors("rfc9529_static_dh.json").values;

function rfc9529(step, name) {
  const found = VALUES.filter((value) => value.step === step && value.name.startsWith(name));
  assert.equal(found.length, 1, `${step} ${name}`);
  return bytes(found[0].hex);
}

test("RFC 9529 section 3, message by message", async () => {
  const credI = edhoc.ccsCredential(rfc9529("message_3", "CRED_I"));
  const credR = edhoc.ccsCredential(rfc9529("message_2", "CRED_R"));
  const second = "message_1 (second time)";
  const key = await keyPair(rfc9529("message_3", "Initiator's private authentication key"), "ECDH");
  const ephemeral = await keyPair(rfc9529(second, "Initiator's ephemeral private key"), "ECDH");
  const own = { key, idCredI: credI.idCred, credI };
  const i = new edhoc.Initiator({ method: 3, suites: [6, 2], ...own, cI: bytes("37"), ephemeral });
  assert.equal(hex(await i.message1()), hex(rfc9529(second, "message_1")));
  const parsed = await i.parseMessage2(rfc9529("message_2", "message_2"));
  assert.deepEqual(parsed, [bytes("27"), new Map([[4, bytes("32")]]), []]);
  await i.verifyMessage2(credR);
  assert.equal(hex(await i.message3()), hex(rfc9529("message_3", "message_3")));
  assert.deepEqual(await i.verifyMessage4(rfc9529("message_4", "message_4")), []);
  const [secret, salt] = await i.oscore();
  const step = "OSCORE Parameters";
  assert.equal(hex(secret), hex(rfc9529(step, "OSCORE Master Secret")));
  assert.equal(hex(salt), hex(rfc9529(step, "OSCORE Master Salt")));
  assert.equal(hex(i.cR), hex(rfc9529(step, "Client's OSCORE Sender ID")));
});

test("RFC 9529: suites are negotiated down from 6 to 2", async () => {
  const first = "message_1 (first time)";
  const ephemeral = await keyPair(rfc9529(first, "Initiator's ephemeral private key"), "ECDH");
  const i = initiator(3, { suites: [6], cI: bytes("0e"), ephemeral });
  assert.equal(hex(await i.message1()), hex(rfc9529(first, "message_1")));
  const [code, suitesR] = edhoc.parseError(rfc9529("error", "error (CBOR Sequence)"));
  assert.deepEqual([code, suitesR, edhoc.selectSuites([6, 2], suitesR)], [2, [2], [6, 2]]);
  await refuses(LocalError, "edhoc-suite", () => i.parseMessage2(encode(filled(70))));
});

test("a repeat visit, byte by byte: docs/SPEC.md section 11.6", async () => {
  const grant = hexExample("grant");
  const own = edhoc.cwtCredential(grant, await grants.kidOf(grant));
  const device = edhoc.cwtCredential(hexExample("device-credential"));
  const [key, ephemeral] = [await exampleKey("alice", "ECDH"), await exampleKey("x", "ECDH")];
  const options = { method: 2, suites: [2], key, idCredI: own.idCred, credI: own, cI: bytes("17"), ephemeral };
  const i = new edhoc.Initiator(options);
  assert.equal(hex(await i.message1()), hex(hexExample("message-1")));
  assert.deepEqual(await i.parseMessage2(hexExample("message-2")), [bytes("00"), device.idCred, []]);
  await i.verifyMessage2(device);
  assert.equal(hex(await i.message3()), hex(hexExample("message-3")));
  const [secret, salt] = await i.oscore();
  assert.deepEqual([hex(secret), hex(salt)], [hex(hexExample("oscore-secret")), hex(hexExample("oscore-salt"))]);
  assert.equal((await i.exporter(32768, EMPTY, 32)).length, 32);
});

// Sessions

test("every method and suite ends with the same keys on both sides", async () => {
  for (const method of METHODS) {
    for (const suites of [[2], [3], [6, 2]]) {
      const [i, peer] = [initiator(method, { suites }), new Peer()];
      await handshake(i, peer);
      const [secret, salt] = await i.oscore();
      assert.deepEqual([secret, salt], [await peer.exporter(0, EMPTY, 16), await peer.exporter(1, EMPTY, 8)]);
      assert.deepEqual(await i.exporter(7, utf8("context"), 40), await peer.exporter(7, utf8("context"), 40));
      assert.deepEqual([hex(i.cI), hex(i.cR), i.cipherSuite], ["0a", "0b", suites.at(-1)]);
      const message4 = await peer.message4(encodeSequence([9, utf8("done"), 0, filled(3)]));
      assert.deepEqual(await i.verifyMessage4(message4), [[9, utf8("done")]]);
    }
  }
});

test("bytes on the wire are as few as the design says", async () => {
  const user = await identity("user", bytes("2b"));
  const lengths = (messages) => messages.slice(0, 3).map((each) => each.length);
  assert.deepEqual(lengths(await handshake(initiator(3, { who: user }), new Peer(), user)), [37, 45, 19]);
  assert.deepEqual(lengths(await handshake(initiator(2), new Peer())), [37, 102, 28]);
});

test("a fresh ephemeral key is made for each session", async () => {
  assert.notDeepEqual(await initiator().message1(), await initiator().message1());
});

test("credentials by value travel whole", async () => {
  const [user, device] = [await identity("user"), await identity("device")];
  const [i, peer] = [initiator(2, { who: user }), new Peer(device)];
  const [, , , [, idCredR]] = await handshake(i, peer, user);
  assert.deepEqual([...idCredR.keys()], [14]);
  assert.deepEqual(encode(idCredR.get(14)), device.cred.data);
  const grant = hexExample("grant");
  const byValue = edhoc.byValue(edhoc.cwtCredential(grant).data);
  assert.deepEqual([...byValue.keys()], [13]);
  assert.deepEqual(encode(byValue.get(13)), grant);
  assert.equal(edhoc.cwtCredential(grant).idCred.get(13).number, 18);
});

test("ead travels in every message and is bound by the proofs", async () => {
  const [i, peer] = [initiator(), new Peer()];
  const message1 = await i.message1([[0, utf8("pad")], [1, utf8("one")], [7, null]]);
  assert.deepEqual(decodeSequence(message1).slice(4), [0, utf8("pad"), 1, utf8("one"), 7]);
  const ead = encodeSequence([2, 3, utf8("three"), 0, filled(30)]);
  const [, , found] = await i.parseMessage2(await peer.message2(message1, { ead }));
  assert.deepEqual(found, [[2, null], [3, utf8("three")]]);
  await i.verifyMessage2(DEVICE.cred);
  const items = await peer.message3(await i.message3([[4, EMPTY]]));
  assert.deepEqual(items.slice(2), [4, EMPTY]);
});

test("ead that is none, or critical and unknown, ends the session", async () => {
  for (const [items, kind, reason] of [
    [[utf8("no label")], Malformed, "edhoc-ead"], [[1, utf8("a"), utf8("b")], Malformed, "edhoc-ead"],
    [["label"], Malformed, "edhoc-ead"], [[-5, utf8("x")], Unsupported, "edhoc-critical-ead"],
    [[1, -5], Unsupported, "edhoc-critical-ead"],
  ]) {
    const [i, peer] = [initiator(), new Peer()];
    const [, message2] = await toMessage2(i, peer, { ead: encodeSequence(items) });
    await refuses(kind, reason, () => i.parseMessage2(message2));
    await refuses(LocalError, "edhoc-state", () => i.verifyMessage2(DEVICE.cred));
  }
  const i = initiator(2, { knownEad: [5] });
  const [, message2] = await toMessage2(i, new Peer(), { ead: encodeSequence([-5, utf8("x")]) });
  assert.deepEqual((await i.parseMessage2(message2))[2], [[-5, utf8("x")]]);
  const [done, peer] = [initiator(), new Peer()];
  await handshake(done, peer);
  await refuses(Unsupported, "edhoc-critical-ead", async () => done.verifyMessage4(await peer.message4(encode(-5))));
});

// Responders that cheat

test("a responder must prove the credential that we chose", async () => {
  const impostor = { ...(await identity("impostor")), cred: (await identity("impostor", bytes("05"))).cred };
  for (const method of METHODS) {
    const reason = signsR(method) ? "edhoc-signature-2" : "edhoc-mac-2";
    const i = initiator(method);
    const [, message2] = await toMessage2(i, new Peer(impostor));
    const [, idCredR] = await i.parseMessage2(message2);
    assert.deepEqual(idCredR, DEVICE.cred.idCred); // it may say so
    await refuses(Unverified, reason, () => i.verifyMessage2(DEVICE.cred));
    await refuses(LocalError, "edhoc-state", () => i.message3());
    const honest = initiator(method);
    const [, spoilt] = await toMessage2(honest, new Peer(), { spoilProof: 1 });
    await honest.parseMessage2(spoilt);
    await refuses(Unverified, reason, () => honest.verifyMessage2(DEVICE.cred));
  }
});

test("nobody may be their own peer", async () => {
  for (const method of METHODS) {
    const i = initiator(method, { who: DEVICE });
    const [, message2] = await toMessage2(i, new Peer());
    await i.parseMessage2(message2);
    await refuses(Untrusted, "edhoc-reflected", () => i.verifyMessage2(DEVICE.cred));
  }
});

test("message_2 is one byte string longer than a key, with a point in it", async () => {
  for (const [data, reason] of [
    [EMPTY, "edhoc-message-2"], [encode(filled(32, 1)), "edhoc-message-2"], [encode("x".repeat(70)), "edhoc-message-2"],
    [concat(encode(filled(70, 1)), encode(1)), "edhoc-message-2"], [filled(1, 0x58), "cbor-truncated"],
    [encode(concat(filled(32, 255), filled(68))), "p256-point"],
    [encode(concat(filled(31), [1], filled(68))), "p256-point"],
  ]) {
    const i = initiator();
    await i.message1();
    await refuses(Malformed, reason, () => i.parseMessage2(data));
  }
  const i = initiator();
  const message1 = await i.message1();
  await refuses(Malformed, "edhoc-message-2", () => i.parseMessage2(message1)); // reflected
});

test("a plaintext has an identity and a proof of the right length", async () => {
  const [cR, kid, proof] = [bytes("0b"), bytes("05"), encode(filled(64))];
  const withCwt = (value) => encode(new Map([[13, value]]));
  for (const [plaintext, reason, kind = Malformed] of [
    [cR, "edhoc-plaintext"], [concat(cR, kid), "edhoc-plaintext"],
    [concat(cR, kid, encode(filled(63))), "edhoc-plaintext"],
    [concat(cR, kid, encode(5)), "edhoc-plaintext"], [concat(bytes("4105"), kid, proof), "edhoc-connection-id"],
    [concat(encode(filled(8)), kid, proof), "edhoc-connection-id"],
    [concat(encode(24), kid, proof), "edhoc-connection-id"], [concat(encode("a"), kid, proof), "edhoc-connection-id"],
    [concat(bytes("0a"), kid, proof), "edhoc-connection-id"], // ours
    [concat(cR, bytes("4105"), proof), "edhoc-id-cred"], [concat(cR, encode("kid"), proof), "edhoc-id-cred"],
    [concat(cR, encode(new Map([[4, kid]])), proof), "edhoc-id-cred"],
    [concat(cR, encode(new Map([[33, kid]])), proof), "edhoc-id-cred", Unsupported],
    [concat(cR, encode(new Map()), proof), "edhoc-id-cred", Unsupported],
    [concat(cR, encode(new Map([[4, kid], [14, new Map()]])), proof), "edhoc-id-cred", Unsupported],
    [concat(cR, withCwt(filled(3)), proof), "edhoc-id-cred", Unsupported],
    [concat(cR, withCwt(new Tag(17, [])), proof), "edhoc-id-cred", Unsupported],
    [concat(cR, encode(new Map([[14, []]])), proof), "edhoc-id-cred", Unsupported],
    [concat(cR, bytes("1817"), proof), "cbor-not-shortest"],
  ]) {
    const [i, peer] = [initiator(), new Peer()];
    const [, message2] = await toMessage2(i, peer, { plaintext });
    await refuses(kind, reason, () => i.parseMessage2(message2));
  }
});

test("message_2 of another session, or changed anywhere, proves nothing", async () => {
  const [first, peer] = [initiator(), new Peer()];
  const [, message2] = await toMessage2(first, peer);
  const isRefused = async (data) => {
    const i = initiator();
    await i.message1();
    try {
      await i.parseMessage2(data);
      await i.verifyMessage2(DEVICE.cred);
    } catch (error) {
      return [Malformed, Unsupported, Unverified].includes(error.constructor);
    }
    return false;
  };
  assert.ok(await isRefused(message2));
  const ephemeral = await p256.generate("ECDH");
  const bits = [];
  for (let at = 2; at < message2.length; at += 7) {
    const i = initiator(2, { ephemeral });
    const changed = await new Peer().message2(await i.message1());
    changed[at] ^= 1 << at % 8;
    const parsing = i.parseMessage2(changed).then(() => i.verifyMessage2(DEVICE.cred));
    bits.push(await parsing.then(() => "taken", (error) => error.reason));
  }
  assert.ok(!bits.includes("taken") && bits.length > 10, bits.join());
});

test("a manipulated suite list is found out", async () => {
  const [i, peer] = [initiator(2, { suites: [3, 2] }), new Peer()];
  const message1 = await i.message1();
  const message2 = await peer.message2(concat(message1.slice(0, 1), [2], message1.slice(4)));
  const done = i.parseMessage2(message2).then(() => i.verifyMessage2(DEVICE.cred));
  await assert.rejects(done, (error) => [Malformed, Unsupported, Unverified].includes(error.constructor));
});

// Order

test("steps out of turn end the session", async () => {
  const steps = (i, message2) => ({
    message1: () => i.message1(),
    parse: () => i.parseMessage2(message2),
    verify: () => i.verifyMessage2(DEVICE.cred),
    message3: () => i.message3(),
    exporter: () => i.exporter(0, EMPTY, 16),
    message4: () => i.verifyMessage4(filled(9)),
  });
  const order = ["message1", "parse", "verify", "message3"];
  for (let reached = 0; reached <= 4; reached++) {
    for (const wrong of [...order, "exporter", "message4"]) {
      if (wrong === order[reached] || (reached === 4 && ["exporter", "message4"].includes(wrong))) continue;
      const [i, peer] = [initiator(), new Peer()];
      const [, message2] = reached ? await toMessage2(i, peer) : [];
      for (const step of order.slice(1, reached)) await steps(i, message2)[step]();
      await refuses(LocalError, "edhoc-state", steps(i, message2)[wrong]);
      for (const each of [...order, "exporter"]) await refuses(LocalError, "edhoc-state", steps(i, message2)[each]);
    }
  }
});

test("a step that is not finished cannot be overtaken, nor survive the end", async () => {
  const [i, peer] = [initiator(), new Peer()];
  const [, message2] = await toMessage2(i, peer);
  const both = await Promise.allSettled([i.parseMessage2(message2), i.parseMessage2(message2)]);
  assert.deepEqual(both.map(({ reason }) => reason?.reason), ["edhoc-state", "edhoc-state"]);
  const [other, its] = [initiator(), new Peer()];
  const [, its2] = await toMessage2(other, its);
  await other.parseMessage2(its2);
  const verifying = other.verifyMessage2(DEVICE.cred);
  other.erase();
  await refuses(LocalError, "edhoc-state", () => verifying);
  await refuses(LocalError, "edhoc-state", () => other.message3());
});

test("no key can be read out of a session", async () => {
  const [i, peer] = [initiator(), new Peer()];
  await handshake(i, peer);
  assert.deepEqual(Object.keys(i).sort(), ["cI", "cR", "cipherSuite", "method"]);
  assert.ok(!JSON.stringify(i).includes("prk"));
});

test("the caller cannot ask for nonsense", () => {
  refuses(LocalError, "edhoc-method", () => initiator(4));
  refuses(LocalError, "edhoc-connection-id", () => initiator(2, { cI: filled(8) }));
});

// Errors and prefixes

test("suites are never dropped or reordered", () => {
  assert.deepEqual(edhoc.selectSuites([2, 3], [3]), [2, 3]);
  assert.deepEqual(edhoc.selectSuites([2, 3], [3, 2]), [2]);
  assert.deepEqual(edhoc.selectSuites([5, 6, 3, 2], [9, 2]), [5, 6, 3, 2]);
  for (const suitesR of [[], [6], [24, 25]]) {
    refuses(WrongSuite, "edhoc-suite", () => edhoc.selectSuites([6, 2, 3], suitesR));
  }
});

test("error messages, and what is none", () => {
  assert.deepEqual(edhoc.parseError(hexExample("edhoc-error")), [3, true]);
  assert.deepEqual(edhoc.parseError(encodeSequence([1, "no"])), [1, "no"]);
  assert.deepEqual(edhoc.parseError(encodeSequence([2, 3])), [2, [3]]);
  assert.deepEqual(edhoc.parseError(encodeSequence([2, [2, 3]])), [2, [2, 3]]);
  assert.deepEqual(edhoc.parseError(encodeSequence([23, null])), [23, null]);
  const none = [[], [1], [1, "a", 2], ["1", "a"], [1, 5], [2, [2]], [2, "2"], [2, [2, "3"]], [3, false], [3, 1]];
  for (const items of none) {
    assert.equal(edhoc.parseError(encodeSequence(items)), null, JSON.stringify(items));
  }
  assert.equal(edhoc.parseError(filled(1, 0x58)), null);
});

test("what stands before a message in a CoAP request", () => {
  assert.equal(hex(edhoc.encodePrefixed(null, bytes("0102"))), "f50102");
  assert.equal(hex(edhoc.encodePrefixed(bytes("0b"), bytes("0102"))), "0b0102");
  assert.equal(hex(edhoc.encodePrefixed(bytes("ff"), bytes("0102"))), "41ff0102");
  assert.equal(hex(edhoc.encodePrefixed(EMPTY, bytes("0102"))), "400102");
});

test("every one-byte identifier has one encoding", () => {
  const seen = new Set();
  for (let byte = 0; byte < 256; byte++) {
    const encoded = edhoc.encodeIdentifier(Uint8Array.of(byte));
    assert.equal(encoded.length, byte < 0x38 && byte % 32 < 24 ? 1 : 2);
    assert.equal(decodeFirst(encoded)[1], encoded.length);
    seen.add(hex(encoded));
  }
  assert.equal(seen.size, 256);
  assert.ok(equal(cwt.encodeCcs(USER.cred.public), cwt.encodeCcs(USER.login.public)));
});
