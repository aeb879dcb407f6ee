"""PyPI gql over HTTP: typed scalars, exact decimals; and over graphql-transport-ws: a feed.

Promises: what Python holds as Decimal, datetime or int comes to the server and back as the same value, through gql's
own schema from the server's introspection; a refusal is a TransportQueryError with its code; a queue's feed comes item
by item while HTTP goes on beside it.

Leaves out: reconnecting, which gql leaves to its caller.
"""

import datetime
import json
import os
import secrets
from decimal import Decimal

import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXTransport
from gql.transport.websockets import WebsocketsTransport
from gql.utilities import update_schema_enum, update_schema_scalar
from graphql import GraphQLScalarType

with open(os.environ["CALLMARKET_MARKET"], encoding="utf-8") as file:
    MARKET = json.load(file)

DECIMAL = GraphQLScalarType("Decimal", serialize=lambda value: format(value, "f"), parse_value=Decimal)
SEQ = GraphQLScalarType("Seq", serialize=str, parse_value=int)
INSTANT = GraphQLScalarType(
    "DateTime",
    serialize=lambda value: value.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z"),
    parse_value=datetime.datetime.fromisoformat,
)


def opened(token):
    transport = HTTPXTransport(MARKET["url"], headers={"authorization": f"Bearer {token}"})
    client = Client(
        transport=transport, fetch_schema_from_transport=True, serialize_variables=True, parse_results=True
    )
    with client:
        for scalar in (DECIMAL, SEQ, INSTANT):
            update_schema_scalar(client.schema, scalar.name, scalar)
    return client


@pytest.fixture(scope="module")
def finance():
    return opened(MARKET["finance"])


def run(client, document, **variables):
    request = gql(document)
    request.variable_values = variables
    return client.execute(request)


CREDIT = """
mutation Credit($input: CreditWalletInput!) {
  creditWallet(input: $input) {
    account { seq currency balance { amount currency } available { amount } }
    log seq replayed
    userErrors { code message field }
  }
}
"""


def credit(money):
    owner = MARKET["agents"][0]["id"]
    return {"owner": owner, "amount": money, "reference": "gql", "idempotencyKey": secrets.token_hex(16)}


@pytest.mark.parametrize(
    "amounts, currency, exponent",
    [
        # Neither 0.1 nor 0.07 is a binary fraction; the large one is past 2**53 hundredths.
        (["0.10", "0.20", "0.07", "0.01"], "USD", 2),
        (["90071992547409.93", "0.01", "0.06"], "GBP", 2),
        (["1", "2"], "JPY", 0),
        (["0.001", "1.000", "999.999"], "KWD", 3),
    ],
)
def test_amounts_are_exact(finance, amounts, currency, exponent):
    total = Decimal(0)
    for amount in map(Decimal, amounts):
        money = {"amount": amount, "currency": currency}
        payload = run(finance, CREDIT, input=credit(money))["creditWallet"]
        assert payload["userErrors"] == []
        total += amount
        balance = payload["account"]["balance"]["amount"]
        assert isinstance(balance, Decimal)
        assert balance == total
        assert -balance.as_tuple().exponent == exponent, "padded to the currency's exponent"
        assert isinstance(payload["seq"], int)
        assert payload["account"]["seq"] >= payload["seq"]


def test_an_amount_finer_than_its_currency_is_refused_as_data(finance):
    money = {"amount": Decimal("0.001"), "currency": "EUR"}
    payload = run(finance, CREDIT, input=credit(money))["creditWallet"]
    assert payload["account"] is None
    assert [error["code"] for error in payload["userErrors"]] == ["INVALID"]


def test_instants_go_out_and_come_back_to_the_microsecond():
    operator = opened(MARKET["operator"])
    document = "query($filter: AuditFilter!) { auditTrail(filter: $filter, first: 1) { edges { node { seq at type } } } }"
    first = run(operator, document, filter={"log": "main"})["auditTrail"]["edges"][0]["node"]
    assert first["at"].tzinfo is not None
    just_it = {"log": "main", "from": first["at"], "to": first["at"] + datetime.timedelta(microseconds=1)}
    again = run(operator, document, filter=just_it)
    assert again["auditTrail"]["edges"][0]["node"] == first


def test_a_refusal_is_a_query_error_with_its_code(finance):
    with pytest.raises(TransportQueryError) as refused:
        run(finance, "query($after: Cursor) { auctions(first: 1, after: $after) { edges { cursor } } }", after="bm9uZQ")
    assert [error["extensions"]["code"] for error in refused.value.errors] == ["BAD_REQUEST"]


QUEUE = """
subscription Queue($id: ID!, $after: Cursor) {
  queueFeed(queueId: $id, after: $after) { meta { seq replay } kind inquiry { id } gap { reason } }
}
"""


def accepted():
    document = gql("mutation Accept($input: AcceptOfferInput!) { acceptOffer(input: $input) { inquiry { id } } }")
    offer = MARKET["offer"]
    press = {"offerId": offer["id"], "linkId": offer["link"], "channel": "MESSAGE", "idempotencyKey": secrets.token_hex(16)}
    document.variable_values = {"input": press}
    with Client(transport=HTTPXTransport(MARKET["url"])) as stranger:
        return stranger.execute(document)["acceptOffer"]["inquiry"]["id"]


def test_a_queue_tells_who_enters_it_item_by_item():
    queue, operator = MARKET["inquiries"][0]["queue"], MARKET["operator"]
    # A feed after the queue's cursor leaves no gap, so nobody has to wait for it to begin.
    cursor = run(opened(operator), "query($id: ID!) { queue(id: $id) { feedCursor } }", id=queue)["queue"]["feedCursor"]
    transport = WebsocketsTransport(
        url=MARKET["url"].replace("http", "ws"),
        init_payload={"authorization": f"Bearer {operator}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    feed = gql(QUEUE)
    feed.variable_values = {"id": queue, "after": cursor}
    due, told = [accepted()], []
    for item in Client(transport=transport).subscribe(feed):
        item = item["queueFeed"]
        assert item["gap"] is None
        if item["kind"] != "ENTERED" or item["inquiry"]["id"] not in due:
            continue
        told.append(item["inquiry"]["id"])
        if len(told) == 2:
            assert item["meta"]["replay"] is False
            break
        # The feed runs: this one comes as it happens.
        due.append(accepted())
    assert told == due
