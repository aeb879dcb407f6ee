// What a client of feeds does, whatever carries them: the documents, a bid that brings items about, and taking items
// one by one with patience.
//
// Leaves out: transports; sockets.test.mjs and streams.test.mjs bring those.

import { ask, give, market } from './market.mjs';

const { url } = market();
/** For an item that should come at once. */
const PATIENCE = 10_000;

export const TICKS = 'subscription($id: ID!) { auctionTicks(auctionId: $id) { id bidCount price { amount currency } } }';
export const AUDIT = `subscription($subject: ID, $after: Cursor) {
  auditFeed(subject: $subject, after: $after) { meta { cursor log seq at replay } entry { seq type hash data } gap { reason } }
}`;
export const QUEUE = `subscription($id: ID!, $after: Cursor) {
  queueFeed(queueId: $id, after: $after) { meta { cursor seq replay } kind inquiry { id } queue { id depth } gap { reason } }
}`;

/** A higher bid than those before it. */
export function bidder(agent, auction) {
  let units = 10;
  return async () => {
    units += 10;
    const input = { auctionId: auction, amount: { amount: `${units}.00`, currency: 'EUR' } };
    await give(url, agent.token, 'placeBid', input, 'bid { id } seq');
    return `${units}.00`;
  };
}

/** What the trail tells of something, as positions in its log: what a feed must have told. */
export async function recorded(token, subject) {
  const document = 'query($id: ID!) { auditTrail(subject: $id, first: 100) { edges { node { seq } } } }';
  const { auditTrail } = await ask(url, token, document, { id: subject });
  return auditTrail.edges.map((edge) => edge.node.seq);
}

/** The next item's data; throws where it has errors, where the feed ends and where none comes. */
export async function next(feed) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('no item came')), PATIENCE);
  });
  const { value, done } = await Promise.race([feed.next(), late]).finally(() => clearTimeout(timer));
  if (done) throw new Error('the feed has ended');
  if (value.errors) throw new Error(JSON.stringify(value.errors));
  return value.data;
}

/** Items until one fits, that one last. */
export async function until(feed, fits) {
  const items = [];
  for (;;) {
    items.push(await next(feed));
    if (fits(items.at(-1))) return items;
  }
}
