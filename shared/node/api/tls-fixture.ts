/** For tests: a key that protects nothing, its certificate for this machine (2020 to 2120), and clients with tokens. */
import { createHash } from 'node:crypto';
import type { RemoteOptions } from './remote.ts';
import type { Right } from './rights.ts';
import type { TokenEntry } from './tokens.ts';

export const TEST_CERT = `-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIUMJV5QbvmLGYYgSVy/IuQImT+ARkwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNcmluZ21haWwtdGVzdDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIw
MDEwMTAwMDAwMFowGDEWMBQGA1UEAwwNcmluZ21haWwtdGVzdDBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABNcN2O6aeun0BviI2mUfMmy/WAeN9p5UksEw1yCUO0/e
UV7Z6C2S9yO3TS7piH65e/Mue4/uvrVjyz5+/YPexHmjSzBJMBoGA1UdEQQTMBGH
BH8AAAGCCWxvY2FsaG9zdDAMBgNVHRMEBTADAQH/MB0GA1UdDgQWBBSbu0N7frcU
yH29d3jLEPTwC59TGDAKBggqhkjOPQQDAgNIADBFAiBByzisIQH+rwSuEzrQLQM1
YWmrFBuL9X2tkKoqcBB4VQIhAJLAYl7ssJC+7BLj8IHd866/pLnTA0M1d4kw14Kp
TG7i
-----END CERTIFICATE-----
`;

export const TEST_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4YyvH/9jx6urgFvS
Lezx/zYDAhCX2LJuUuXYkzzReRShRANCAATXDdjumnrp9Ab4iNplHzJsv1gHjfae
VJLBMNcglDtP3lFe2egtkvcjt00u6Yh+uXvzLnuP7r61Y8s+fv2D3sR5
-----END PRIVATE KEY-----
`;

/** The token of a client is its name behind `secret-of-`. */
export function tokenOf(name: string): string {
  return `secret-of-${name}`;
}

export function tokenEntry(name: string, rights: readonly Right[], queues?: readonly string[]): TokenEntry {
  const sha256 = createHash('sha256').update(tokenOf(name)).digest();
  return { name, sha256, rights: { may: new Set(rights), queues: queues && new Set(queues) } };
}

export function remoteFor(tokens: readonly TokenEntry[], tls: 'tls' | 'plain' = 'plain'): RemoteOptions {
  const listen = { host: '127.0.0.1', port: 0 };
  return { listen, tls: tls === 'tls' ? { cert: TEST_CERT, key: TEST_KEY } : undefined, tokens };
}
