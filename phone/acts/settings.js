// Small choices that this browser remembers: language, a dim screen, what was last done at a kiosk.
//
// Rules: nothing here is a secret or decides anything; where storage is refused, nothing is remembered.

/** @param {string} name @returns {string | null} */
export function kept(name) {
  try {
    return localStorage.getItem(`admit-${name}`);
  } catch {
    return null;
  }
}

/** Forget all whose names begin so. @param {string} start */
export function forget(start) {
  try {
    for (const name of Object.keys(localStorage)) if (name.startsWith(`admit-${start}`)) localStorage.removeItem(name);
  } catch {
    // refused: there is nothing
  }
}

/** @param {string} name @param {string | null} value null forgets it */
export function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(`admit-${name}`);
    else localStorage.setItem(`admit-${name}`, value);
  } catch {
    // refused: it counts until the page is closed
  }
}
