/** Private keys whose secrets tests know: the keys of docs/SPEC.md section 26, those of published vectors. */

import { createECDH } from "node:crypto";

import { base64url, webcrypto } from "../../phone/protocol/bytes.js";
import { sha256 } from "../../phone/protocol/kdf.js";
import { ascii } from "./support.js";

/** The key pair of a secret; `name` as for p256.generate. */
export async function keyPair(secret, name = "ECDSA") {
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(secret);
  const point = new Uint8Array(curve.getPublicKey()).slice(1);
  const [d, x, y] = [secret, point.slice(0, 32), point.slice(32)].map(base64url);
  const algorithm = { name, namedCurve: "P-256" };
  const jwk = { kty: "EC", crv: "P-256", d, x, y };
  const usages = name === "ECDSA" ? ["sign"] : ["deriveBits"];
  return { privateKey: await webcrypto.subtle.importKey("jwk", jwk, algorithm, false, usages), public: point };
}

/** The key of that name in docs/SPEC.md section 26. */
export async function exampleKey(name, use = "ECDSA") {
  return keyPair(await sha256(ascii("admit example: "), ascii(name)), use);
}
