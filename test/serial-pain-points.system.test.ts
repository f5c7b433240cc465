/** Pain points of serial ports that show in whole processes only. The others: serial-pain-points.test.ts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ptysAvailable } from '../hardware-sim/pty.ts';
import { PtyPort } from '../hardware-sim/pty-cable.ts';
import { stream } from '../hardware-sim/random.ts';
import { type Child, startCli, temporaryFolder } from './child.ts';

const missing = await ptysAvailable();

describe.skipIf(missing !== undefined)(`a node on a terminal${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  const children: Child[] = [];
  const clean: (() => unknown)[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) if (child.process.exitCode === null) await child.kill('SIGKILL');
    for (const act of clean.splice(0).reverse()) await act();
  });

  async function started(more = '') {
    const folder = temporaryFolder('pain');
    clean.push(folder.remove);
    const port = new PtyPort(join(folder.path, 'port'), { baud: undefined, random: stream(1, 'port') });
    clean.push(() => port.unplug());
    const far = await port.plug();
    const heard: number[] = [];
    far.listen({ onBytes: (bytes) => void heard.push(...bytes), onClosed: () => {} });
    writeFileSync(
      join(folder.path, 'gateway.toml'),
      `name = "gateway"\n[ring]\npath = "gateway.ring"\nsize = "2 MiB"\nallowVolatile = true\n[queues.bags]\n[[links]]\nlisten = "serial:port?baud=115200"\n${more}`,
    );
    const node = startCli(['node', '--config', 'gateway.toml'], folder.path);
    children.push(node);
    await node.said(/^pid \d+$/m);
    return { node, port, heard, far };
  }

  const knocked = async (heard: readonly number[]): Promise<void> => {
    for (let i = 0; i < 200 && heard.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard.length).toBeGreaterThan(0);
  };

  it('node-serialport#150: a process that closes an open, reading port ends by itself', async () => {
    const { node, heard, far } = await started();
    await knocked(heard);
    far.write(Uint8Array.of(1, 2, 3));
    const startMs = performance.now();
    expect(await node.kill('SIGTERM')).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });

  it('node-serialport#271: a process whose port is gone does not spin', async () => {
    const { node, port, heard } = await started();
    await knocked(heard);
    await port.unplug();
    await node.said(/ENOENT/);
    const before = cpuMs(node);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    // Three seconds of which a spinning process would take all; looking for the port takes a few milliseconds.
    expect((await cpuMs(node)) - (await before)).toBeLessThan(1_000);
    expect(await node.kill('SIGTERM')).toBe(0);
  });

  it('node-red#1078: one dead port of a process stops neither the others nor the process', async () => {
    const { node, heard } = await started(
      '[[links]]\nlisten = "serial:none?baud=9600"\n[[links]]\nlisten = "serial:/dev/null?baud=9600"\n',
    );
    await knocked(heard);
    await node.said(/serial:.*none\?baud=9600: LINE_UNAVAILABLE/);
    expect(node.process.exitCode).toBeNull();
    expect(await node.kill('SIGTERM')).toBe(0);
  });
});

/** Processor time of a process so far, user and system, in ms; its ticks are 10 ms. */
async function cpuMs(child: Child): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const stat = await readFile(`/proc/${child.process.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}
