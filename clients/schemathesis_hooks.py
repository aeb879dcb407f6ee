"""What schemathesis needs to know of Callmarket: how the scalars are written.

Promises: mostly what is taken, now and then what is nearly that, so that both a command's decision and a
scalar's refusal are met. The market's own ids are among the ids, else every id would be unknown.

Leaves out: any rule of the exchange. The one check that counts is that the server never fails.
"""

import datetime
import json
import os

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

with open(os.environ["CALLMARKET_MARKET"], encoding="utf-8") as file:
    MARKET = json.load(file)


def text(strategy):
    return strategy.map(nodes.String)


def now_and_then(usual, rare):
    """Nine of ten as they should be: a document with one wrong scalar goes no further than that scalar."""
    return st.integers(0, 9).flatmap(lambda at: rare if at == 0 else usual)


decimals = now_and_then(
    st.one_of(
        st.sampled_from(["0", "0.00", "0.01", "5.00", "12.00", "999999999999999999"]),
        st.decimals(min_value=0, max_value=10_000, places=2).map(lambda value: format(value, "f")),
        st.decimals(min_value=-100, max_value=10**17, places=6).map(lambda value: format(value, "f")),
    ),
    st.sampled_from(["", "-0", "1e3", "+1", ".5", "5.", "1_000", "00.1", "٣", "0." + "0" * 40 + "1", "9" * 40]),
)
instants = now_and_then(
    st.datetimes(min_value=datetime.datetime(1970, 1, 1)).map(lambda at: at.isoformat() + "Z"),
    st.sampled_from(["", "now", "2026-02-30T00:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00+02:00"]),
)
durations = now_and_then(
    st.one_of(
        st.sampled_from(["PT0S", "PT1S", "PT20S", "PT10M", "P1D", "P7D", "PT0.000001S"]),
        st.integers(0, 10**7).map(lambda seconds: f"PT{seconds}S"),
    ),
    st.sampled_from(["", "P", "PT", "-PT1S", "P1Y", "P9223372036854775807D", "PT1.1234567S"]),
)
positions = now_and_then(
    # Positions the logs have: a `minSeq` that they lack is waited for, two seconds each.
    st.integers(0, 40).map(str),
    st.sampled_from(["", "-1", "01", "999999", str(2**64 - 1), str(2**64), "1.0"]),
)
currencies = now_and_then(st.sampled_from(["EUR", "USD", "JPY", "KWD"]), st.sampled_from(["eur", "XXX", "E", ""]))
cursors = st.one_of(
    st.just(MARKET["cursor"]), st.text(alphabet="ABCDEFabcdef0123456789-_", max_size=60), st.text(max_size=8)
)

schemathesis.graphql.scalar("Decimal", text(decimals))
schemathesis.graphql.scalar("DateTime", text(instants))
schemathesis.graphql.scalar("Duration", text(durations))
schemathesis.graphql.scalar("Seq", text(positions))
schemathesis.graphql.scalar("CurrencyCode", text(currencies))
schemathesis.graphql.scalar("Cursor", text(cursors))
schemathesis.graphql.scalar(
    "JSON",
    st.recursive(
        st.one_of(text(st.text(max_size=20)), st.integers(-5, 5).map(nodes.Int), st.booleans().map(nodes.Boolean)),
        lambda inner: st.lists(inner, max_size=3).map(nodes.List),
        max_leaves=5,
    ),
)

# Built-in scalars too: of random text no id is known, no topic has a queue and no idempotency key is long enough.
IDS = [MARKET["provider"]["id"], MARKET["offer"]["id"], MARKET["offer"]["link"]]
IDS += [agent["id"] for agent in MARKET["agents"]]
IDS += [inquiry[name] for inquiry in MARKET["inquiries"] for name in ("id", "auction", "queue")]
schemathesis.graphql.scalar("ID", text(now_and_then(st.sampled_from(IDS), st.text(max_size=40))))
schemathesis.graphql.scalar(
    "String",
    text(
        st.one_of(
            st.sampled_from(["main", "cards", "cards/lost", "home", "community", "https://example.org/a?b", "en"]),
            st.text(alphabet="0123456789abcdef", min_size=32, max_size=32),
            st.text(max_size=40),
        )
    ),
)


@schemathesis.check
def nothing_internal(ctx, response, case):
    """Whatever is asked, the house is never at fault: no 5xx, no code that blames the inside."""
    assert response.status_code < 500, f"status {response.status_code}"
    codes = {error["extensions"]["code"] for error in response.json().get("errors", [])}
    assert not codes & {"INTERNAL", "UNAVAILABLE", "TIMEOUT"}, codes
