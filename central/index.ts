/** The central role: takes custody of what comes over MQTT, and serves it to applications. */
export { type CentralOptions, openCentral } from './open-central.ts';
