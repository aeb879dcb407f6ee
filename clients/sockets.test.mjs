// graphql-ws, and raw sockets of ws for what a well-behaved client never sends.
//
// Promises: all operations run over one socket; a feed goes on from its cursor without gap or repeat over a new socket;
// each breach of the protocol is answered by its close code.
//
// Leaves out: limits, pings and slow readers (api/src/ws_tests.rs).

import { createClient } from 'graphql-ws';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
import WebSocket from 'ws';
import { AUDIT, QUEUE, TICKS, bidder, next, recorded, until } from './feeds.mjs';
import { give, key, market, token } from './market.mjs';

const { url, agents, operator, offer, inquiries } = market();
const address = url.replace('http', 'ws');
const { id: inquiry, auction, queue } = inquiries[3];
const bid = bidder(agents[0], auction);
const open = [];
after(() => open.forEach((client) => client.dispose()));

function client(bearer, more = {}) {
  const made = createClient({
    url: address,
    webSocketImpl: WebSocket,
    connectionParams: bearer && { authorization: `Bearer ${bearer}` },
    retryAttempts: 0,
    ...more,
  });
  open.push(made);
  return made;
}

test('queries, mutations and feeds share a socket', async () => {
  let sockets = 0;
  const ws = client(agents[0].token, { on: { opened: () => sockets++ } });
  const ticks = ws.iterate({ query: TICKS, variables: { id: auction } });
  const before = (await next(ticks)).auctionTicks;
  const input = { auctionId: auction, amount: { amount: '11.00', currency: 'EUR' }, idempotencyKey: key() };
  const document = 'mutation($input: PlaceBidInput!) { placeBid(input: $input) { bid { id } userErrors { code } } }';
  assert.deepEqual((await next(ws.iterate({ query: document, variables: { input } }))).placeBid.userErrors, []);
  const seen = await until(ticks, (item) => item.auctionTicks.bidCount > before.bidCount);
  assert.deepEqual(seen.at(-1).auctionTicks.price, { amount: '11.00', currency: 'EUR' });
  assert.equal((await next(ws.iterate({ query: '{ viewer { id } }' }))).viewer.id, agents[0].id);
  await ticks.return();
  assert.equal(sockets, 1);
});

test('an audit feed goes on from its cursor without gap or repeat', async () => {
  const first = client(operator);
  const feed = first.iterate({ query: AUDIT, variables: { subject: auction } });
  const started = next(feed);
  await waitForSocket();
  await bid();
  const { cursor } = (await started).auditFeed.meta;
  await first.dispose();
  await bid();
  await bid();
  const again = client(operator).iterate({ query: AUDIT, variables: { subject: auction, after: cursor } });
  const trail = await recorded(operator, auction);
  const items = await until(again, (item) => item.auditFeed.meta.seq === trail.at(-1));
  const told = [(await started).auditFeed, ...items.map((item) => item.auditFeed)].map((item) => item.meta.seq);
  assert.deepEqual(told, trail.slice(trail.indexOf(told[0])));
  assert.ok(items.every((item) => item.auditFeed.gap === null));
});

test('a queue tells who enters it', async () => {
  const feed = client(operator).iterate({ query: QUEUE, variables: { id: queue } });
  const entering = until(feed, (item) => item.queueFeed.kind === 'ENTERED');
  await waitForSocket();
  const press = { offerId: offer.id, linkId: offer.link, channel: 'MESSAGE' };
  const accepted = await give(url, undefined, 'acceptOffer', press, 'inquiry { id }');
  assert.equal((await entering).at(-1).queueFeed.inquiry.id, accepted.inquiry.id);
  assert.notEqual(accepted.inquiry.id, inquiry);
});

test('what is refused is told as errors of the operation, and the socket lives', async () => {
  const ws = client(agents[0].token);
  const refusal = (query) => next(ws.iterate({ query })).then(() => assert.fail(query), (error) => error);
  const code = (errors) => errors?.[0]?.extensions?.code;
  assert.equal(code(await refusal('{ noSuchField }')), 'VALIDATION_FAILED');
  assert.equal(code(await refusal('{')), 'PARSE_FAILED');
  assert.equal((await next(ws.iterate({ query: '{ viewer { id } }' }))).viewer.id, agents[0].id);
});

test('a token that ends closes the socket by 4403, and a fresh one goes on', async () => {
  const short = token('operator', undefined, '--ttl', '2s');
  const closed = [];
  const ws = client(short, { on: { closed: (event) => closed.push(event.code) }, shouldRetry: () => false });
  const feed = ws.iterate({ query: AUDIT, variables: { subject: auction } });
  await assert.rejects(feed.next());
  assert.deepEqual(closed, [4403]);
  const fresh = client(operator).iterate({ query: '{ viewer { role } }' });
  assert.equal((await next(fresh)).viewer.role, 'OPERATOR');
});

const INIT = JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${operator}` } });
const START = '{"id":"1","type":"start","payload":{"query":"{a}"}}';
const NOBODY = '{"type":"connection_init","payload":{"authorization":"Bearer x"}}';
const SUBSCRIBE = JSON.stringify({ id: '1', type: 'subscribe', payload: { query: AUDIT } });
for (const [code, what, protocol, messages] of [
  [4400, 'garbage', 'graphql-transport-ws', ['garbage']],
  [4400, 'a message of the older protocol', 'graphql-transport-ws', [INIT, START]],
  [4401, 'an operation before the handshake', 'graphql-transport-ws', [SUBSCRIBE]],
  [4403, 'a token that does not hold', 'graphql-transport-ws', [NOBODY]],
  // Who offers the older one alone breaks off by itself: the server agrees to none.
  [4406, 'no protocol', [], []],
  [4408, 'no handshake', 'graphql-transport-ws', []],
  [4409, 'two operations of one id', 'graphql-transport-ws', [INIT, SUBSCRIBE, SUBSCRIBE]],
  [4429, 'two handshakes', 'graphql-transport-ws', [INIT, INIT]],
]) {
  test(`${what} is answered by ${code}`, async () => {
    const socket = new WebSocket(address, protocol);
    socket.on('open', () => messages.forEach((message) => socket.send(message)));
    const patience = setTimeout(() => socket.terminate(), 10_000);
    const [closed] = await once(socket, 'close');
    clearTimeout(patience);
    assert.equal(closed, code);
  });
}

/** Until a socket just asked for has its feed: what happens before is not "from now". */
function waitForSocket() {
  return new Promise((resolve) => setTimeout(resolve, 500));
}
