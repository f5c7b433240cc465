/** What a command sees of the process it runs in, and nothing else: a test is another world. */

export interface World {
  /** Hands text or bytes over. Resolves when that is done: false when nobody reads any more. Never rejects. */
  stdout(data: string | Uint8Array): Promise<boolean>;
  stderr(text: string): Promise<boolean>;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where relative paths start. */
  readonly cwd: string;
  /** Aborted when the command is asked to end: Ctrl-C, SIGTERM, SIGHUP. */
  readonly signal: AbortSignal;
  /** Somebody looks at stdout. */
  readonly isTty: boolean;
}

/** Ends that a second request for it makes immediate, by signal. */
const EXIT_BY_SIGNAL = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** The world of this process. Called once: it listens to signals and to the end of the output. */
export function processWorld(): World {
  const stop = new AbortController();
  for (const [name, code] of Object.entries(EXIT_BY_SIGNAL)) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(code);
      stop.abort();
    });
  }
  return {
    stdout: writerTo(process.stdout),
    stderr: writerTo(process.stderr),
    stdin: process.stdin,
    env: process.env,
    cwd: process.cwd(),
    signal: stop.signal,
    isTty: process.stdout.isTTY === true,
  };
}

function writerTo(stream: NodeJS.WriteStream): World['stdout'] {
  // A closed pipe is an event of the stream too; without a listener it would end the process in the middle of something.
  stream.on('error', () => {});
  return (data) => new Promise((resolve) => stream.write(data, (error) => resolve(error === null || error === undefined)));
}
