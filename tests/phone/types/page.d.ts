/** What phone/ uses of browsers, and of Node.js, that TypeScript's own libraries do not describe. Not shipped. */

declare module "node:crypto" {
  export const webcrypto: Crypto;
}

interface BluetoothRemoteGATTCharacteristic extends EventTarget {
  readonly service: { readonly device: BluetoothDevice };
  readonly uuid: string;
  readonly value?: DataView;
  startNotifications(): Promise<BluetoothRemoteGATTCharacteristic>;
  stopNotifications(): Promise<BluetoothRemoteGATTCharacteristic>;
  writeValueWithResponse(value: BufferSource): Promise<void>;
}

interface BluetoothRemoteGATTService {
  getCharacteristic(uuid: string): Promise<BluetoothRemoteGATTCharacteristic>;
}

interface BluetoothRemoteGATTServer {
  readonly connected: boolean;
  connect(): Promise<BluetoothRemoteGATTServer>;
  disconnect(): void;
  getPrimaryService(uuid: string): Promise<BluetoothRemoteGATTService>;
}

interface BluetoothDevice extends EventTarget {
  readonly id: string;
  readonly name?: string;
  readonly gatt?: BluetoothRemoteGATTServer;
}

interface Bluetooth extends EventTarget {
  getAvailability(): Promise<boolean>;
  requestDevice(options: {
    filters: { services?: string[]; name?: string; namePrefix?: string }[];
    optionalServices?: string[];
  }): Promise<BluetoothDevice>;
}

interface Navigator {
  readonly bluetooth?: Bluetooth;
}

interface DetectedBarcode {
  readonly rawValue: string;
}

declare class BarcodeDetector {
  static getSupportedFormats(): Promise<string[]>;
  constructor(options?: { formats: string[] });
  detect(source: ImageBitmapSource): Promise<DetectedBarcode[]>;
}

interface BeforeInstallPromptEvent extends Event {
  prompt(): Promise<{ outcome: "accepted" | "dismissed" }>;
}

interface WindowEventMap {
  beforeinstallprompt: BeforeInstallPromptEvent;
}

/** https://w3c.github.io/trusted-types: what a page whose policy requires them makes its own with. */
interface Window {
  readonly trustedTypes?: {
    createPolicy(name: string, rules: { createScriptURL?: (url: string) => string }): {
      createScriptURL(url: string): any;
    };
  };
}
