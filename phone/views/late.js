// What is not needed until something goes wrong: it is loaded then, before that is drawn.

/** @type {typeof import("./explain.js") | null} */
let explain = null;

export const isThere = () => explain !== null;

/** Fetch it. */
export async function fetchIt() {
  explain = await import("./explain.js");
}

/** As explain.js has it. @type {typeof import("./explain.js").sentence} */
export const sentence = (error, more) => explain?.sentence(error, more) ?? [];

/** As explain.js has it. @type {typeof import("./explain.js").explained} */
export const explained = (error, retry, home) => explain?.explained(error, retry, home) ?? [];
