// What tests add to a page, because Chromium's emulation of Bluetooth cannot do it: indications, which are delivered to
// every characteristic that was subscribed to, and telling the test that the page is about to connect, or has
// disconnected.

(() => {
  if (!("bluetooth" in navigator)) return; // the empty page that a tab begins with
  const Characteristic = BluetoothRemoteGATTCharacteristic.prototype;
  const Server = BluetoothRemoteGATTServer.prototype;
  const { startNotifications } = Characteristic;
  const { connect, disconnect } = Server;
  const { requestDevice } = Bluetooth.prototype;
  const subscribed = new Set();
  let left = Promise.resolve();

  Characteristic.startNotifications = async function () {
    await startNotifications.call(this);
    subscribed.add(this);
    return this;
  };
  Server.disconnect = function () {
    const wasConnected = this.connected;
    disconnect.call(this);
    if (wasConnected) left = window.admitTestLeft();
  };
  Bluetooth.prototype.requestDevice = async function (...wanted) {
    await left; // a kiosk that comes back while the chooser is open does not get into it
    return requestDevice.apply(this, wanted);
  };
  Server.connect = async function () {
    await left;
    await window.admitTestCalls();
    return connect.call(this);
  };
  window.admitTestIndicate = (base64) => {
    const { buffer } = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    for (const each of subscribed) {
      if (!each.service.device.gatt.connected) {
        subscribed.delete(each);
        continue;
      }
      Object.defineProperty(each, "value", { value: new DataView(buffer), configurable: true });
      each.dispatchEvent(new Event("characteristicvaluechanged"));
    }
  };
})();
