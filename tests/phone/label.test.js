/** Texts of QR codes and links: what host/admit/links.py takes and refuses (tests/vectors/links.json, labels.json). */

import assert from "node:assert/strict";
import test from "node:test";

import * as anchors from "../../phone/protocol/anchor.js";
import { concat, hex } from "../../phone/protocol/bytes.js";
import * as delegation from "../../phone/protocol/delegation.js";
import { Malformed } from "../../phone/protocol/errors.js";
import * as grants from "../../phone/protocol/grant.js";
import { invitationLink, keyLink, parseLink } from "../../phone/protocol/label.js";
import { hexExample } from "./spec.js";
import { refuses, vectors } from "./support.js";

const { links, refused, pages, no_pages: noPages } = vectors("links.json");
const LABEL = links[0].text;

function told(link) {
  if (link.kind === "label") {
    return { site_id: hex(link.siteId), fingerprint: hex(link.fingerprint), device_id: link.deviceId };
  }
  if (link.kind === "key") return { login: hex(link.login), sign: hex(link.sign), name: link.name };
  if (link.kind === "invite") {
    const { secret, siteId, grant } = link;
    return { secret: hex(secret), site_id: hex(siteId), invite: hex(grant.data), device_id: grant.audience[0] };
  }
  const invitation = hex(concat(anchors.encode(link.anchor), ...link.grants.map((each) => each.data)));
  return { invitation, site_id: hex(link.anchor.siteId), site_name: link.anchor.name, grants: link.grants.length };
}

test("each link says the same alone, on a page, and with blanks around it", async () => {
  assert.ok(links.length >= 8);
  for (const { kind, text, on_page: onPage, ...fields } of links) {
    for (const form of [text, onPage, ` \n${text}\t`]) {
      const found = await parseLink(form);
      assert.equal(found.kind, kind);
      assert.deepEqual(told(found), fields);
    }
  }
});

test("what is no link of ours is refused, and never repeated", async () => {
  for (const { text, reason } of refused) {
    const error = await refuses(Malformed, reason, () => parseLink(text));
    assert.equal(error.detail, "");
  }
  for (const text of ["admit://key#" + "A".repeat(70000), LABEL.toLowerCase(), "javascript:alert(1)#" + LABEL, "admit://key", "#"]) {
    await refuses(Malformed, "link-unknown", () => parseLink(text));
  }
});

test("which addresses may carry one", async () => {
  for (const page of pages) assert.equal((await parseLink(`${page}#${LABEL}`)).kind, "label");
  for (const page of noPages) await refuses(Malformed, "link-unknown", () => parseLink(`${page}#${LABEL}`));
});

test("public labels of every kind of name", async () => {
  for (const { content, site_id: siteId, fingerprint, device_id: deviceId } of vectors("labels.json").device) {
    const found = await parseLink(content);
    assert.deepEqual(told(found), { site_id: siteId, fingerprint, device_id: deviceId });
  }
  for (const { content } of vectors("labels.json").sealed) {
    await refuses(Malformed, "link-sealed", () => parseLink(content));
  }
});

test("the links that we make are those that everybody makes", async () => {
  for (const { text } of links.filter(({ kind }) => kind === "key")) {
    const { login, sign, name } = await parseLink(text);
    assert.equal(keyLink(login, sign, name), text);
  }
  for (const { text } of links.filter(({ kind }) => kind === "invitation")) {
    const { anchor, grants: [leaf, ...chain] } = await parseLink(text);
    assert.equal(invitationLink(anchor, { ...leaf, chain }), text);
  }
});

test("an invitation has at most five grants", async () => {
  const anchor = await anchors.decode(hexExample("anchor"));
  const grant = await grants.parse(hexExample("grant"));
  const of = (count) => invitationLink(anchor, { ...grant, chain: Array(count - 1).fill(grant) });
  assert.equal((await parseLink(of(5))).grants.length, 5);
  await refuses(Malformed, "invitation-file", () => parseLink(of(6)));
  await refuses(Malformed, "invitation-file", () => parseLink(of(60)));
  const torn = Buffer.from(hexExample("invitation").slice(0, -1)).toString("base64url");
  await refuses(Malformed, "invitation-file", () => parseLink("admit://invitation#" + torn));
});

test("the example of an invitation is believed through its chain", async () => {
  const text = "admit://invitation#" + Buffer.from(hexExample("invitation")).toString("base64url");
  const { anchor, grants: found } = await parseLink(text);
  const leaf = await delegation.verifyChain(found, anchor.signPublic, anchor.siteId);
  assert.equal(leaf.subject, "alice");
});
