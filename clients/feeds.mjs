// What a client of feeds does, whatever carries them: the documents, a bid that brings items about, and taking items
// one by one with patience.
//
// Leaves out: transports; sockets.test.mjs and streams.test.mjs bring those, and other libraries have theirs.

import { ask, give, market } from './market.mjs';

const { url, offer } = market();
/** For an item that should come at once. */
const PATIENCE = 10_000;

export const TICKS = 'subscription($id: ID!) { auctionTicks(auctionId: $id) { id bidCount price { amount currency } } }';
export const AUDIT = `subscription($subject: ID, $after: Cursor) {
  auditFeed(subject: $subject, after: $after) { meta { cursor log seq at replay } entry { seq type hash data } gap { reason } }
}`;
export const QUEUE = `subscription($id: ID!, $after: Cursor) {
  queueFeed(queueId: $id, after: $after) { meta { cursor seq replay } kind inquiry { id } queue { id depth } gap { reason } }
}`;

/** A queue's cursor as it is now: a feed after it leaves no gap. */
export async function cursorOf(token, queue) {
  return (await ask(url, token, 'query($id: ID!) { queue(id: $id) { feedCursor } }', { id: queue })).queue.feedCursor;
}

/** Somebody accepts the offer; the inquiry's id. */
export async function accepted() {
  const press = { offerId: offer.id, linkId: offer.link, channel: 'MESSAGE' };
  return (await give(url, undefined, 'acceptOffer', press, 'inquiry { id }')).inquiry.id;
}

/** What calls back for each result, as an iterator of them. */
export function pulled(subscribe) {
  let subscription;
  const results = new ReadableStream({
    start(controller) {
      const next = (result) => controller.enqueue(result);
      subscription = subscribe({ next, error: (error) => controller.error(error), complete: () => controller.close() });
    },
    cancel() {
      subscription.unsubscribe();
    },
  });
  return results[Symbol.asyncIterator]();
}

/**
 * Two inquiries enter a queue, and its feed tells of both: the second comes when the feed has shown that it runs.
 * `open(variables)` begins the feed after a cursor.
 */
export async function tellsWhoEnters(token, queue, open) {
  const feed = open({ id: queue, after: await cursorOf(token, queue) });
  const entering = async (inquiry) => {
    const items = await until(feed, (item) => item.queueFeed.kind === 'ENTERED' && item.queueFeed.inquiry.id === inquiry);
    return items.at(-1).queueFeed.meta;
  };
  const first = await entering(await accepted());
  const second = await entering(await accepted());
  await feed.return();
  return [first, second];
}

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
  const errors = value.errors ?? value.error;
  if (errors) throw new Error(JSON.stringify(errors));
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
