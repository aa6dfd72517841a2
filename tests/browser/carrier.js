// A page that does no more than carry values, for the tests of the harness. The test puts the UUIDs before it.

const said = [];
let server, down;
async function meet() {
  const device = await navigator.bluetooth.requestDevice({ filters: [{ services: [SERVICE] }] });
  device.addEventListener("gattserverdisconnected", () => said.push("gone"));
  server = device.gatt;
  return call();
}
async function call() {
  await server.connect();
  const service = await server.getPrimaryService(SERVICE);
  down = await service.getCharacteristic(DOWNSTREAM);
  const up = await service.getCharacteristic(UPSTREAM);
  up.addEventListener("characteristicvaluechanged", (event) => {
    const { value } = event.target;
    said.push(Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)));
    told.forEach((tell) => tell());
  });
  await up.startNotifications();
  return server.device.name;
}
const told = new Set();
const heard = (count) => new Promise((done) => {
  const look = () => said.filter((each) => each !== "gone").length >= count && done(said);
  told.add(look);
  look();
});
const until = async (holds) => {
  while (!holds()) await new Promise((done) => setTimeout(done, 10));
};
const write = (bytes) => down.writeValueWithResponse(new Uint8Array(bytes));
const failure = (work) => work.then(() => "", (error) => error.name);
