import { describe, expect, test } from 'vitest';
import { readToml, TOML_LENGTH_MAX, TOML_OPEN_MAX, type TomlValue } from './toml.ts';

/** Values without their lines. */
function plain(value: TomlValue): unknown {
  switch (value.kind) {
    case 'table':
      return new Map([...value.entries].map(([key, entry]) => [key, plain(entry.value)]));
    case 'array':
      return value.items.map(plain);
    case 'date':
      return 'date';
    default:
      return value.value;
  }
}

function read(text: string): unknown {
  const result = readToml(text);
  return result.kind === 'read' ? plain(result.root) : result.reason;
}

const map = (pairs: Record<string, unknown>) => new Map(Object.entries(pairs));

describe('the tree', () => {
  test('has every kind of value', () => {
    expect(read('s = "a\\u00e9"\ni = 0x10\nf = 1.5\nb = true\nd = 2024-02-29\nl = [1, [2]]\nt = {a.b = 1}')).toEqual(
      map({ s: 'aé', i: 16n, f: 1.5, b: true, d: 'date', l: [1n, [2n]], t: map({ a: map({ b: 1n }) }) }),
    );
  });

  test('joins what is said about one table in several places', () => {
    const text = '[a.b]\nx = 1\n[a]\ny.z = 2\n[[l]]\nn = 1\n[l.sub]\nm = 1\n[[l]]\nn = 2\n[[l.deep]]\n[[l.deep]]\nk = 3';
    expect(read(text)).toEqual(
      map({
        a: map({ b: map({ x: 1n }), y: map({ z: 2n }) }),
        l: [map({ n: 1n, sub: map({ m: 1n }) }), map({ n: 2n, deep: [map({}), map({ k: 3n })] })],
      }),
    );
  });

  test('takes __proto__ and constructor as names', () => {
    const text = '__proto__.polluted = 1\n[constructor.prototype]\npolluted = 1\n[["__proto__x"]]\n';
    expect(read(text)).toEqual(
      new Map<string, unknown>([
        ['__proto__', map({ polluted: 1n })],
        ['constructor', map({ prototype: map({ polluted: 1n }) })],
        ['__proto__x', [map({})]],
      ]),
    );
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('knows the lines of keys, values and tables', () => {
    const result = readToml('# first\na = 1\n\n[t]\r\nb = """\r\nx"""\r\nc = [\n  2\n]\n[t.u]');
    if (result.kind !== 'read') throw new Error(result.reason);
    const { entries } = result.root;
    expect(entries.get('a')).toEqual({ line: 2, value: { kind: 'integer', line: 2, value: 1n } });
    const t = entries.get('t')?.value;
    if (t?.kind !== 'table') throw new Error('t is a table');
    expect(t.line).toBe(4);
    expect([...t.entries].map(([key, { line }]) => [key, line])).toEqual([
      ['b', 5],
      ['c', 7],
      ['u', 10],
    ]);
    expect(t.entries.get('c')?.value).toMatchObject({ items: [{ line: 8 }] });
  });

  test('ignores a byte order mark', () => expect(read('\uFEFFa = 1')).toEqual(map({ a: 1n })));
});

describe('what is not TOML is told with line and column', () => {
  test.each<[string, string]>([
    ['a = 1\nb "x"\n', 'line 2, column 3: expected equal (=) token'],
    ['\n\nname = "x\n', 'line 3, column 10: unterminated string constant'],
    ['a = 1\na = 2', 'line 2, column 1: defining a key multiple times is invalid'],
    ['[a]\n[a]', 'line 2, column 2: defining a key multiple times is invalid'],
    ['a = [1', 'line 1, column 7: unterminated array'],
    ['a = \u0007', 'line 1, column 5: unexpected character'],
    ['a = {\nb = 1}', 'line 2, column 1: no newlines are allowed between the curly braces unless they are valid within a value'],
  ])('%j', (text, reason) => expect(read(text)).toBe(reason));

  test('too long', () => {
    expect(read(' '.repeat(TOML_LENGTH_MAX))).toEqual(map({}));
    expect(read(' '.repeat(TOML_LENGTH_MAX + 1))).toBe('line 1: longer than 65536 characters');
  });

  test('many brackets one after the other are not deep', () => {
    expect(readToml(Array.from({ length: 2 * TOML_OPEN_MAX }, (_, index) => `a${index} = [{}]`).join('\n')).kind).toBe('read');
  });

  test.each<[string, string, string]>([
    ['lists', '[', ']'],
    ['inline tables', '{a=', '}'],
  ])('%s nested too deeply, with the line', (_name, open, close) => {
    const nested = (depth: number) => `x = 1\na = ${open.repeat(depth)}1${close.repeat(depth)}`;
    expect(readToml(nested(TOML_OPEN_MAX)).kind).toBe('read');
    expect(read(nested(TOML_OPEN_MAX + 1))).toBe('line 2: more than 256 brackets are open');
    expect(read(nested(15_000))).toBe('line 2: more than 256 brackets are open');
  });
});
