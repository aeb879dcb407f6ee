// graphql-sse in its "distinct connections" mode.
//
// Promises: a feed comes over SSE item by item, and the items are those of graphql-ws to the letter; a query answers and
// completes; a refusal is told with its code.
//
// Leaves out: the "single connection" mode, which the server does not have.

import { createClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import WebSocket from 'ws';
import { AUDIT, TICKS, bidder, next, recorded, until } from './feeds.mjs';
import { bearer, market } from './market.mjs';

const { url, agents, operator, inquiries } = market();
const { auction } = inquiries[4];
const bid = bidder(agents[1], auction);
const open = [];
after(() => open.forEach((client) => client.dispose()));

function client(token) {
  const made = createClient({ url, headers: bearer(token), retryAttempts: 0 });
  open.push(made);
  return made;
}

test('ticks come as bids are placed', async () => {
  const ticks = client(agents[0].token).iterate({ query: TICKS, variables: { id: auction } });
  const { bidCount } = (await next(ticks)).auctionTicks;
  const amount = await bid();
  const seen = await until(ticks, (item) => item.auctionTicks.bidCount > bidCount);
  assert.equal(seen.at(-1).auctionTicks.price.amount, amount);
  await ticks.return();
});

test('a feed resumed over SSE and over a socket is the same to the letter', async () => {
  const feed = client(operator).iterate({ query: AUDIT, variables: { subject: auction } });
  const first = next(feed);
  await new Promise((resolve) => setTimeout(resolve, 500));
  await bid();
  const { cursor } = (await first).auditFeed.meta;
  await feed.return();
  await bid();
  await bid();
  const last = (await recorded(operator, auction)).at(-1);
  const ended = (item) => item.auditFeed.meta.seq === last;
  const variables = { subject: auction, after: cursor };
  const overSse = await until(client(operator).iterate({ query: AUDIT, variables }), ended);
  const socket = createSocketClient({
    url: url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${operator}` },
  });
  open.push(socket);
  const overSocket = await until(socket.iterate({ query: AUDIT, variables }), ended);
  assert.ok(overSse.length >= 2);
  assert.equal(JSON.stringify(overSse), JSON.stringify(overSocket));
});

test('a query answers once and completes; a refusal has its code', async () => {
  const sse = client(operator);
  const answer = sse.iterate({ query: '{ viewer { role } }' });
  assert.equal((await next(answer)).viewer.role, 'OPERATOR');
  assert.equal((await answer.next()).done, true);
  const refused = await sse.iterate({ query: '{ noSuchField }' }).next();
  assert.equal(refused.value.errors[0].extensions.code, 'VALIDATION_FAILED');
});
