// @apollo/client without a browser: link, normalised cache, error classes.
//
// Promises: queries, mutations and refusals come to Apollo as what they are; a queue's feed comes by graphql-ws beside
// them. Above all, what is wrong with a request comes as GraphQL errors, never as a ServerError, which would have lost
// the server's words.
//
// Leaves out: React.

import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { createClient } from 'graphql-ws';
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import WebSocket from 'ws';
import { QUEUE, pulled, tellsWhoEnters } from './feeds.mjs';
import { bearer, key, market } from './market.mjs';

const { url, agents, operator, inquiries } = market();
const { auction, queue } = inquiries[1];
const open = [];
after(() => open.forEach((socket) => socket.dispose()));

function client(token) {
  // Connects when somebody subscribes.
  const address = url.replace('http', 'ws');
  const socket = createClient({ url: address, webSocketImpl: WebSocket, connectionParams: bearer(token), retryAttempts: 0 });
  open.push(socket);
  const subscribes = ({ operationType }) => operationType === 'subscription';
  return new ApolloClient({
    link: ApolloLink.split(subscribes, new GraphQLWsLink(socket), new HttpLink({ uri: url, headers: bearer(token) })),
    cache: new InMemoryCache({
      // As Apollo's own command writes it from the schema.
      possibleTypes: {
        UserError: ['PlainUserError', 'BidTooLow', 'BidTooHigh', 'IdempotencyConflict', 'InsufficientFunds', 'StaleRevision'],
      },
      typePolicies: { Query: { fields: { auctions: relayStylePagination(['filter']) } } },
    }),
  });
}

const BID = gql`
  mutation Bid($input: PlaceBidInput!) {
    placeBid(input: $input) {
      bid { id state amount { amount currency } }
      auction { id price { amount } bidCount }
      replayed
      userErrors { code message ... on BidTooLow { minimum { amount currency } } }
    }
  }
`;
const AUCTION = gql`query One($id: ID!) { auction(id: $id) { id bidCount price { amount } } }`;
const AUCTIONS = gql`
  query Page($first: Int!, $after: Cursor) {
    auctions(filter: { states: [OPEN] }, first: $first, after: $after) {
      edges { cursor node { id state } }
      pageInfo { hasNextPage endCursor hasPreviousPage startCursor }
    }
  }
`;

test('pages go together in the normalised cache', async () => {
  const apollo = client(operator);
  const watched = apollo.watchQuery({ query: AUCTIONS, variables: { first: 2 } });
  const subscription = watched.subscribe({});
  let cached;
  const page = () => (cached = apollo.cache.readQuery({ query: AUCTIONS }).auctions).pageInfo;
  await watched.refetch();
  // Two pages are there; more rounds than that would be a page that leads to itself.
  for (let round = 0; round < inquiries.length && page().hasNextPage; round++) {
    await watched.fetchMore({ variables: { after: cached.pageInfo.endCursor } });
  }
  subscription.unsubscribe();
  assert.equal(page().hasNextPage, false);
  const seen = cached.edges.map((edge) => edge.node.id);
  assert.deepEqual(seen.sort(), inquiries.map((inquiry) => inquiry.auction).sort());
});

test('a bid changes the auction that is in the cache; a bid too low is data, with its bound', async () => {
  const apollo = client(agents[0].token);
  assert.equal((await apollo.query({ query: AUCTION, variables: { id: auction } })).data.auction.bidCount, 0);
  const bid = (amount, idempotencyKey = key()) => {
    const input = { auctionId: auction, amount: { amount, currency: 'EUR' }, idempotencyKey };
    return apollo.mutate({ mutation: BID, variables: { input } }).then(({ data }) => data.placeBid);
  };
  const once = key();
  const placed = await bid('12.00', once);
  assert.deepEqual(placed.userErrors, []);
  assert.deepEqual(placed.bid.amount, { __typename: 'Money', amount: '12.00', currency: 'EUR' });
  const cached = apollo.cache.readQuery({ query: AUCTION, variables: { id: auction } });
  assert.equal(cached.auction.bidCount, 1);

  const again = await bid('12.00', once);
  assert.equal(again.replayed, true);
  assert.equal(again.bid.id, placed.bid.id);

  const low = await bid('0.01');
  assert.equal(low.bid, null);
  assert.equal(low.userErrors[0].code, 'BID_TOO_LOW');
  assert.match(low.userErrors[0].minimum.amount, /^[0-9]+[.][0-9]{2}$/);
});

test('a queue tells who enters it, item by item', async () => {
  const apollo = client(operator);
  const query = gql(QUEUE);
  const subscribe = (variables) => pulled((observer) => apollo.subscribe({ query, variables }).subscribe(observer));
  const [first, second] = await tellsWhoEnters(operator, queue, subscribe);
  assert.ok(BigInt(first.seq) < BigInt(second.seq));
  assert.equal(second.replay, false);
});

test('whatever is wrong with a request comes as GraphQL errors with their code', async () => {
  const input = { auctionId: auction, amount: { amount: '50.00', currency: 'EUR' }, idempotencyKey: key() };
  const RETIRE = gql`mutation Retire($input: RetireQueueInput!) { retireQueue(input: $input) { seq } }`;
  const retired = { queueId: inquiries[1].queue, idempotencyKey: key() };
  const refusals = [
    ['VALIDATION_FAILED', operator, gql`{ noSuchField }`, {}],
    ['VALIDATION_FAILED', operator, AUCTIONS, { first: 'one' }],
    ['BAD_REQUEST', operator, AUCTIONS, { first: 1, after: 'bm9uZQ' }],
    ['COST_EXCEEDED', operator, gql`{ ${costly()} }`, {}],
    ['UNAUTHENTICATED', 'no token', AUCTION, { id: auction }],
    ['UNAUTHENTICATED', undefined, BID, { input }],
    ['FORBIDDEN', agents[0].token, RETIRE, { input: retired }],
  ];
  for (const [code, token, query, variables] of refusals) {
    const writes = query.definitions[0].operation === 'mutation';
    const apollo = client(token);
    const asked = writes ? apollo.mutate({ mutation: query, variables }) : apollo.query({ query, variables });
    const failed = await asked.then(
      () => assert.fail(`${code}: it was answered`),
      (error) => error,
    );
    assert.ok(CombinedGraphQLErrors.is(failed), `${code}: ${failed.name}: ${failed.message}`);
    assert.equal(failed.errors[0].extensions.code, code);
  }
});

/** More than one request may ask for. */
function costly() {
  const inner = 'inquiries(first: 100) { edges { node { auctions(first: 100) { edges { cursor } } } } }';
  return `queues(first: 100) { edges { node { ${inner} } } }`;
}
