// The camera: looks for a QR code and hands over its text.
//
// Owns: the camera while it runs, the one <video>, and which decoder is used: the browser's own, else vendor/qr.js.
// Rules: it stops as soon as its page is left; a picture never leaves this file.
// Must not know: what a code means.

import { decodeQR } from "../vendor/qr.js";
import { h } from "./dom.js";

const PAUSE_MS = 120;
const MOST_DOTS = 900; // of a side that is decoded: a dense code has some 130 modules

/** @type {{video: HTMLVideoElement, stream: MediaStream | null, running: boolean} | null} */
let camera = null;

/**
 * A <video> that shows what the camera sees, until `stop`. Asked again while it runs, it is the same one.
 * @param {string} label @param {(text: string) => void} found told of each code that is read
 * @param {(reason: "camera-refused" | "camera-missing") => void} failed
 */
export function video(label, found, failed) {
  if (!camera) {
    camera = { video: h("video", { muted: true, playsInline: true, "aria-label": label }), stream: null, running: true };
    run(camera, found, failed);
  }
  return camera.video;
}

/** Let go of the camera. */
export function stop() {
  if (!camera) return;
  camera.running = false;
  camera.stream?.getTracks().forEach((track) => track.stop());
  camera = null;
}

/** The text of the code in a picture that was chosen, or null. @param {Blob} file */
export async function readFile(file) {
  try {
    return await read(await createImageBitmap(file));
  } catch {
    return null;
  }
}

/** @param {NonNullable<typeof camera>} own @param {(text: string) => void} found @param {(reason: any) => void} failed */
async function run(own, found, failed) {
  try {
    const wanted = { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 1280 } };
    own.stream = await navigator.mediaDevices.getUserMedia({ video: wanted });
  } catch (error) {
    if (own.running) failed(/** @type {any} */ (error)?.name === "NotAllowedError" ? "camera-refused" : "camera-missing");
    return;
  }
  if (!own.running) return own.stream.getTracks().forEach((track) => track.stop());
  own.video.srcObject = own.stream;
  await own.video.play().catch(() => {});
  let last = "";
  while (own.running) {
    const text = own.video.videoWidth ? await read(own.video) : null;
    if (text && own.running && text !== last) found((last = text));
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** @param {HTMLVideoElement | ImageBitmap} picture @returns {Promise<string | null>} */
async function read(picture) {
  return (await readNatively(picture)) ?? readOurselves(picture);
}

/** @param {any} picture */
async function readNatively(picture) {
  try {
    const Detector = /** @type {any} */ (globalThis).BarcodeDetector;
    return Detector ? ((await new Detector({ formats: ["qr_code"] }).detect(picture))[0]?.rawValue ?? null) : null;
  } catch {
    return null; // it is there, but does not work
  }
}

const canvas = document.createElement("canvas");

/** The middle of the picture, a square. @param {HTMLVideoElement | ImageBitmap} picture */
function readOurselves(picture) {
  const [width, height] = "videoWidth" in picture ? [picture.videoWidth, picture.videoHeight] : [picture.width, picture.height];
  const side = Math.min(width, height);
  const dots = (canvas.width = canvas.height = Math.min(side, MOST_DOTS));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(picture, (width - side) / 2, (height - side) / 2, side, side, 0, 0, dots, dots);
  try {
    return decodeQR(context.getImageData(0, 0, dots, dots));
  } catch {
    return null; // there is none in it
  }
}
