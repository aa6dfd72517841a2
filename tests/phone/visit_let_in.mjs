/** Being let in: invites, pairing, what was shared; and what a rule may ask for: presence, others' consent. */

import assert from "node:assert/strict";

import { parseLink } from "../../phone/protocol/label.js";
import { wantedBy } from "../../phone/visit/kiosk.js";
import { OPEN, about, newWallet, play, refused, visit, walletWith, world } from "./visit_support.mjs";

const POST = 2;
const MAY_PAIR = [["/r/open", 3, {}], ["/enrol", 3, {}]];

/** A visit for an invite. */
async function invited(wallet, link, how = {}) {
  const invite = await parseLink(link);
  return [await visit(wallet, { wanted: wantedBy(invite), ...how }), invite];
}

/** A wallet with a grant that was passed on from Alice's. */
async function shared() {
  const [alice, bob] = [await walletWith(OPEN, { delegate: 2 }), await newWallet("Bob")];
  const [{ publics }] = await bob.sites();
  const { link } = await alice.share(about.siteId, { name: "Bob", login: publics[0], sign: publics[1], delegate: 1 });
  await bob.accept(await parseLink(link));
  return bob;
}

await play({
  async "an invite is redeemed, again by the same phone, and by no other"() {
    const link = await world("invite", OPEN);
    const wallet = await newWallet("Dora");
    const [kiosk, invite] = await invited(wallet, link);
    assert.deepEqual([kiosk.isNew, kiosk.hasGrant], [true, false]);
    assert.equal((await kiosk.redeem(invite)).subject, "Dora");
    assert.equal(kiosk.hasGrant, true);
    assert.equal((await kiosk.invoke("open")).state, "done");
    await kiosk.redeem(invite);
    await kiosk.close();

    const [again] = await invited(wallet, link);
    assert.deepEqual([again.isNew, again.hasGrant], [false, true]);
    assert.equal((await again.invoke("open")).state, "done");
    assert.equal(again.flights, 4);
    await again.close();

    const [stranger] = await invited(await newWallet("Eve"), link);
    const error = await refused("invite-used", stranger.redeem(invite));
    assert.deepEqual([error.kind, stranger.hasGrant], ["Denied", false]);
  },

  async "an invite that has ended, or is another site's, is not redeemed"() {
    const [kiosk, invite] = await invited(await newWallet(), await world("invite", OPEN, { valid_s: -1 }));
    await refused("grant-expired", kiosk.redeem(invite));
    const [site] = await kiosk.wallet.sites();
    await refused("credential-other-site", invited(kiosk.wallet, await world("invite", OPEN), {
      port: await world("stranger", "other-site"),
    }));
    assert.equal(site.id, about.siteId);
  },

  async "an invite's secret stays here"() {
    const [kiosk, invite] = await invited(await newWallet(), await world("invite", OPEN));
    await kiosk.redeem(invite);
    for (const [, value] of kiosk.transport.values) assert(!Buffer.from(value).includes(Buffer.from(invite.secret)));
  },

  async "paired by an admin who types the code"() {
    const admin = await visit(await walletWith(MAY_PAIR, { delegate: 1 }, "Ann"));
    await admin.routines(); // whose session may push out a newcomer's
    const newcomer = await visit(await newWallet("Finn"));
    const asked = await newcomer.askToPair();
    assert.match(asked.code, /^[0-9]{6}$/);
    assert.equal(await asked.poll(), null);
    const [waiting, ...others] = await admin.waitingPairs();
    assert.deepEqual([waiting.name, waiting.fingerprint, others.length], ["Finn", newcomer.site.fingerprint, 0]);
    const wrong = String((Number(asked.code) + 1) % 1000000).padStart(6, "0");
    await refused("code-wrong", admin.pair(waiting, wrong));
    const rules = [{ pattern: "/r/open", methods: 3, conditions: new Map() }];
    await admin.pair(waiting, asked.code, { rules });
    assert.equal((await asked.poll()).subject, "Finn");
    assert.equal((await newcomer.invoke("open")).state, "done");
  },

  async "a code belongs to its session"() {
    const newcomer = await visit(await newWallet("Gus"));
    const asked = await newcomer.askToPair();
    await world("restart");
    await refused("pairing-lost", asked.poll());
    assert.equal((await newcomer.askToPair()).code.length, 6);
  },

  async "what was shared is handed in with its chain, and is known the next time"() {
    const bob = await shared();
    const kiosk = await visit(bob);
    assert.equal((await kiosk.invoke("open")).state, "done");
    await kiosk.close();
    const again = await visit(bob);
    assert.equal((await again.invoke("open")).state, "done");
    assert.equal(again.flights, 4);
  },

  async "a kiosk that has forgotten a grant is told it by value"() {
    const bob = await shared();
    await bob.addDevice(about.siteId, await known());
    const kiosk = await visit(bob);
    assert.equal(kiosk.isNew, false);
    assert.equal((await kiosk.invoke("open")).state, "done");
  },

  async "presence: the code that the kiosk shows"() {
    const kiosk = await visit(await walletWith([["/r/open", 3, { 6: 1 }]]));
    assert.equal(kiosk.why(await refused("rule-presence", kiosk.invoke("open"))).help, "code");
    await refused("presence-none", kiosk.giveCode("000000"));
    assert.equal(await kiosk.askCode(), 6);
    const shown = await world("code");
    await refused("code-wrong", kiosk.giveCode(shown === "000000" ? "000001" : "000000"));
    await kiosk.askCode();
    await kiosk.giveCode(await world("code"));
    assert.equal((await kiosk.invoke("open")).state, "done");
  },

  async "presence: the kiosk's button"() {
    const kiosk = await visit(await walletWith([["/r/open", 3, { 6: 2 }]]));
    assert.equal(kiosk.why(await refused("rule-presence", kiosk.invoke("open"))).help, "button");
    await refused("presence-button", kiosk.pressed());
    await world("press");
    await kiosk.pressed();
    assert.equal((await kiosk.invoke("open")).state, "done");
  },

  async "presence: five wrong codes, then one waits, over a power cut too"() {
    const kiosk = await visit(await walletWith([["/r/open", 3, { 6: 1 }]]));
    for (let number = 0; number < 5; number++) {
      await kiosk.askCode();
      const wrong = (await world("code")) === "111111" ? "222222" : "111111";
      await refused("code-wrong", kiosk.giveCode(wrong));
    }
    await world("restart");
    await kiosk.askCode();
    const right = await world("code");
    const error = await refused("code-wait", kiosk.giveCode(right));
    assert.deepEqual([error.kind, kiosk.why(error).help], ["Busy", "wait"]);
  },

  async "two of three others consent to exactly what they were shown"() {
    const asks = [["/r/open", 3, { 7: [2, ["user:Ben", "user:Cem", "user:Dan"]] }]];
    const kiosk = await visit(await walletWith(asks, {}, "Ada"));
    const help = async () => kiosk.why(await refused("rule-approvals", kiosk.invoke("open", { seconds: 4 }))).help;
    assert.equal(await help(), "approvals");
    await kiosk.wish(POST, "/r/open", { seconds: 4 });
    const [own] = await kiosk.approvals();
    assert.deepEqual([own.isOwn, own.needed, own.got, own.args.get("seconds")], [true, 2, 0, 4]);

    for (const [name, got] of [["Ben", 1], ["Cem", 2]]) {
      const approver = await visit(await walletWith(OPEN, {}, name));
      const [item] = await approver.approvals();
      assert.deepEqual([item.isOwn, item.who, item.method, item.path], [false, "Ada", POST, "/r/open"]);
      // Whoever shows something else than what is asked has it signed in vain.
      const lie = { ...item, args: new Map([["seconds", 1]]) };
      await refused("approval-other-request", approver.approve(lie));
      await approver.approve(item);
      assert.equal((await kiosk.approvals())[0].got, got);
      if (got === 1) assert.equal(await help(), "approvals");
      await approver.close();
    }
    assert.equal((await kiosk.invoke("open", { seconds: 4 })).result, 4);
    assert.deepEqual(await kiosk.approvals(), []);
    await refused("approval-needless", (await visit(await walletWith())).wish(POST, "/r/open"));
  },

  async "nobody consents for themselves, or unasked"() {
    const asks = [["/r/open", 3, { 7: [1, ["user:Ben"]] }]];
    const kiosk = await visit(await walletWith(asks, {}, "Ada"));
    await kiosk.wish(POST, "/r/open");
    const [item] = await kiosk.approvals();
    await refused("approval-own", kiosk.approve(item));
    const eve = await visit(await walletWith(OPEN, {}, "Eve"));
    assert.deepEqual(await eve.approvals(), []);
    await refused("approval-not-asked", eve.approve(item));
  },
});

/** What a wallet that was never there needs to take the kiosk for a known one. */
async function known() {
  const wallet = await walletWith();
  await visit(wallet);
  return (await wallet.device(about.siteId, "kiosk-1")).data;
}
