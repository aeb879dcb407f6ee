// Documents as an application on Relay writes them: connections, fragments, refetching by node, mutations that
// update a store. relay-compiler reads the tagged templates; nothing here runs.
//
// Promises: one of each shape that Relay demands of a schema (docs: "GraphQL Server Specification").
//
// Leaves out: subscriptions, and what Relay does in a browser.

graphql`
  query documentsAuctionsQuery($count: Int!, $cursor: Cursor) {
    viewer {
      id
      role
    }
    ...documents_auctions @arguments(count: $count, cursor: $cursor)
  }
`;

// A connection at the root, refetchable by page.
graphql`
  fragment documents_auctions on Query
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "Cursor" })
  @refetchable(queryName: "documentsAuctionsPageQuery") {
    auctions(filter: { states: [OPEN] }, first: $count, after: $cursor) @connection(key: "documents_auctions") {
      edges {
        node {
          id
          ...documents_auction
        }
      }
    }
  }
`;

// A fragment on a Node: Relay refetches it by node(id:).
graphql`
  fragment documents_auction on Auction
  @argumentDefinitions(count: { type: "Int", defaultValue: 5 }, cursor: { type: "Cursor" })
  @refetchable(queryName: "documentsAuctionQuery") {
    state
    price {
      amount
      currency
    }
    bids(first: $count, after: $cursor) @connection(key: "documents_bids") {
      edges {
        node {
          bidder
          amount {
            amount
          }
        }
      }
    }
  }
`;

graphql`
  query documentsNodeQuery($id: ID!) {
    node(id: $id) {
      __typename
      id
      ... on Offer {
        title
        allocation {
          __typename
          ... on AuctionRules {
            openFor
          }
        }
      }
      ... on Auction {
        ...documents_auction @alias
      }
    }
  }
`;

graphql`
  mutation documentsPlaceBidMutation($input: PlaceBidInput!, $connections: [ID!]!) {
    placeBid(input: $input) {
      bid @prependNode(connections: $connections, edgeTypeName: "BidEdge") {
        id
        bidder
        amount {
          amount
        }
      }
      auction {
        id
        bidCount
      }
      userErrors {
        __typename
        code
        message
        ... on BidTooLow {
          minimum {
            amount
          }
        }
      }
    }
  }
`;
