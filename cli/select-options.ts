/** Which message of a queue is meant, as options of a command line. */
import { type Place, parsePlace, type Selector } from '../shared/queue/selector.ts';
import { type OptionSpecs, type OptionValues, usage, wholeNumber } from './args.ts';

export const SELECT_OPTIONS = {
  identity: { type: 'string', value: 'id', help: 'the message with this identity' },
  correlation: { type: 'string', value: 'id', help: 'the first one with this correlation id' },
  lookup: { type: 'string', value: 'n', help: 'the one with this lookup id' },
  last: { type: 'boolean', help: 'the last one, not the first' },
} as const satisfies OptionSpecs;

/** Undefined: the first one. @throws USAGE_INVALID */
export function selectorOf(values: OptionValues<typeof SELECT_OPTIONS>): Selector | undefined {
  const { identity, correlation, lookup, last } = values;
  const said: Selector[] = [];
  if (identity !== undefined) said.push({ by: 'identity', identity });
  if (correlation !== undefined) said.push({ by: 'correlationId', correlationId: correlation });
  if (lookup !== undefined) said.push({ by: 'lookupId', lookupId: wholeNumber('lookup', lookup) });
  if (last) said.push({ by: 'last' });
  if (said.length > 1) throw usage('--identity, --correlation, --lookup or --last: one of them');
  return said[0];
}

/** @throws USAGE_INVALID */
export function placeOption(option: string, text: string): Place {
  const place = parsePlace(text);
  if (place === undefined) throw usage(`--${option} ${text}: a place is priority and lookup id, such as 3.120`);
  return place;
}
