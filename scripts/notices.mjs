import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const LICENCE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;
const RULE = `${'-'.repeat(78)}\n`;

/**
 * Name, version, licence and licence text of every package whose code is in the bundles, sorted, so the same input gives the same text.
 * @param {string} root where the paths of the metafile start
 * @param {import('esbuild').Metafile} metafile
 * @returns {string}
 */
export function collectNotices(root, metafile) {
  const folders = new Set();
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      if (path.includes('node_modules/') && bytesInOutput > 0) folders.add(packageFolder(root, path));
    }
  }
  const notices = [...folders].map(readNotice).sort((a, b) => (a.title < b.title ? -1 : a.title > b.title ? 1 : 0));
  const unique = notices.filter(({ title }, index) => title !== notices[index - 1]?.title);
  const intro = 'ringmail is bundled with these packages. Each keeps its own licence.\n';
  return intro + unique.map(({ title, licence, text }) => `\n${RULE}${title}\nLicence: ${licence}\n\n${text.trim()}\n`).join('');
}

/** The nearest folder above a file whose package.json names a package. */
function packageFolder(root, path) {
  let folder = dirname(join(root, path));
  while (!existsSync(join(folder, 'package.json')) || readPackage(folder).name === undefined) folder = dirname(folder);
  return folder;
}

function readPackage(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

function readNotice(folder) {
  const { name, version, license, licenses } = readPackage(folder);
  const licence = license?.type ?? license ?? licenses?.map(({ type }) => type).join(' OR ') ?? 'not stated';
  return { title: `${name} ${version}`, licence, text: readLicenceText(folder) };
}

function readLicenceText(folder) {
  const names = readdirSync(folder).sort();
  const texts = names.filter((name) => LICENCE_FILE.test(name)).map((name) => readFileSync(join(folder, name), 'utf8').trim());
  if (texts.length > 0) return texts.join('\n\n');
  const readme = names.find((name) => /^readme/i.test(name));
  const section = readme && /^#+ *licen[cs]e\b[^\n]*\n([\s\S]*)/im.exec(readFileSync(join(folder, readme), 'utf8'));
  return section ? section[1] : 'The package carries no licence text.';
}
