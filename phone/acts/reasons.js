// From the reason of an error to the sentence that a person is told, and to what helps.
//
// Owns: the one table of both. The sentences themselves stand in strings/*.json under the names on the left.
// Rules: every reason has a sentence; what is not in the table goes by its class. Signs of an impostor are alarms.

/** Names of sentences, and the reasons that each is for; a name that is a reason is for itself too. */
const SENTENCES = {
  impostor: `ccm-tag cose-signature credential-claims credential-kid device-unproven edhoc-mac-2 edhoc-reflected
    edhoc-signature-2 edhoc-id-cred journal-other-device`,
  "device-other": "",
  "credential-other-site": "anchor-other-site paper-other-site",
  "device-struck-off": "", "device-old-authority": "",
  "journal-rewritten": "journal-rolled-back",
  "wallet-no-site": "",

  "bluetooth-off": "", "bluetooth-refused": "bluetooth-missing",
  "chooser-cancelled": "", "device-wrong": "",
  "connect-failed": "link-dropped gateway-link-lost",
  "request-timeout": "request-unanswered gateway-no-answer gateway-no-link",
  "session-lost": "pairing-lost session-needed", altered: "", "bluetooth-other-tab": "",
  "gateway-unreachable": "gateway-lied gateway-address gateway-proxy", "gateway-no-kiosk": "",

  busy: "gateway-busy approval-full routine-running", "login-taken": "",
  "rule-none": "", "rule-method": "", "rule-unknown-condition": "", "rule-argument": "routine-argument invocation-arguments",
  "rule-used-up": "", "rule-time-unknown": "grant-time-unknown", "rule-outside-zone": "", "rule-outside-window": "",
  "rule-stale": "", "rule-rate": "", "rule-presence": "", "rule-approvals": "", "rule-denied": "", "rule-lockdown": "",
  "grant-expired": "rule-expired share-ended", "grant-not-yet-valid": "rule-not-yet-valid",
  "grant-needed": "edhoc-unknown-credential wallet-no-device", "grant-other-device": "grant-other-site",
  "grant-revoked": "", "grant-is-invite": "grant-not-enrolled",
  "grant-parent-missing": "delegation-depth delegation-no-key delegation-other-parent grant-wider grant-chain-too-long",
  admin: `approval-no-key entropy-not-live entropy-stuck gateway-too-large gatt-mtu invite-full policy-damaged
    resource-unknown routine-unknown storage-corrupt storage-failed storage-full storage-read-only uses-full uses-lost`,

  "invite-used": "", "invite-link": "label-code key-link invitation-file", "link-unknown": "", "link-sealed": "",
  "wallet-other-key": "enrol-other-key", "wallet-key-lost": "", "enrol-known": "", "enrol-gone": "",
  "code-wrong": "", "code-wait": "", "presence-none": "", "presence-button": "",
  "approval-own": "", "approval-not-asked": "", "approval-unknown": "approval-expired approval-other-request",
  "approval-needless": "", "share-none": "", "share-wider": "",
  "store-refused": "store-failed", "store-full": "", "camera-refused": "camera-missing", "no-code": "",
  garbled: "", refused: "", bug: "",
};

/** @type {Record<string, string>} */
const NAMES = Object.create(null);
for (const [name, others] of Object.entries(SENTENCES)) {
  for (const each of [name, ...others.split(/\s+/)]) NAMES[each] = name;
}

/** What an error is told by that the table does not name. @type {Record<string, string>} */
const CLASSES = {
  Malformed: "garbled", Unsupported: "garbled", Unverified: "impostor", Untrusted: "refused", Replayed: "impostor",
  Denied: "refused", NotFound: "refused", Conflict: "refused", Busy: "busy", TimedOut: "request-timeout",
  Unauthenticated: "session-lost", Refused: "refused", UnknownCredential: "grant-needed", WrongSuite: "garbled", TooLarge: "garbled", StorageError: "store-refused",
};

const ALARMS = ["impostor", "device-other", "credential-other-site", "device-struck-off", "device-old-authority", "journal-rewritten", "wallet-no-site"];

/** What helps beside trying again: a card, the camera, typing; or nothing but going on. @type {Record<string, string[]>} */
const HELP = {
  key: `rule-none rule-method rule-used-up rule-outside-zone rule-denied grant-expired grant-needed grant-other-device
    grant-revoked grant-parent-missing wallet-other-key share-none`.split(/\s+/),
  scan: ["wallet-no-site", "invite-link", "link-unknown", "link-sealed", "grant-is-invite", "invite-used", "no-code"],
  type: ["camera-refused", "link-unknown", "invite-link"],
  lost: ["wallet-key-lost"],
  reload: ["bug", "store-refused", "store-full"],
};

/** The name of an error's sentence. What was changed once the kiosk had proven itself is no sign of an impostor.
 * @param {any} error */
export const nameOf = (error) =>
  error?.isAltered ? "altered" : NAMES[error?.reason] ?? CLASSES[error?.kind] ?? "bug";

/** Whether the kiosk may not be what it seems, so that nothing goes on. @param {any} error */
export const isAlarm = (error) => ALARMS.includes(nameOf(error));

/** The helps for an error; none of them: try again. @param {any} error @returns {string[]} */
export const helpsFor = (error) => Object.keys(HELP).filter((help) => HELP[help].includes(nameOf(error)));
