/**
 * Does what the README tells a newcomer to do with `ringmail node --dev`, with the README's own lines: starts the node, sends with the
 * command and with curl, kills the node, starts it again and receives twice. Needs `npm ci` and `npm run build` before it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';

const RING = '.ringmail';
const START_MS_MAX = 20_000;
const COMMAND_MS_MAX = 20_000;
const BODY = '0117814872';

try {
  await follow(readShellLines(readFileSync('README.md', 'utf8')));
} catch (error) {
  console.error(`README: ${error.message}`);
  process.exitCode = 1;
}

/** @param {string[]} lines */
async function follow(lines) {
  for (const start of ['npm ci && npm start', 'npm ci && npm test']) need(`the line ${start}`, lines.includes(start));
  const [nodeLine, sendLine, curlLine, receiveLine] = [
    /^npx ringmail node --dev$/,
    /^npx ringmail send /,
    /^curl .*--unix-socket/,
    /^npx ringmail receive /,
  ].map((pattern) => {
    const line = lines.find((candidate) => pattern.test(candidate));
    need(`a line like ${pattern}`, line !== undefined);
    return line;
  });
  need(`no ${RING}/ left from before`, !existsSync(RING));
  let node = await startNode(nodeLine);
  try {
    run(sendLine);
    run(curlLine);
    await stop(node, 'SIGKILL');
    node = await startNode(nodeLine);
    for (const which of ['first', 'second']) need(`the ${which} message`, run(receiveLine).includes(BODY));
  } finally {
    await stop(node, 'SIGTERM');
    rmSync(RING, { recursive: true, force: true });
  }
}

/** Starts the node as the README does and resolves once it has printed its pid. @param {string} line */
async function startNode(line) {
  console.log(`$ ${line} &`);
  const child = spawn('bash', ['-c', `exec ${line}`], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const pid = await new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error(`the node printed no pid in ${START_MS_MAX} ms`)), START_MS_MAX);
    const read = (chunk) => {
      process.stdout.write(chunk);
      text += chunk;
      const match = /\bpid\W+(\d+)\b/i.exec(text);
      if (match === null) return;
      clearTimeout(timer);
      resolve(Number(match[1]));
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    ended.then(() => reject(new Error('the node ended before it printed its pid')));
  }).catch((error) => {
    child.kill('SIGTERM');
    throw error;
  });
  return { pid, ended };
}

/** Signals a started node and resolves when it has ended. */
async function stop({ pid, ended }, signal) {
  console.log(`$ kill -${signal.slice(3)} ${pid}`);
  try {
    process.kill(pid, signal);
  } catch (error) {
    // Ended already: what was asked for.
    if (error.code !== 'ESRCH') throw error;
  }
  await ended;
}

/** Runs one line and returns what it printed. @param {string} line */
function run(line) {
  console.log(`$ ${line}`);
  const { status, stdout } = spawnSync('bash', ['-c', line], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: COMMAND_MS_MAX,
  });
  process.stdout.write(stdout);
  need(`exit status 0 of: ${line}`, status === 0);
  return stdout;
}

/** The commands in the README's shell blocks: prompts and comments taken off, continued lines joined. @param {string} markdown */
function readShellLines(markdown) {
  const blocks = [...markdown.matchAll(/^```(?:sh|bash|console|shell)\n([\s\S]*?)^```/gm)].map((match) => match[1]);
  const text = blocks.join('').replaceAll(/\\\n\s*/g, '');
  return text.split('\n').map((line) =>
    line
      .replace(/^\$ /, '')
      .replace(/\s+#.*$/, '')
      .trim(),
  );
}

function need(what, holds) {
  if (!holds) throw new Error(`expected ${what}`);
}
