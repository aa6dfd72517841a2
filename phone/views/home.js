// The first pages: choosing a name, the kiosks that are known, finding one.

import { hex } from "../protocol/bytes.js";
import { begin, handOver, person } from "../acts/wallet.js";
import { connect, remembered } from "../acts/visiting.js";
import { go, state } from "../acts/state.js";
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { back, button, field, icon, mark, note, p, page, submit } from "./parts.js";
import { wish } from "./words.js";

/** The first visit. */
export function welcome() {
  const { draft } = state;
  const send = () => (draft.name ?? "").trim() && begin(draft.name);
  const content = [
    p(t("welcome-why")),
    state.link && note(t("welcome-link")),
    field(draft, "name", t("your-name"), { maxlength: 60, autocomplete: "name", required: true }, t("name-hint")),
  ];
  const door = h("img", { src: "icons/admit.svg", alt: "", class: "sign" });
  return page(t("welcome"), content, [p(t("key-stays"), "soft small center"), submit(t("make-key"))], { above: door, send });
}

export function home() {
  if (!person()) return welcome();
  const kiosks = state.sites.flatMap((site) => site.devices.map((device) => kiosk(site, device)));
  return page(t("home"), [
    kiosks.length ? h("ul", { class: "low" }, kiosks) : p(t("home-empty"), "soft"),
    noWay(),
  ], [
    button([icon("scan"), t("scan")], () => go("scan")),
    state.ways.length > 0 && button(t("find"), find, "main"),
  ]);
}

/** @param {import("../acts/state.js").Site} site @param {import("../store/wallet.js").Device} device */
function kiosk(site, device) {
  const wanted = { siteId: site.id, deviceId: device.deviceId };
  const last = remembered(site.id, device.deviceId);
  return h("li", { class: "card" },
    button([
      mark(hex(device.credential.public)),
      h("span", null, h("strong", null, device.deviceId), h("br"), h("span", { class: "soft small" }, site.name)),
      icon("forth"),
    ], () => connect(wanted), "open row", { disabled: !state.ways.length }),
    last && state.ways.length > 0 &&
      button([icon("run"), wish(`/r/${last.name}`, last.args)], () => connect(wanted, { kind: "run", ...last }), "routine"));
}

/** What to do where neither Bluetooth nor a gateway is there, or only a gateway. */
function noWay() {
  if (!state.ways.length) {
    const address = location.origin + location.pathname;
    return note([p(t("no-way")), button(t("copy-address"), () => handOver(address))], "late");
  }
  return state.ways[0] === "gateway" && note(p(t("by-gateway", { host: new URL(state.gateway ?? "").host })));
}

function find() {
  if (state.ways[0] === "bluetooth") connect({});
  else go("find");
}

/** Through a gateway no chooser shows what is near: a name says which kiosk. */
export function findByName() {
  const { draft } = state;
  const send = () => (draft.device ?? "").trim() && connect({ deviceId: draft.device.trim() });
  const near = state.near?.map((each) => h("li", null, button(each, () => connect({ deviceId: each }), "routine")));
  return page(t("find"), [
    p(t("find-why")),
    near ? h("ul", null, near) : h("progress", { "aria-label": t("looking") }),
    field(draft, "device", t("kiosk-name"), { maxlength: 64, autocapitalize: "none", required: true }),
  ], [back(), button([icon("scan"), t("scan")], () => go("scan")), submit(t("connect"))], { send });
}
