/**
 * A stand-in for the `serialport` package, for what a pseudo-terminal cannot do: never answer, refuse modem lines, be slow. Ports
 * are told apart by their path, behave as they are told, and note what was asked of them.
 */
import { EventEmitter } from 'node:events';

export interface FakeBehaviour {
  open?: 'hangs' | Error;
  write?: 'hangs';
  close?: 'hangs';
  set?: Error;
  /** Given what was written. */
  onWrite?: (bytes: Uint8Array) => void;
}

type Done = (error: Error | null) => void;

export class FakeSerialPort extends EventEmitter {
  static readonly behaviours = new Map<string, FakeBehaviour>();
  /** Every port made, in order. */
  static readonly made: FakeSerialPort[] = [];
  static list: () => Promise<object[]> = async () => [];

  static reset(): void {
    FakeSerialPort.behaviours.clear();
    FakeSerialPort.made.length = 0;
    FakeSerialPort.list = async () => [];
  }

  static of(path: string): FakeSerialPort[] {
    return FakeSerialPort.made.filter((port) => port.settings.path === path);
  }

  readonly settings: Readonly<Record<string, unknown>> & { readonly path: string };
  readonly calls: string[] = [];
  isOpen = false;

  constructor(settings: Readonly<Record<string, unknown>> & { readonly path: string }) {
    super();
    this.settings = settings;
    FakeSerialPort.made.push(this);
  }

  open(done: Done): void {
    const { open } = this.#behaviour;
    this.calls.push('open');
    if (open === 'hangs') return;
    this.#later(() => {
      this.isOpen = open === undefined;
      done(open ?? null);
    });
  }

  write(bytes: Uint8Array, done: Done): boolean {
    const { write, onWrite } = this.#behaviour;
    this.calls.push('write');
    if (write === 'hangs') return false;
    this.#later(() => {
      onWrite?.(bytes);
      done(null);
    });
    return true;
  }

  set(flags: object, done: Done): void {
    this.calls.push(`set ${JSON.stringify(flags)}`);
    this.#later(() => done(this.#behaviour.set ?? null));
  }

  flush(): void {
    this.calls.push('flush');
  }

  drain(): void {
    this.calls.push('drain');
  }

  close(done: Done): void {
    this.calls.push('close');
    this.isOpen = false;
    if (this.#behaviour.close === 'hangs') return;
    this.#later(() => {
      this.emit('close', null);
      done(null);
    });
  }

  /** Bytes come in. */
  gives(...bytes: number[]): void {
    this.emit('data', Buffer.from(bytes));
  }

  /** The driver says that it is gone. */
  breaks(reason: string): void {
    this.isOpen = false;
    this.emit('close', new Error(reason));
  }

  get #behaviour(): FakeBehaviour {
    return FakeSerialPort.behaviours.get(this.settings.path) ?? {};
  }

  #later(act: () => void): void {
    setImmediate(act);
  }
}
