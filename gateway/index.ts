/** The gateway role: links from devices, the relay towards the centre, and a broker where there is none. */

export { startBroker } from './embedded-broker.ts';
export { type IngressRole, runIngress } from './ingress-role.ts';
export { type LinkRole, runLink } from './link-role.ts';
export { Passwords } from './passwords.ts';
