/**
 * The tree of errors that a client needs: the classes of docs/SPEC.md section 18.2.
 *
 * `reason` is a stable word ("cbor-truncated"), `detail` is for people, `kind` is the class's name. None ever carries a
 * secret. `LocalError`: our own code or machine is at fault; `RemoteError`: the peer, or what was scanned.
 */

export class AdmitError extends Error {
  static kind = "AdmitError";
  /** @type {string | undefined} at which stage of a visit it happened, if somebody has said so */
  stage;

  /** @param {string} reason */
  constructor(reason, detail = "") {
    super(detail ? `${reason}: ${detail}` : reason);
    this.reason = reason;
    this.detail = detail;
    this.kind = this.name = /** @type {typeof AdmitError} */ (new.target).kind;
  }
}

/** Our caller misused us, or our own machine failed. */
export class LocalError extends AdmitError {
  static kind = "LocalError";
}

/** Storage is full, refused or damaged: nothing was written. */
export class StorageError extends LocalError {
  static kind = "StorageError";
}

export class RemoteError extends AdmitError {
  static kind = "RemoteError";
}

/** The bytes do not parse. */
export class Malformed extends RemoteError {
  static kind = "Malformed";
}

/** They parse, but ask for something that we do not speak. */
export class Unsupported extends RemoteError {
  static kind = "Unsupported";
}

/** No EDHOC cipher suite in common. */
export class WrongSuite extends Unsupported {
  static kind = "WrongSuite";
}

/** A signature, MAC or tag does not hold. */
export class Unverified extends RemoteError {
  static kind = "Unverified";
}

/** The peer named a credential that we do not have, or does not have ours. */
export class UnknownCredential extends RemoteError {
  static kind = "UnknownCredential";
}

/** Genuine, but it does not count here: another site or device, expired, early or revoked. */
export class Untrusted extends RemoteError {
  static kind = "Untrusted";
}

/** A proven session is needed, and there is none. */
export class Unauthenticated extends RemoteError {
  static kind = "Unauthenticated";
}

/** This message was seen before. */
export class Replayed extends RemoteError {
  static kind = "Replayed";
}

/** The rules do not allow it. `rule`: the one that decided, by its index in the holder's own grant. */
export class Denied extends RemoteError {
  static kind = "Denied";

  /** @param {string} reason @param {string} [detail] @param {number | null} [rule] */
  constructor(reason, detail, rule = null) {
    super(reason, detail);
    this.rule = rule;
  }
}

/** No such thing. */
export class NotFound extends RemoteError {
  static kind = "NotFound";
}

/** It is already so, differently. */
export class Conflict extends RemoteError {
  static kind = "Conflict";
}

/** A message or body is over its limit. */
export class TooLarge extends RemoteError {
  static kind = "TooLarge";
}

/** Not now: every place is taken. */
export class Busy extends RemoteError {
  static kind = "Busy";
}

/** The peer did not answer in time. */
export class TimedOut extends RemoteError {
  static kind = "TimedOut";
}

/** The peer answered with an error of its own: `status` its CoAP code, `problem` what it said (problem.js). */
export class Refused extends RemoteError {
  static kind = "Refused";

  /** @param {string} reason @param {string} [detail] @param {Map<number, any>} [problem] */
  constructor(reason, detail, status = 0, problem = new Map()) {
    super(reason, detail);
    this.status = status;
    this.problem = problem;
  }
}

/** Raises Malformed(reason) unless it is so. @param {any} isSo @param {string} reason @returns {asserts isSo} */
export function must(isSo, reason) {
  if (!isSo) throw new Malformed(reason);
}
