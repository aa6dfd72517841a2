// What the screen says, in each language that it knows. Owns: the words. {who}, {name} stand for names, which are text.

const EN = {
  waiting: ["Scan with your phone", "or open your key and tap “Find a kiosk”."],
  steps: ["Tap to connect and choose {name}.", "Your phone checks this kiosk before it says who you are."],
  newcomer: "Somebody new asks to be let in: show your phone’s code to the admin beside you.",
  takeover: "This kiosk is to change hands in {left}. If nobody told you, tell an admin.",
  days: ["1 day", "{n} days"],
  hours: ["1 hour", "{n} hours"],
  hello: ["Hello {who}", "It is your turn. Log out on your phone when you are done."],
  code: ["Code for {who}", "Enter it on your phone, if that is you. Tell it to nobody."],
  bye: ["Thank you, {who}", "You are logged out."],
  setup: ["Not in use yet", "This board does not belong to a site. To set it up: admit provision"],
  fault: ["Something is wrong here", "The kiosk may not work. Please tell those who run it."],
  connecting: ["Starting", "Looking for the kiosk at its cable."],
  unplugged: ["The cable fell out", "Plug the kiosk’s cable in again. This screen comes back by itself."],
  busy: ["The cable is taken", "Another program uses the kiosk’s cable. This screen comes back when it ends."],
  silent: ["The kiosk does not answer", "Has it power? This screen comes back by itself."],
  mute: ["This kiosk knows of no screen", "Tell it: admit provision … --screen --again"],
  stopped: ["The screen’s program has ended", "Start it again: admit kiosk-screen"],
  seconds: "{n} seconds left",
  qr: "QR code of the kiosk {name}",
  key: "key {fingerprint}",
};

const DE = {
  waiting: ["Mit dem Handy scannen", "oder den Schlüssel öffnen und „Kiosk suchen“ tippen."],
  steps: ["„Verbinden“ tippen und {name} wählen.", "Ihr Handy prüft diesen Kiosk, bevor es sagt, wer Sie sind."],
  newcomer: "Jemand Neues bittet um Einlass: Zeigen Sie dem Admin neben Ihnen den Code auf Ihrem Handy.",
  takeover: "Dieser Kiosk wechselt in {left} den Besitzer. Wenn Sie davon nichts wissen, sagen Sie es einem Admin.",
  days: ["1 Tag", "{n} Tagen"],
  hours: ["1 Stunde", "{n} Stunden"],
  hello: ["Hallo {who}", "Sie sind an der Reihe. Melden Sie sich danach auf dem Handy ab."],
  code: ["Code für {who}", "Auf dem Handy eingeben, wenn Sie das sind. Niemandem sagen."],
  bye: ["Danke, {who}", "Sie sind abgemeldet."],
  setup: ["Noch nicht in Betrieb", "Dieses Board gehört noch zu keiner Site. Einrichten: admit provision"],
  fault: ["Hier stimmt etwas nicht", "Der Kiosk ist vielleicht gestört. Bitte sagen Sie es den Betreibern."],
  connecting: ["Startet", "Der Kiosk wird am Kabel gesucht."],
  unplugged: ["Das Kabel ist ab", "Bitte das Kabel des Kiosks wieder einstecken. Der Bildschirm kommt von selbst zurück."],
  busy: ["Das Kabel ist belegt", "Ein anderes Programm benutzt das Kabel. Der Bildschirm kommt danach von selbst zurück."],
  silent: ["Der Kiosk antwortet nicht", "Hat er Strom? Der Bildschirm kommt von selbst zurück."],
  mute: ["Dieser Kiosk kennt keinen Bildschirm", "Sagen Sie es ihm: admit provision … --screen --again"],
  stopped: ["Das Programm dieses Bildschirms ist beendet", "Neu starten: admit kiosk-screen"],
  seconds: "noch {n} Sekunden",
  qr: "QR-Code des Kiosks {name}",
  key: "Schlüssel {fingerprint}",
};

/**
 * The words of a language, or of the first that is known among several; English if none is.
 * @param {readonly string[]} languages as a browser names them: "de-AT"
 * @returns {{lang: string, words: typeof EN}}
 */
export function wordsOf(languages) {
  const known = languages.map((each) => each.slice(0, 2).toLowerCase()).find((each) => each === "de" || each === "en");
  return known === "de" ? { lang: "de", words: DE } : { lang: "en", words: EN };
}

/**
 * A text with its names filled in.
 * @param {string} text
 * @param {Record<string, string | number>} names
 */
export function fill(text, names) {
  return text.replace(/\{(\w+)\}/g, (_, name) => String(names[name] ?? ""));
}
