/** Which messages something is for: equality of what they say of themselves. Triggers and routes have it alike. */
import type { Properties } from '../message/message.ts';

/** Every one that is named must be equal. */
export interface Condition {
  readonly label?: string;
  readonly appSpecific?: number;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function meets(message: Properties, where: Condition = {}): boolean {
  const { headers, ...plain } = where;
  const isSame = (Object.keys(plain) as (keyof typeof plain)[]).every((key) => message[key] === plain[key]);
  return isSame && Object.entries(headers ?? {}).every(([name, value]) => message.headers?.get(name) === value);
}
