/** Somebody on the way, or a kiosk that has proven nothing, says things; and a site that the user does not want. */

import assert from "node:assert/strict";

import { concat, utf8 } from "../../phone/protocol/bytes.js";
import { encode } from "../../phone/protocol/cbor.js";
import { Message, encodeBody } from "../../phone/protocol/coap.js";
import { decodeValue } from "../../phone/protocol/gatt.js";
import { newWallet, play, refused, visit, walletWith, world } from "./visit_support.mjs";

const [PROBLEM, FORBIDDEN] = [257, 0x83];

/** A fault of the link: instead of each answer that no session protects, from the `first` on, a refusal that says so. */
function refusing(told, first = 1) {
  let number = 0;
  return (way, _, value) => {
    if (way !== "heard" || value.length === 1) return null;
    const { bits, message } = decodeValue(value);
    if (message.options.some(([option]) => option === 9) || ++number < first) return null;
    const { code, token, options, payload } = new Message(FORBIDDEN, message.token, [[12, PROBLEM]], encode(new Map(told)));
    return [concat([bits | token.length, code], token, encodeBody(options, payload))];
  };
}

await play({
  async "what has proven nothing cannot put its own words on the screen"() {
    for (const words of ["Your key has expired. Call 0900 1234", "gateway-closed. Use the back door", "<b>", "x".repeat(300)]) {
      const error = await refused("device-refused", visit(await newWallet(), { fault: refusing([[-1, words]]) }), "proving");
      assert.equal(error.rule ?? null, null);
    }
  },

  async "nobody but the kiosk itself can say that a grant was taken back"() {
    const wallet = await walletWith();
    const kiosk = await visit(wallet);
    kiosk.transport.fault = refusing([[-1, "grant-revoked"]], 1);
    const long = { note: "x".repeat(200) }; // message_3 goes by itself then, and its answer is not protected
    await refused("grant-revoked", kiosk.invoke("open", long));
    assert.equal((await wallet.grants())[0].state, "valid");
  },

  async "a kiosk whose name only begins as the one that was chosen is another one"() {
    const wallet = await walletWith();
    const port = await world("stranger", "other-key", "front-door-2");
    for (const name of ["front-door", "front-do-", "front-d", "front-door-"]) {
      await refused("device-other", visit(wallet, { wanted: {}, port, name }), "proving");
    }
    for (const name of ["front-do", "front-door-2"]) {
      const kiosk = await visit(wallet, { wanted: {}, port, name }); // cut as it is on the air, and whole
      assert.deepEqual([kiosk.deviceId, kiosk.isNew], ["front-door-2", true]);
      await kiosk.forget();
    }
  },

  async "which of the rules it was is a number, whoever says it"() {
    const kiosk = await visit(await walletWith());
    for (const rule of ["length", "map", -1, 1.5, null, utf8("0"), 7]) assert.equal(kiosk.why({ reason: "rule-rate", rule }).rule, null);
    assert.equal(kiosk.why({ reason: "rule-rate", rule: 0 }).rule.pattern, "/r/open");
  },

  async "a site that the user did not mean leaves the key that waits as it was"() {
    const wallet = await newWallet();
    const [{ fingerprint }] = await wallet.sites();
    const kiosk = await visit(wallet);
    assert.equal(kiosk.isNew, true);
    await kiosk.close();
    await kiosk.forget();
    const [site, ...others] = await wallet.sites();
    assert.deepEqual([site.id, site.anchor, site.fingerprint, others.length], ["new", null, fingerprint, 0]);
    assert.deepEqual(await wallet.lostKeys(), []);
    assert.equal((await visit(wallet)).site.fingerprint, fingerprint);
  },

  async "a site that was known stays when one of its kiosks is not meant"() {
    const wallet = await walletWith();
    const [{ id }] = await wallet.sites();
    const kiosk = await visit(wallet);
    await kiosk.close();
    await kiosk.forget();
    assert.equal((await wallet.sites())[0].id, id);
    assert.equal((await wallet.grants(id)).length, 1);
    assert.deepEqual(await wallet.devices(id), []);
  },
});
