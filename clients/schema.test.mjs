// graphql-inspector over the SDL: the file in the repository, the one the binary prints, the contract, the one before.
//
// Promises: the committed SDL is the binary's, with not one change between them; who was written for it goes on with
// the contract, but for what the product adds and argues for (ADDED in sdl_tests.rs, the one list of it), and who was
// written for the contract misses only what is not there yet; what the version before it
// offered is still there, but for what breaks.json names with a reason.
// CALLMARKET_SHARED names the folder with the contract, schema.graphql; ../shared without it. Where that folder is, a
// missing contract is a failure; where it is not, the committed SDL is all there is to compare with.
//
// Leaves out: descriptions and defaults against the contract (api/src/graphql/sdl_tests.rs).

import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const SDL = 'api/schema.graphql';
const root = fileURLToPath(new URL('..', import.meta.url));
const committed = readFileSync(`${root}/${SDL}`, 'utf8');
const text = ({ criticality, message }) => `${criticality.level}: ${message}`;

test('the committed SDL is the one the binary prints', async () => {
  const printed = execFileSync(process.env.CALLMARKET_BIN, ['schema'], { encoding: 'utf8' });
  const changes = await diff(buildSchema(committed), buildSchema(printed));
  assert.deepEqual(changes.map(text), []);
  assert.equal(printed, committed, 'the same schema, written otherwise');
});

test('whoever was written for this SDL goes on with the contract, and the other way but for what is not there yet', async (t) => {
  const shared = process.env.CALLMARKET_SHARED ?? `${root}/../shared`;
  if (!existsSync(shared)) return t.diagnostic('the contract is not here');
  const [ours, contract] = [committed, readFileSync(`${shared}/schema.graphql`, 'utf8')].map((sdl) => buildSchema(sdl));
  const breaking = (changes) => changes.filter((change) => change.criticality.level === CriticalityLevel.Breaking);
  const added = [...readFileSync(`${root}/api/src/graphql/sdl_tests.rs`, 'utf8').matchAll(/^    \("([\w.]+)", "\d{4}-/gm)];
  assert.ok(added.length > 0, 'the list of additions is read');
  const isAdded = (change) => added.some(([, path]) => path === change.path);
  assert.deepEqual(breaking(await diff(ours, contract)).filter((change) => !isAdded(change)).map(text), []);
  const back = breaking(await diff(contract, ours));
  t.diagnostic(`${back.length} of the contract's types, fields and values are not there yet`);
  assert.deepEqual(back.filter((change) => !change.type.endsWith('_REMOVED')).map(text), []);
});

test('nothing is taken away that the version before offered', async (t) => {
  const before = previous();
  if (before === undefined) return t.diagnostic('no version before this one is known here');
  const accepted = JSON.parse(readFileSync(new URL('breaks.json', import.meta.url), 'utf8'));
  const changes = await diff(buildSchema(before), buildSchema(committed));
  const breaking = changes.filter((change) => change.criticality.level === CriticalityLevel.Breaking);
  t.diagnostic(`${changes.length} changes, ${breaking.length} of them breaking`);
  const unexplained = breaking.filter((change) => !(change.path in accepted));
  assert.deepEqual(unexplained.map((change) => `${change.path}: ${change.message}`), []);
});

/** The newest text of the SDL in git that is not the present one; none without git or before the first change. */
function previous() {
  const quietly = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
  const git = (...command) => execFileSync('git', ['-C', root, ...command], quietly);
  try {
    const commits = git('log', '--format=%H', '-n', '2', '--', SDL).split('\n').filter(Boolean);
    const texts = commits.map((commit) => git('show', `${commit}:${SDL}`));
    return texts.find((text) => text !== committed);
  } catch {
    return undefined;
  }
}
