/** Visits by people with a grant, or with none that counts; and devices that are not the one that was meant. */

import assert from "node:assert/strict";

import { hex } from "../../phone/protocol/bytes.js";
import { parseNotice } from "../../phone/protocol/papers.js";
import { OPEN, about, granted, newWallet, play, refused, until, visit, walletWith, world } from "./visit_support.mjs";

/** A wallet that has been there, and its transport. */
async function known(rules, more) {
  const wallet = await walletWith(rules, more);
  const kiosk = await visit(wallet);
  await kiosk.routines();
  await kiosk.close();
  return wallet;
}

/** Fails if anything that names the wallet's owner has left by a transport. */
async function keptQuiet(wallet, { values }) {
  const [site] = await wallet.sites();
  const said = values.filter(([way]) => way === "sent").map(([, value]) => hex(value)).join();
  const grants = await wallet.grants();
  const own = [...site.publics, ...grants.map(({ grant }) => grant.kid), new TextEncoder().encode(site.person)];
  for (const each of own) assert(!said.includes(hex(each.slice(0, 32))));
}

/** A visit that ends in this error while the kiosk is being proven, with nothing of the user having left. */
async function unmasked(reason, wallet, how) {
  const transport = {};
  const fault = (way, _, value) => void remember(transport, way, value);
  const error = await refused(reason, visit(wallet, { ...how, fault }));
  assert.equal(error.stage, "proving");
  await keptQuiet(wallet, { values: transport.values ?? [] });
  return transport.values ?? [];
}

function remember(transport, way, value) {
  (transport.values ??= []).push([way, value]);
}

await play({
  async "first visit"() {
    const wallet = await walletWith();
    const stages = [];
    const kiosk = await visit(wallet, { onStage: (stage) => stages.push(stage) });
    assert.deepEqual(stages, ["finding", "connecting", "proving", "ready"]);
    assert.deepEqual([kiosk.deviceId, kiosk.isNew, kiosk.hasGrant, kiosk.remembered], ["kiosk-1", true, true, null]);
    assert.equal(kiosk.site.name, "Test site");
    await keptQuiet(wallet, kiosk.transport);
    assert.equal((await kiosk.login()).subject, "Alice");
    const { properties } = (await kiosk.routines()).get("open");
    assert.deepEqual(properties.get("seconds"), { type: "integer", minimum: 1, maximum: 30, default: 5 });
    const { state, result } = await kiosk.invoke("open", { seconds: 2 });
    assert.deepEqual([state, result], ["done", 2]);
    await kiosk.logout();
    await kiosk.close();
  },

  async "a repeat visit takes four flights, and two more for each of login and list"() {
    const wallet = await known();
    const kiosk = await visit(wallet);
    assert.deepEqual([kiosk.isNew, [...kiosk.remembered.keys()]], [false, ["open"]]);
    assert.equal(kiosk.flights, 2);
    assert.equal((await kiosk.invoke("open", { seconds: 1 })).state, "done");
    assert.equal(kiosk.flights, 4);
    await kiosk.login();
    assert.equal(kiosk.flights, 6);
    await kiosk.routines();
    assert.equal(kiosk.flights, 8);
  },

  async "the kiosk is found again by the name in the chooser alone"() {
    const wallet = await known();
    const kiosk = await visit(wallet, { wanted: {} });
    assert.deepEqual([kiosk.deviceId, kiosk.isNew, kiosk.flights], ["kiosk-1", false, 2]);
    await refused("device-other", visit(await walletWith(), { wanted: {}, name: "kiosk-9" }), "proving");
    await refused("device-other", visit(await walletWith(), { wanted: {}, name: "" }), "proving");
  },

  async "a name that is cut short on the air is taken for the whole one"() {
    const wallet = await walletWith();
    const port = await world("stranger", "other-key", "reception-at-the-very-end-of-the-hall");
    assert.equal((await visit(wallet, { wanted: {}, port, name: "reception-at-the-very-end-of-" })).hasGrant, false);
    await refused("device-other", visit(wallet, { wanted: {}, port, name: "recep" }), "proving");
  },

  async "without a grant one is told what is missing"() {
    const wallet = await newWallet();
    const kiosk = await visit(wallet);
    assert.deepEqual([kiosk.hasGrant, kiosk.site.name], [false, "Test site"]);
    const error = await refused("grant-needed", kiosk.routines());
    assert.deepEqual([error.kind, kiosk.why(error).help], ["Denied", "grant"]);
  },

  async "denied by the rules, with the rule that stood in the way"() {
    const kiosk = await visit(await walletWith([["/r/open", 3, { 3: { seconds: [1, 3] } }]]));
    const why = kiosk.why(await refused("rule-argument", kiosk.invoke("open", { seconds: 9 })));
    assert.deepEqual([why.detail, why.rule.pattern, why.stage], ["seconds 1 to 3", "/r/open", "ready"]);
    assert.equal(kiosk.why(await refused("rule-none", kiosk.invoke("light"))).help, "grant");
    assert.equal((await kiosk.invoke("open", { seconds: 3 })).result, 3);
  },

  async "a revoked grant looks so, and so does one that was given back"() {
    const wallet = await known();
    const [{ grant }] = await wallet.grants();
    await world("policy", { revoked: [hex(grant.id)] });
    const kiosk = await visit(wallet);
    assert.equal(kiosk.why(await refused("grant-revoked", kiosk.invoke("open"))).help, "grant");
    assert.equal((await wallet.grants())[0].state, "revoked");
    await refused("enrol-known", kiosk.askToPair());
    assert.equal((await wallet.grants())[0].state, "revoked");
    await world("policy", {});
    await kiosk.invoke("open");
    assert.equal((await wallet.grants())[0].state, "valid");
  },

  async "an expired grant looks so, and the kiosk says so"() {
    const wallet = await walletWith(OPEN, { expires: -60 });
    assert.equal((await wallet.grants())[0].state, "expired");
    const kiosk = await visit(wallet);
    await refused("grant-expired", kiosk.routines());
    const early = await walletWith(OPEN, { not_before: 3600 });
    assert.equal((await early.grants())[0].state, "not-yet");
    await refused("grant-not-yet-valid", (await visit(early)).routines());
  },

  async "a clock that is wrong by a year stops nobody: the kiosk's counts"() {
    const wallet = await walletWith(OPEN, { expires: 3600, not_before: -3600 });
    const { now } = Date;
    for (const [years, state] of [[1, "expired"], [-1, "not-yet"]]) {
      Date.now = () => now() + years * 365 * 86400 * 1000;
      assert.equal((await wallet.grants())[0].state, state);
      assert.equal((await (await visit(wallet)).invoke("open", { seconds: 1 })).state, "done");
    }
    Date.now = now;
  },

  async "of two grants that which allows it counts, whichever is newer"() {
    const wallet = await walletWith([["/r/light", 3, {}]]);
    await granted(wallet, OPEN);
    const kiosk = await visit(wallet);
    assert.deepEqual([...(await kiosk.routines()).keys()].sort(), ["light", "open"]);
    await kiosk.close();
    assert.equal((await (await visit(wallet)).invoke("light")).state, "done");
  },

  async "impostor: the kiosk's own credential without its key"() {
    const port = await world("stranger", "impostor");
    await unmasked("edhoc-signature-2", await walletWith(), { port });
    await unmasked("edhoc-signature-2", await known(), { port });
    await unmasked("edhoc-signature-2", await newWallet(), { port });
  },

  async "impostor: another kiosk of the site under the chosen one's name"() {
    const port = await world("stranger", "other-key", "kiosk-2");
    const wallets = [await walletWith(), await known(), await newWallet()];
    for (const wallet of wallets) await unmasked("device-other", wallet, { port });
    await unmasked("device-other", await known(), { port, wanted: {} });
  },

  async "another key than the label's is refused, and an older one than the known"() {
    const older = await world("stranger", "other-key", "kiosk-1", { age_s: 3600 });
    await unmasked("device-other", await walletWith(), { port: older });
    const wanted = { siteId: about.siteId, deviceId: "kiosk-1" };
    await unmasked("device-other", await known(), { port: older, wanted });
  },

  async "a kiosk with a newer credential has taken the known one's place"() {
    const newer = await world("stranger", "other-key", "kiosk-1", { age_s: -60 });
    const wallet = await known();
    const kiosk = await visit(wallet, { port: newer, wanted: { siteId: about.siteId, deviceId: "kiosk-1" } });
    assert.equal(kiosk.isNew, false);
    const device = await wallet.device(about.siteId, "kiosk-1");
    assert.deepEqual([device.routines, device.head], [null, null]);
    await unmasked("device-other", wallet, { wanted: { siteId: about.siteId, deviceId: "kiosk-1" } });
  },

  async "a kiosk of another site"() {
    const port = await world("stranger", "other-site");
    for (const wallet of [await walletWith(), await known(), await newWallet()]) {
      await unmasked("credential-other-site", wallet, { port });
    }
    await unmasked("credential-other-site", await walletWith(), { port, wanted: {} });
    await unmasked("wallet-no-site", await newWallet(), { port, wanted: {} });
  },

  async "a site is believed by its label, never by radio alone"() {
    await unmasked("wallet-no-site", await newWallet(), { wanted: {} });
    await unmasked("anchor-other-site", await newWallet(), { port: await world("stranger", "other-anchor") });
  },

  async "what belongs to no site is not proven"() {
    await unmasked("device-unproven", await walletWith(), { port: await world("stranger", "factory") });
  },

  async "a struck-off kiosk is asked who it is, and refused"() {
    const wallet = await known();
    const kiosk = await visit(wallet);
    await world("policy", { notice: [1, [await world("fingerprint")]] });
    await kiosk.routines();
    await refused("device-struck-off", kiosk.keepWitness());
    await kiosk.close();
    assert.ok((await unmasked("device-struck-off", wallet, {})).length > 0);
    const rotated = await world("stranger", "other-key", "kiosk-1", { age_s: -60 });
    const wanted = { siteId: about.siteId, deviceId: "kiosk-1" };
    assert.equal((await visit(wallet, { port: rotated, wanted })).deviceId, "kiosk-1"); // its old key is struck off
    await world("policy", { notice: [2, []] });
    const other = await walletWith();
    const visitor = await visit(other);
    await visitor.routines();
    await visitor.keepWitness();
    assert.equal(parseNotice(await other.notice(about.siteId)).number, 2);
  },

  async "a witness keeps the newest head, and sees a journal that was cut"() {
    const wallet = await known();
    const kiosk = await visit(wallet);
    await kiosk.invoke("open");
    await kiosk.keepWitness();
    const [{ deviceId, signed }] = await wallet.heads(about.siteId);
    assert.equal(deviceId, "kiosk-1");
    await kiosk.invoke("open");
    await kiosk.keepWitness();
    assert.notDeepEqual((await wallet.heads(about.siteId))[0].signed, signed);
    await refused("journal-rolled-back", wallet.keepHead(about.siteId, "kiosk-1", signed));
    signed[signed.length - 1] ^= 1;
    await refused("cose-signature", wallet.keepHead(about.siteId, "kiosk-1", signed));
  },

  async "what a routine moves is watched"() {
    const kiosk = await visit(await walletWith());
    const seen = [];
    const watching = (async () => {
      for await (const { outputs } of kiosk.watch("open")) {
        seen.push(outputs.get("door").value);
        if (seen.length === 2) break;
      }
    })();
    await until(() => seen.length === 1);
    await kiosk.invoke("open", { seconds: 1 });
    await watching;
    assert.equal(seen[1], "open");
  },
});
