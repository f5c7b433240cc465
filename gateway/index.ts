/** The gateway role: links from devices, the relay towards the centre, and a broker where there is none. */

export { startBroker } from './embedded-broker.ts';
export { type LinkRole, runLink } from './link-role.ts';
