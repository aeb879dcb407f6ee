// relay-compiler against the committed SDL, and what it wrote against the server.
//
// Promises: Relay's compiler takes the schema as it is, Node and connections included; each operation it writes (it
// adds ids, type names, page infos and whole queries of its own) is one the server runs.
//
// Leaves out: relay-runtime and its store.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bearer, key, market } from './market.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const artifacts = `${here}/../target/clients/relay`;
const { url, agents, inquiries, offer } = market();
const [bidder] = agents;
const { auction } = inquiries[0];

before(() => {
  rmSync(artifacts, { recursive: true, force: true });
  mkdirSync(artifacts, { recursive: true });
  const compiler = [`${here}/node_modules/relay-compiler/cli.js`, 'relay.config.json'];
  const { status, stdout, stderr } = spawnSync(process.execPath, compiler, { cwd: here, encoding: 'utf8' });
  if (status !== 0) throw new Error(stdout + stderr);
});

async function run(operation, variables) {
  const { default: artifact } = await import(pathToFileURL(`${artifacts}/${operation}.graphql.js`));
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json', ...bearer(bidder.token) },
    body: JSON.stringify({ query: artifact.params.text, operationName: artifact.params.name, variables }),
  });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  assert.equal(answer.errors, undefined);
  return answer.data;
}

test('the compiler has written every operation', () => {
  const written = readdirSync(artifacts).filter((name) => name.endsWith('.graphql.js'));
  assert.deepEqual(written.map((name) => name.replace('.graphql.js', '')).sort(), [
    'documentsAuctionQuery',
    'documentsAuctionsPageQuery',
    'documentsAuctionsQuery',
    'documentsNodeQuery',
    'documentsPlaceBidMutation',
    'documents_auction',
    'documents_auctions',
  ]);
});

test('a connection is read page by page, by the query Relay made for it', async () => {
  const first = await run('documentsAuctionsQuery', { count: 1 });
  assert.equal(first.auctions.edges.length, 1);
  assert.equal(first.auctions.pageInfo.hasNextPage, true);
  const cursor = first.auctions.pageInfo.endCursor;
  const second = await run('documentsAuctionsPageQuery', { count: 100, cursor });
  assert.equal(second.auctions.pageInfo.hasNextPage, false);
  const seen = [...first.auctions.edges, ...second.auctions.edges].map((edge) => edge.node.id);
  assert.deepEqual([...new Set(seen)].sort(), inquiries.map((inquiry) => inquiry.auction).sort());
});

test('a mutation gives an edge to put into a list, and the fragment is refetched by its node', async () => {
  const input = { auctionId: auction, amount: { amount: '7.50', currency: 'EUR' }, idempotencyKey: key() };
  const { placeBid } = await run('documentsPlaceBidMutation', { input, connections: [] });
  assert.deepEqual(placeBid.userErrors, []);
  const { node } = await run('documentsAuctionQuery', { id: auction, count: 5 });
  assert.equal(node.__typename, 'Auction');
  assert.equal(node.id, auction);
  assert.deepEqual(node.price, { amount: '7.50', currency: 'EUR' });
  assert.equal(node.bids.edges[0].node.id, placeBid.bid.id);
});

test('a node of any type is asked for by its id', async () => {
  const { node } = await run('documentsNodeQuery', { id: offer.id });
  assert.deepEqual(node, {
    __typename: 'Offer',
    id: offer.id,
    title: 'Help with cards',
    allocation: { __typename: 'AuctionRules', openFor: 'PT1H' },
  });
  assert.equal((await run('documentsNodeQuery', { id: 'off_00000000000000000000000000' })).node, null);
});
