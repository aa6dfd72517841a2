/** The wallet: sites, keys, grants, tabs. */

import assert from "node:assert/strict";

import * as anchors from "../../phone/protocol/anchor.js";
import { hex, unbase64url, unhex, webcrypto } from "../../phone/protocol/bytes.js";
import * as grants from "../../phone/protocol/grant.js";
import { keyLink, parseLink } from "../../phone/protocol/label.js";
import { Wallet } from "../../phone/store/wallet.js";
import { vectors } from "./support.js";
import { MemoryDatabase, OPEN, about, granted, newWallet, play, refused, walletWith, world } from "./visit_support.mjs";

const told = vectors("succession.json");
const [NONE, ONE, TWO] = await Promise.all(told.good.map((each) => anchors.decode(unhex(each.anchor))));
const SIGNED = await Promise.all(told.grants.map((each) => grants.parse(unhex(each))));

/** A wallet of the vectors' site, as if they were for its key, with the card that the first key signed; that card:
 * when it ends, its state then, which key has signed it. */
async function succeeding() {
  const wallet = new Wallet(new MemoryDatabase());
  const { id } = await wallet.newSite({ name: "Alice", anchor: NONE });
  const publics = [SIGNED[0].key, SIGNED[0].sigKey];
  await wallet.database.transact(["sites"], async (change) => change.put("sites", id, { ...(await change.get("sites", id)), publics }));
  await wallet.addGrants(id, [SIGNED[0]]);
  const card = async (time) => {
    Date.now = () => time * 1000;
    const [{ grant, state, ends }] = await wallet.grants(id);
    return [ends, state, SIGNED.findIndex((each) => hex(each.kid) === hex(grant.kid))];
  };
  return { wallet, id, card };
}

await play({
  async "cards of the authority's key before end with the overlap, and what was signed anew takes their place then"() {
    const { wallet, id, card } = await succeeding();
    const [before, after] = [ONE.ends - 1, ONE.ends];
    assert.deepEqual(await card(before), [undefined, "valid", 0]);
    await wallet.follow(id, ONE);
    assert.deepEqual(await card(before), [ONE.ends, "valid", 0]);
    for (const other of [SIGNED[0], SIGNED[2]]) await refused("cose-signature", wallet.renewGrants(id, [other]));
    await wallet.renewGrants(id, [SIGNED[1]]);
    assert.deepEqual(await card(before), [undefined, "valid", 0]); // it counts also where nobody has heard of other keys
    assert.equal((await card(after))[2], 1);
    await wallet.follow(id, TWO);
    assert.deepEqual(await card(before), [TWO.ends, "valid", 1]);
  },

  async "a card of the key before the last one is over, until it was signed anew"() {
    const { wallet, id, card } = await succeeding();
    await wallet.follow(id, TWO);
    assert.deepEqual(await card(ONE.ends - 1), [0, "expired", 0]);
    await refused("cose-signature", wallet.renewGrants(id, [SIGNED[1]]));
    await wallet.renewGrants(id, [SIGNED[2]]);
    assert.deepEqual(await card(ONE.ends - 1), [undefined, "valid", 2]);
  },

  async "a wallet follows no fork, goes never back, and no other site's keys"() {
    const { wallet, id } = await succeeding();
    const fork = await anchors.decode(unhex(told.fork));
    const held = async () => hex(anchors.encode((await wallet.site(id)).anchor));
    for (const { anchor, reason } of told.unverified) await refused(reason, wallet.follow(id, await anchors.decode(unhex(anchor))));
    await refused("anchor-other-site", wallet.follow(id, { ...TWO, siteId: new Uint8Array(16) }));
    assert.equal(await held(), told.good[0].anchor);
    await wallet.follow(id, ONE);
    await refused("succession-fork", wallet.follow(id, fork));
    for (const same of [NONE, ONE]) await wallet.follow(id, same);
    assert.equal(await held(), told.good[1].anchor);
    await Promise.all([wallet.follow(id, TWO), wallet.follow(id, TWO)]); // two visits at once
    assert.equal(await held(), told.good[2].anchor);
  },

  async "keys cannot be exported"() {
    const [{ keys }] = await (await newWallet()).sites();
    for (const { privateKey } of Object.values(keys)) {
      assert.equal(privateKey.extractable, false);
      for (const format of ["pkcs8", "jwk"]) await assert.rejects(webcrypto.subtle.exportKey(format, privateKey));
    }
  },

  async "a wallet takes the first site that it meets, with the keys that it has"() {
    const wallet = await newWallet();
    const [before] = await wallet.sites();
    assert.deepEqual([before.id, before.name, before.anchor], ["new", "", null]);
    await granted(wallet);
    const [after, ...others] = await wallet.sites();
    assert.deepEqual([after.id, after.name, others], [about.siteId, "Test site", []]);
    assert.deepEqual(after.publics, before.publics);
    assert.deepEqual(Object.keys(JSON.parse(wallet.database.trace)), [about.siteId]);
  },

  async "two tabs that begin the same site end with one pair, and the other tab hears of it"() {
    const database = new MemoryDatabase();
    const [one, other] = [new Wallet(database), new Wallet(database.otherTab())];
    let heard = 0;
    one.onchange = other.onchange = () => (heard += 1);
    const [first, second] = await Promise.all([one.newSite({ name: "Alice" }), other.newSite({ name: "Alice" })]);
    assert.deepEqual(first.publics, second.publics);
    assert.deepEqual([first.keys.login.public, first.keys.sign.public], first.publics);
    assert.equal(heard, 1);
  },

  async "another site has other keys"() {
    const wallet = await walletWith();
    const { anchor } = await wallet.site(about.siteId);
    await wallet.newSite({ name: "Alice", anchor: { ...anchor, siteId: new Uint8Array(16).fill(7), name: "Other" } });
    const [one, other] = await wallet.sites();
    assert.notDeepEqual(one.publics, other.publics);
    assert.notEqual(one.fingerprint, other.fingerprint);
  },

  async "a lost key is shown by its fingerprint, and a new one is the way back"() {
    const wallet = await walletWith();
    const [{ fingerprint }] = await wallet.sites();
    assert.deepEqual(await wallet.lostKeys(), []);
    wallet.database.stores.get("keys").clear();
    assert.deepEqual(await wallet.sites(), []);
    const lost = { id: about.siteId, name: "Test site", person: "Alice", fingerprint };
    assert.deepEqual(await wallet.lostKeys(), [lost]);
    assert.equal((await refused("wallet-key-lost", wallet.site(about.siteId))).detail, fingerprint);
    const renewed = await wallet.renew(about.siteId);
    assert.notEqual(renewed.fingerprint, fingerprint);
    assert.deepEqual([renewed.name, await wallet.grants(), await wallet.lostKeys()], ["Test site", [], []]);
  },

  async "a key that the browser returns broken is lost"() {
    const wallet = await walletWith();
    wallet.database.stores.get("keys").set(about.siteId, { login: {}, sign: {} });
    assert.equal((await wallet.lostKeys()).length, 1);
  },

  async "storage that was cleared leaves a trace of the key"() {
    const wallet = await walletWith();
    const [{ fingerprint }] = await wallet.sites();
    for (const store of wallet.database.stores.values()) store.clear();
    const [lost] = await wallet.lostKeys();
    assert.deepEqual([lost.name, lost.fingerprint], ["Test site", fingerprint]);
    assert.deepEqual([(await wallet.renew(about.siteId)).id, await wallet.lostKeys()], ["new", []]);
  },

  async "only a grant for one's own key is kept, from one's own site, and whole"() {
    const wallet = await walletWith();
    const other = await newWallet("Bob");
    const [{ publics }] = await other.sites();
    const link = await parseLink(await world("grant", keyLink(...publics, "Bob"), OPEN));
    await refused("wallet-other-key", wallet.accept(link));
    const forged = structuredClone(link);
    forged.grants[0].data[forged.grants[0].data.length - 1] ^= 1;
    await refused("cose-signature", other.accept(forged));
    const elsewhere = { ...link.grants[0], siteId: new Uint8Array(16) };
    await refused("grant-other-site", wallet.accept({ ...link, grants: [elsewhere] }));
    assert.deepEqual([(await wallet.grants()).length, (await other.sites())[0].id], [1, "new"]);
    await refused("wallet-no-site", wallet.accept({ ...link, anchor: { ...link.anchor, siteId: new Uint8Array(16) } }));
  },

  async "a grant is dropped, and a site with all that is in it"() {
    const wallet = await walletWith();
    const [{ grant }] = await wallet.grants(about.siteId);
    await wallet.dropGrant(about.siteId, grant.id);
    assert.deepEqual(await wallet.grants(), []);
    await wallet.removeSite(about.siteId);
    assert.deepEqual([await wallet.sites(), await wallet.lostKeys()], [[], []]);
    for (const store of wallet.database.stores.values()) assert.equal(store.size, 0);
  },

  async "one shares no more than one has"() {
    const wallet = await walletWith([["/r/open", 3, { 3: { seconds: [1, 5] } }]], { delegate: 1 });
    const bob = await newWallet("Bob");
    const [{ publics }] = await bob.sites();
    const to = { name: "Bob", login: publics[0], sign: publics[1] };
    const rules = [{ pattern: "/r/*", methods: 3, conditions: new Map() }];
    await refused("share-wider", wallet.share(about.siteId, { ...to, rules }));
    await refused("share-wider", wallet.share(about.siteId, { ...to, audience: ["kiosk-*"] }));
    const { link } = await wallet.share(about.siteId, to);
    assert.equal((await bob.accept(await parseLink(link))).chain[0].subject, "Alice");
    await refused("share-none", bob.share(about.siteId, { ...to, name: "Carol" }));
    assert(unbase64url(link.split("#")[1]).length < 2000);
  },
});
