/** `node identity.mjs`: phone/protocol as a peer of Python's: commands as lines of JSON on standard input, answers on
 * standard output. test_against_python.py gives them. Bytes travel in hexadecimal, maps and rules as CBOR. */

import { createInterface } from "node:readline";

import * as anchors from "../../phone/protocol/anchor.js";
import { hex, unhex } from "../../phone/protocol/bytes.js";
import * as cbor from "../../phone/protocol/cbor.js";
import * as cose from "../../phone/protocol/cose.js";
import * as credentials from "../../phone/protocol/credential.js";
import * as cwt from "../../phone/protocol/cwt.js";
import * as delegations from "../../phone/protocol/delegation.js";
import * as edhoc from "../../phone/protocol/edhoc.js";
import { AdmitError } from "../../phone/protocol/errors.js";
import * as grants from "../../phone/protocol/grant.js";
import * as invites from "../../phone/protocol/invite.js";
import * as p256 from "../../phone/protocol/p256.js";
import * as papers from "../../phone/protocol/papers.js";
import * as rules from "../../phone/protocol/rule.js";
import { keyPair } from "./keys.js";

const told = (values) => hex(cbor.encode(values));
const ruleOf = (digits) => rules.parse(cbor.decode(unhex(digits)));
const sessions = new Map();

// What stands in something, as the CBOR of its values in the order that Python tells them

const READERS = {
  sign1(data) {
    const message = cose.parseSign1(data);
    cose.checkForm(message);
    return [message.protected, message.headers, message.payload, message.signature];
  },
  claims: (data) => cwt.parseClaims(data),
  async anchor(data) {
    const found = await anchors.decode(data);
    return [found.signPublic, found.ecdhPublic, found.name, found.siteId];
  },
  credential(data) {
    const found = credentials.parse(data);
    return [found.deviceId, found.public, found.kid, found.siteId, found.issuedAt, found.testOnly, found.sealPublic];
  },
  async grant(data) {
    const found = await grants.parse(data);
    return [
      found.kid, found.id, found.siteId, found.subject, found.audience, found.key, found.sigKey,
      grants.encodeScope(found.rules), found.issuedAt, found.notBefore, found.expires, found.selectors, found.delegate,
      found.parent, found.enrol,
    ];
  },
  rule(data) {
    const { pattern, methods, conditions } = rules.parse(cbor.decode(data));
    return [pattern, methods, conditions];
  },
  notice(data) {
    const found = papers.parseNotice(data);
    return [found.siteId, found.number, found.issuedAt, found.devices];
  },
  head(data) {
    const found = papers.parseHead(data);
    return [found.deviceId, found.count, found.head, found.time];
  },
  error: (data) => edhoc.parseError(data),
};

const chainOf = (list) => Promise.all(list.map((each) => grants.parse(unhex(each))));

async function linked(list) {
  let found;
  for (const each of (await chainOf(list)).reverse()) found = found ? delegations.prepare(each, found)[0] : each;
  return found;
}

function wishOf({ login, sign, rules: wanted, ...rest }) {
  return { ...rest, login: unhex(login), sign: sign && unhex(sign), rules: wanted && wanted.map(ruleOf) };
}

const eadOf = (ead = []) => ead.map(([label, value]) => [label, value === null ? null : unhex(value)]);
const shownEad = (ead) => ead.map(([label, value]) => [label, value && hex(value)]);

const COMMANDS = {
  async read({ kind, data }) {
    return told(await READERS[kind](unhex(data)));
  },
  covers: ({ wide, narrow }) => rules.covers(ruleOf(wide), ruleOf(narrow)),
  narrowed({ own, wanted }) {
    const found = delegations.narrowed(own.map(ruleOf), ruleOf(wanted));
    return told(found.map(({ pattern, methods, conditions }) => [pattern, methods, conditions]));
  },
  async prepare({ child, parent }) {
    const [given, key] = delegations.prepare(await grants.parse(unhex(child)), await linked(parent));
    return [hex(key), given.chain.length];
  },
  async verifyChain({ chain, public: key, site }) {
    const found = await delegations.verifyChain(await chainOf(chain), unhex(key), unhex(site));
    return found.chain.map((each) => hex(each.kid));
  },
  async share({ own, wish, secret, now }) {
    const key = await keyPair(unhex(secret));
    return hex((await delegations.share(await Promise.all(own.map(linked)), wishOf(wish), key, now)).data);
  },
  async approve({ secret, site, device, request, requester, method, path, args }) {
    const digest = await papers.digest(unhex(requester), method, path, cbor.decode(unhex(args)));
    return hex(await papers.approve(await keyPair(unhex(secret)), unhex(site), device, unhex(request), digest));
  },
  code: ({ binding, request }) => papers.code(unhex(binding), unhex(request)),
  async redeem({ link, anchor, login, sign, binding, now, name }) {
    const invite = await invites.parse(unhex(link));
    const own = { login: unhex(login), sign: unhex(sign) };
    const { body } = await invites.redeem(invite, await anchors.decode(unhex(anchor)), own, unhex(binding), now, name);
    return hex(body);
  },
  async verifyNotice({ data, anchor }) {
    await papers.verifyNotice(papers.parseNotice(unhex(data)), await anchors.decode(unhex(anchor)));
    return "";
  },
  async verifyCredential({ data, anchor }) {
    await credentials.verify(credentials.parse(unhex(data)), await anchors.decode(unhex(anchor)));
    return "";
  },
  async witness({ kept, shown, public: key, device }) {
    return hex(await papers.witness(kept && unhex(kept), unhex(shown), { public: unhex(key), deviceId: device }));
  },

  // A session as Initiator. Without a secret it makes a key of its own, and shows itself by value or as `kid`.
  async initiator({ id, method, suites, secret, cred, kid, cI, ephemeral, knownEad }) {
    const use = method < 2 ? "ECDSA" : "ECDH";
    const key = secret ? await keyPair(unhex(secret), use) : await p256.generate(use);
    const data = cred ? unhex(cred) : cwt.encodeCcs(key.public);
    const credI = data[0] === 0xd2 ? edhoc.cwtCredential(data, kid && unhex(kid)) : edhoc.ccsCredential(data);
    const once = ephemeral && (await keyPair(unhex(ephemeral), "ECDH"));
    const options = { method, suites, key, idCredI: credI.idCred, credI, cI: unhex(cI), ephemeral: once, knownEad };
    sessions.set(id, new edhoc.Initiator(options));
    return hex(data);
  },
  message1: async ({ id, ead }) => hex(await sessions.get(id).message1(eadOf(ead))),
  async parseMessage2({ id, data }) {
    const [cR, idCredR, ead] = await sessions.get(id).parseMessage2(unhex(data));
    return [hex(cR), told(idCredR), shownEad(ead)];
  },
  async verifyMessage2({ id, cred }) {
    const data = unhex(cred);
    await sessions.get(id).verifyMessage2(data[0] === 0xd2 ? edhoc.cwtCredential(data) : edhoc.ccsCredential(data));
    return "";
  },
  message3: async ({ id, ead }) => hex(await sessions.get(id).message3(eadOf(ead))),
  verifyMessage4: async ({ id, data }) => shownEad(await sessions.get(id).verifyMessage4(unhex(data))),
  async exporter({ id, label, context, length }) {
    return hex(await sessions.get(id).exporter(label, unhex(context), length));
  },
  oscore: async ({ id }) => (await sessions.get(id).oscore()).map(hex),
};

async function answer(command) {
  try {
    return { ok: await COMMANDS[command.do](command) };
  } catch (error) {
    if (!(error instanceof AdmitError)) throw error;
    return { error: [error.kind, error.reason] };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const answers = [];
  for (const command of JSON.parse(line)) answers.push(await answer(command));
  process.stdout.write(JSON.stringify(answers) + "\n");
}
