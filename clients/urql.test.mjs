// @urql/core: document cache, POST and GET, and subscriptions over graphql-ws.
//
// Promises: urql's fetch exchange reads every answer; queries go by GET where it is asked to, mutations never; a
// refusal is a GraphQL error with its code, not a network error; a queue's feed comes item by item.
//
// Leaves out: bindings to any framework.

import { Client, cacheExchange, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import WebSocket from 'ws';
import { QUEUE, pulled, tellsWhoEnters } from './feeds.mjs';
import { bearer, key, market } from './market.mjs';

const { url, agents, inquiries, operator } = market();
const [, bidder] = agents;
const { auction, queue } = inquiries[2];
const open = [];
after(() => open.forEach((socket) => socket.dispose()));

/** With the methods it used, in order. */
function client(preferGetMethod, token = bidder.token) {
  const methods = [];
  const fetchToo = (address, init) => {
    methods.push(init?.method);
    return fetch(address, init);
  };
  // Connects when somebody subscribes.
  const address = url.replace('http', 'ws');
  const socket = createClient({ url: address, webSocketImpl: WebSocket, connectionParams: bearer(token), retryAttempts: 0 });
  open.push(socket);
  const forwardSubscription = ({ query, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
  });
  const urql = new Client({
    url,
    preferGetMethod,
    exchanges: [cacheExchange, fetchExchange, subscriptionExchange({ forwardSubscription })],
    fetchOptions: { headers: bearer(token) },
    fetch: fetchToo,
  });
  return { urql, methods };
}

const AUCTION = gql`query One($id: ID!) { auction(id: $id) { id bidCount myBid { id amount { amount } } } }`;
const BID = gql`
  mutation Bid($input: PlaceBidInput!) {
    placeBid(input: $input) { bid { id } auction { id bidCount } userErrors { code message field } }
  }
`;

for (const preferGetMethod of [false, 'force']) {
  const method = preferGetMethod ? 'GET' : 'POST';
  test(`queries by ${method}, mutations by POST, and the cache asks again after one`, async () => {
    const { urql, methods } = client(preferGetMethod);
    const before = await urql.query(AUCTION, { id: auction });
    assert.equal(before.error, undefined);
    const amount = preferGetMethod ? '25.00' : '20.00';
    const input = { auctionId: auction, amount: { amount, currency: 'EUR' }, idempotencyKey: key() };
    const { data, error } = await urql.mutation(BID, { input });
    assert.equal(error, undefined);
    assert.deepEqual(data.placeBid.userErrors, []);
    const after = await urql.query(AUCTION, { id: auction });
    assert.equal(after.data.auction.bidCount, before.data.auction.bidCount + 1);
    assert.equal(after.data.auction.myBid.amount.amount, amount);
    assert.deepEqual(methods, [method, 'POST', method]);
  });
}

test('a refusal is a GraphQL error with its code', async () => {
  for (const [code, token, document] of [
    ['VALIDATION_FAILED', bidder.token, '{ noSuchField }'],
    ['UNAUTHENTICATED', 'no token', '{ viewer { id } }'],
  ]) {
    const { error } = await client(false, token).urql.query(gql(document), {});
    assert.equal(error?.graphQLErrors[0]?.extensions?.code, code, `${code}: ${error}`);
  }
});

test('a queue tells who enters it, item by item', async () => {
  const { urql, methods } = client(false, operator);
  const subscribe = (variables) => pulled(({ next }) => urql.subscription(gql(QUEUE), variables).subscribe(next));
  const [first, second] = await tellsWhoEnters(operator, queue, subscribe);
  assert.ok(BigInt(first.seq) < BigInt(second.seq));
  assert.equal(second.replay, false);
  assert.deepEqual(methods, [], 'nothing of it went by HTTP');
});

test('an answer in part keeps what there is', async () => {
  const { urql } = client(false);
  const document = gql`
    query($id: ID!) { viewer { id } auction(id: $id) { id bids(first: 1, after: "bm9uZQ") { edges { cursor } } } }
  `;
  const { data, error } = await urql.query(document, { id: auction });
  assert.equal(data.viewer.id, bidder.id);
  assert.equal(data.auction, null);
  assert.deepEqual(error.graphQLErrors[0].path, ['auction', 'bids']);
});
