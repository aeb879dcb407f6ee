"""The exported journal, read by programs that know nothing of this house: hledger, ledger, beancount, DuckDB.

Promises: each takes the whole journal by its strictest checks, and comes to the balances that `trialBalance` has, to the
last digit, in currencies of no, two and three decimals; each would have noticed a wrong cent.

Leaves out: what the entries mean, and a journal in parts (the stories in tests/ have both).
"""

import csv
import io
import json
import os
import secrets
import subprocess
import time
import urllib.request
from collections import defaultdict
from decimal import Decimal

import duckdb
import pytest
from beancount import loader
from beancount.core.data import Transaction

with open(os.environ["CALLMARKET_MARKET"], encoding="utf-8") as file:
    MARKET = json.load(file)
CALLMARKET = os.environ["CALLMARKET_BIN"]


def ask(token, query, **variables):
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    with urllib.request.urlopen(urllib.request.Request(MARKET["url"], body, headers), timeout=10) as answer:
        answer = json.load(answer)
    assert "errors" not in answer, answer
    return answer["data"]


def give(token, mutation, wanted, **given):
    kind = f"{mutation[0].upper()}{mutation[1:]}Input!"
    document = f"mutation($input: {kind}) {{ {mutation}(input: $input) {{ {wanted} userErrors {{ code message }} }} }}"
    payload = ask(token, document, input={**given, "idempotencyKey": secrets.token_hex(16)})[mutation]
    assert payload["userErrors"] == [], payload
    return payload


def token(role, subject):
    printed = subprocess.run(
        [CALLMARKET, "token", "--role", role, "--subject", subject], check=True, capture_output=True, text=True
    )
    return printed.stdout.strip().splitlines()[-1]


BALANCE = """
query($after: Cursor) {
  trialBalance {
    entries
    totals { debit { amount currency } credit { amount currency } }
    lines(first: 100, after: $after) {
      edges { node { account balance { amount currency } } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""


def trial_balance():
    """How many entries there are, and what stands in each account and currency."""
    held, after = {}, None
    while True:
        found = ask(MARKET["finance"], BALANCE, after=after)["trialBalance"]
        for total in found["totals"]:
            assert total["debit"] == total["credit"]
        for edge in found["lines"]["edges"]:
            money = edge["node"]["balance"]
            held[edge["node"]["account"], money["currency"]] = Decimal(money["amount"])
        after = found["lines"]["pageInfo"]["endCursor"]
        if not found["lines"]["pageInfo"]["hasNextPage"]:
            return int(found["entries"]), held


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    """A conversation that was paid, three currencies; the trial balance and the exported files."""
    hired = {"displayName": "Bo", "callServer": "main", "location": "home", "skills": [{"name": "cards"}]}
    agent = give(MARKET["operator"], "registerAgent", "agent { id }", **hired)["agent"]["id"]
    for amount, currency in [("10.00", "EUR"), ("1500", "JPY"), ("0.125", "KWD")]:
        money = {"amount": amount, "currency": currency}
        give(MARKET["finance"], "creditWallet", "account { id }", owner=agent, amount=money, reference="books")
    its = token("agent", agent)
    give(its, "setAgentStatus", "agent { id }", status="AVAILABLE")
    claim = {"direction": "FORWARD", "price": {"amount": "3.33", "currency": "EUR"}}
    offered = {"title": "Help at a price", "links": [{"label": "Help", "topic": "cards"}], "channels": ["MESSAGE"]}
    offer = give(
        MARKET["provider"]["token"],
        "publishOffer",
        "offer { id links { id } }",
        providerId=MARKET["provider"]["id"],
        allocation={"claim": claim},
        **offered,
    )["offer"]
    pressed = {"offerId": offer["id"], "linkId": offer["links"][0]["id"], "customer": {"displayName": "Cleo"}}
    inquiry = give(None, "acceptOffer", "inquiry { id }", channel="MESSAGE", **pressed)["inquiry"]["id"]
    session = give(its, "claimInquiry", "session { id }", inquiryId=inquiry)["session"]["id"]
    give(its, "endSession", "session { id }", sessionId=session)
    give(its, "completeWrapUp", "session { id }", sessionId=session)
    pending = (f"liabilities:provider:{MARKET['provider']['id']}:pending", "EUR")
    for _ in range(100):
        entries, held = trial_balance()
        if pending in held:
            break
        time.sleep(0.1)
    assert held[pending] == Decimal("-3.33")
    folder = tmp_path_factory.mktemp("books")
    for form in ("hledger", "beancount", "csv"):
        with open(folder / form, "wb") as out:
            subprocess.run([CALLMARKET, "export", "journal", "--format", form], check=True, stdout=out)
    assert {"EUR", "JPY", "KWD"} <= {currency for _, currency in held}
    return entries, held, folder


def spoiled(path, folder):
    """The file with a cent more in the one posting of 3.33 EUR to the provider."""
    text = path.read_text()
    assert text.count("-3.33 EUR") >= 1
    other = folder / f"spoiled.{path.name}"
    other.write_text(text.replace("-3.33 EUR", "-3.34 EUR", 1))
    return other


def test_hledger(books):
    _, held, folder = books

    def hledger(path, *what):
        return subprocess.run(["hledger", "-f", path, *what], capture_output=True, text=True)

    checked = hledger(folder / "hledger", "check", "-s", "ordereddates")
    assert checked.returncode == 0, checked.stderr
    found = {}
    for currency in {currency for _, currency in held}:
        shown = hledger(folder / "hledger", "balance", "--flat", "-N", "-O", "csv", f"cur:{currency}")
        for row in csv.DictReader(io.StringIO(shown.stdout)):
            found[row["account"], currency] = Decimal(row["balance"].removesuffix(f" {currency}"))
    assert found == held
    assert hledger(spoiled(folder / "hledger", folder), "check", "-s").returncode != 0


def test_ledger(books):
    _, held, folder = books

    def ledger(path, *what):
        return subprocess.run(["ledger", "-f", path, "--pedantic", *what], capture_output=True, text=True)

    found = {}
    for currency in {currency for _, currency in held}:
        line = "%(account)\t%(quantity(scrub(display_total)))\n"
        only = ["--limit", f'commodity == "{currency}"']
        shown = ledger(folder / "hledger", "balance", "--flat", "--no-total", *only, "--balance-format", line)
        assert shown.returncode == 0 and not shown.stderr, shown.stderr
        for row in shown.stdout.splitlines():
            account, amount = row.split("\t")
            found[account, currency] = Decimal(amount)
    assert found == held
    assert ledger(spoiled(folder / "hledger", folder), "balance").returncode != 0


def beancount_name(account):
    """`agt_…` is written `Agt-…` there."""
    return ":".join(part[0].upper() + part[1:].replace("_", "-") for part in account.split(":"))


def test_beancount(books):
    entries, held, folder = books
    read, errors, options = loader.load_file(str(folder / "beancount"))
    assert errors == []
    assert options["tolerance_multiplier"] == 0
    transactions = [entry for entry in read if isinstance(entry, Transaction)]
    assert len(transactions) == entries
    found = defaultdict(Decimal)
    for transaction in transactions:
        for posting in transaction.postings:
            found[posting.account, posting.units.currency] += posting.units.number
    found = {key: amount for key, amount in found.items() if amount}
    assert found == {(beancount_name(account), currency): amount for (account, currency), amount in held.items()}
    assert loader.load_file(str(spoiled(folder / "beancount", folder)))[1] != []


def test_duckdb(books):
    entries, held, folder = books
    table = f"read_csv('{folder / 'csv'}', all_varchar = true, header = true)"
    amount = "sum(amount::DECIMAL(38, 9))"
    off = duckdb.sql(f"SELECT number, currency FROM {table} GROUP BY ALL HAVING {amount} <> 0")
    assert off.fetchall() == []
    count = duckdb.sql(f"SELECT count(DISTINCT number), max(number::BIGINT), count(*) FROM {table}").fetchall()[0]
    assert count[:2] == (entries, entries) and count[2] >= 2 * entries
    sums = duckdb.sql(f"SELECT account, currency, {amount} AS held FROM {table} GROUP BY ALL HAVING held <> 0")
    assert {(account, currency): money for account, currency, money in sums.fetchall()} == held
