/** The gateway role: links from devices, the relay towards the centre, and a broker where there is none. */
export { type LinkRole, runLink } from './link-role.ts';
export { startBroker } from './embedded-broker.ts';
