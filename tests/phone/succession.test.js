/** Successions: the vectors of tests/vectors/succession.json, as the firmware reads them; and what takes whose place. */

import assert from "node:assert/strict";
import test from "node:test";

import * as anchor from "../../phone/protocol/anchor.js";
import { equal, hex, unhex } from "../../phone/protocol/bytes.js";
import { DEVICE_CREDENTIAL } from "../../phone/protocol/cose.js";
import * as credential from "../../phone/protocol/credential.js";
import { Malformed, Untrusted, Unverified } from "../../phone/protocol/errors.js";
import * as grant from "../../phone/protocol/grant.js";
import * as papers from "../../phone/protocol/papers.js";
import * as succession from "../../phone/protocol/succession.js";
import { refuses, vectors } from "./support.js";

const told = vectors("succession.json");
const read = (digits) => anchor.decode(unhex(digits));
const [NONE, ONE, TWO] = await Promise.all(told.good.map((each) => read(each.anchor)));
const FORK = await read(told.fork);

test("a chain leads to the present keys, and has one encoding", async () => {
  for (const each of told.good) {
    const found = await read(each.anchor);
    await succession.verify(found);
    const { siteId, signPublic, ecdhPublic, previous, ends } = found;
    assert.deepEqual([siteId, signPublic, ecdhPublic].map(hex), [each.site_id, each.sign_public, each.ecdh_public], each.what);
    assert.deepEqual([previous && hex(previous), ends], [each.previous?.sign_public, each.previous?.ends], each.what);
    assert.equal(hex(anchor.encode(found)), each.anchor);
  }
});

test("what is no chain is refused as it is read", async () => {
  for (const { what, anchor: data, reason } of told.malformed) {
    await refuses(Malformed, reason, () => read(data).catch((error) => Promise.reject(Object.assign(error, { stack: `${what} ${error.stack}` }))));
  }
});

test("a chain that the keys have not signed leads nowhere", async () => {
  for (const { anchor: data, reason } of told.unverified) {
    const found = await read(data);
    const kind = reason === "cose-signature" ? Unverified : Untrusted;
    await refuses(kind, reason, () => succession.verify(found));
    await refuses(kind, reason, () => succession.further(NONE, found));
  }
});

test("each bit of a succession counts", async () => {
  const [before, data] = [told.good[1].anchor.slice(0, -2 * unhex(told.successions[0]).length), unhex(told.successions[0])];
  for (let at = 0; at < data.length; at += 7) {
    const changed = data.slice();
    changed[at] ^= 1 << at % 8;
    await assert.rejects(async () => succession.verify(await read(before + hex(changed))), `${at}`);
  }
});

test("what begins with the held chain and goes on takes its place; a fork, a shorter one, the same never", async () => {
  const named = { ...NONE, name: "as I know it" };
  assert.deepEqual([(await succession.further(named, TWO)).signPublic, (await succession.further(named, TWO)).name], [TWO.signPublic, named.name]);
  assert.deepEqual((await succession.further(ONE, TWO)).previous, ONE.signPublic);
  for (const [known, heard] of [[NONE, NONE], [ONE, NONE], [ONE, ONE], [TWO, ONE], [TWO, TWO]]) {
    assert.equal(await succession.further(known, heard), null);
  }
  for (const [known, heard] of [[ONE, FORK], [TWO, FORK], [FORK, ONE], [FORK, TWO]]) {
    await refuses(Untrusted, "succession-fork", () => succession.further(known, heard));
  }
  await refuses(Untrusted, "anchor-other-site", () => succession.further(NONE, { ...ONE, siteId: new Uint8Array(16) }));
});

test("the key before counts until the overlap is over, for credentials and grants, and no notice of it", async () => {
  const [first, second, third] = told.credentials.map((each) => credential.parse(unhex(each)));
  const grants = await Promise.all(told.grants.map((each) => grant.parse(unhex(each))));
  const of = (found) => grant.verifyIssuer.bind(null, found);
  for (const [known, time, counts] of [
    [NONE, 0, [1, 0, 0]], [ONE, ONE.ends - 1, [1, 1, 0]], [ONE, ONE.ends, [0, 1, 0]], [TWO, TWO.ends - 1, [0, 1, 1]], [TWO, TWO.ends, [0, 0, 1]],
  ]) {
    const now = anchor.at(known, time);
    const works = (work) => work.then(() => 1, (error) => (assert.equal(error.reason, "cose-signature"), 0));
    assert.deepEqual(await Promise.all([first, second, third].map((each) => works(credential.verify(each, now)))), counts);
    assert.deepEqual(await Promise.all(grants.map((each) => works(of(each)(now.signPublic, now.siteId, now.previous)))), counts);
    const notices = told.notices.map((each) => works(papers.verifyNotice(papers.parseNotice(unhex(each)), now)));
    assert.deepEqual(await Promise.all(notices), [NONE, ONE, TWO].map((each) => Number(equal(each.signPublic, known.signPublic))));
  }
  assert.equal(await succession.wasOfAuthority(TWO, first.sign1, DEVICE_CREDENTIAL), true);
  assert.equal(await succession.wasOfAuthority(FORK, third.sign1, DEVICE_CREDENTIAL), false);
});
