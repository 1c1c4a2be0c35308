"""The auctions in a real browser, on the real stack: what bidders see, whatever their clock says and whatever dies."""

from __future__ import annotations

import asyncio
import itertools
import re
import signal
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio
from centrifuge import Client
from playwright.async_api import Locator, expect

from support.browser import MISSING, PHONE, Visitor, Visits
from support.peers import RatesServer
from support.stack import Stack, running_stack
from support.waiting import until

pytestmark = [
    pytest.mark.stack,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(90),
    pytest.mark.skipif(MISSING, reason="Chromium is not installed; CI has it"),
]

SKEWED = "const RealDate = Date; Date = class extends RealDate { constructor(...a) { a.length ? super(...a) : super(RealDate.now() + SKEW); } static now() { return RealDate.now() + SKEW; } };"
"""A browser whose time of day is wrong by SKEW milliseconds."""
SEEN = """(price) => { window.seen = [price.textContent]; new MutationObserver(() => window.seen.push(price.textContent)).observe(price, {childList: true, characterData: true, subtree: true}); }"""
numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rates() -> AsyncIterator[RatesServer]:
    async with RatesServer() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory, rates: RatesServer) -> AsyncIterator[Stack]:
    config = f'[[integrations.apis]]\nname = "rates"\nbase_url = "{rates.url}/v1"\nretries = ["0s"]\n'
    async with running_stack(tmp_path_factory.mktemp("web"), config=config) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sam(stack: Stack) -> AsyncIterator[Client]:
    """A seller, without a page."""
    client = stack.client("sam")
    await client.connect()
    await client.ready(10)
    yield client
    await client.disconnect()


async def offered(sam: Client, **fields: Any) -> str:
    """A lot of sam's, from 10 euros by 50 cents; its id."""
    lot = {"title": f"A lot {next(numbers)}", "currency": "EUR", "start_price": 1000, "increment": 50, "closes_in": 1800, **fields}
    return str((await sam.rpc("auctions.create_lot", lot)).data["lot_id"])


def price(visitor: Visitor) -> Locator:
    """The price that the page of a lot shows."""
    return visitor.page.get_by_role("status", name="Current price", exact=True)


async def bid(visitor: Visitor, amount: str) -> None:
    """Bid through the page."""
    await visitor.page.get_by_role("spinbutton", name="Your bid", exact=True).fill(amount)
    await visitor.page.get_by_role("button", name="Place bid", exact=True).click()


def stands(visitor: Visitor) -> Locator:
    """What the page says of one's own bid."""
    return visitor.page.get_by_role("status", name="Bid state", exact=True)


async def bids_of(sam: Client, lot_id: str) -> list[dict[str, Any]]:
    """The bids on record."""
    found: list[dict[str, Any]] = (await sam.rpc("auctions.bids", {"lot_id": lot_id, "limit": 100})).data["bids"]
    return found


async def test_a_lot_is_offered_bid_on_and_its_price_is_live(visit: Visits) -> None:
    """A refused bid stays where it was typed, with the reason; one that stands is everybody's price."""
    ann, bob = await visit("Ann", "/lots"), await visit("Bob", "/lots")
    title = f"A brass telescope {next(numbers)}"
    await ann.page.get_by_role("textbox", name="What is it?", exact=True).fill(title)
    await ann.page.get_by_role("button", name="Offer", exact=True).click()
    await expect(price(ann)).to_have_text("€10.00")
    await bob.page.get_by_role("list", name="Lots").get_by_role("link", name=title).click()
    await bid(bob, "3")
    await expect(bob.page.get_by_role("alert")).to_have_text("Your bid was not taken: a higher bid stands, bid at least €10.00.")
    await expect(bob.page.get_by_role("spinbutton", name="Your bid", exact=True)).to_have_value("3")
    await bid(bob, "12.50")
    await expect(price(ann)).to_have_text("€12.50")
    await expect(ann.page.get_by_text("Bob leads")).to_be_visible()
    await expect(bob.page.get_by_text("You lead", exact=True)).to_be_visible()
    await expect(stands(bob)).to_have_text("Your bid of €12.50 stands.")
    await expect(bob.page.get_by_role("spinbutton", name="Your bid", exact=True)).to_have_value("")
    await expect(ann.page.get_by_role("table").get_by_role("row")).to_have_count(2)


async def test_after_a_bid_war_every_page_shows_the_same_and_none_saw_the_price_fall(visit: Visits, sam: Client) -> None:
    """Three users bid against each other as fast as they can, each upon what their page shows."""
    lot_id = await offered(sam)
    pages = [await visit(name, f"/lots/{lot_id}") for name in ("Ann", "Bob", "Cid")]
    for each in pages:
        await expect(price(each)).to_have_text("€10.00")
        await price(each).evaluate(SEEN)

    async def fights(visitor: Visitor) -> None:
        for _ in range(4):
            await visitor.page.get_by_role("button", name="Fill in").first.click()
            await visitor.page.get_by_role("button", name="Place bid", exact=True).click()
            await expect(visitor.page.get_by_role("button", name="Place bid", exact=True)).to_be_enabled()

    await asyncio.gather(*map(fights, pages))
    record = await bids_of(sam, lot_id)
    last = record[-1]
    assert [each["seq"] for each in record] == list(range(1, len(record) + 1))
    for each, name in zip(pages, ("Ann", "Bob", "Cid"), strict=True):
        await expect(price(each)).to_have_text(f"€{last['amount'] / 100:.2f}")
        leads = "You lead" if last["user"] == name else f"{last['user']} leads"
        await expect(each.page.get_by_text(leads, exact=True)).to_be_visible()
        seen = [float(text.removeprefix("€")) for text in await each.page.evaluate("window.seen")]
        assert seen == sorted(seen)
        assert len(set(seen)) > 2
    await pages[0].screenshot("lot-war")


@pytest.mark.parametrize("hours", [-5, 5])
async def test_the_countdown_follows_the_servers_clock_though_the_browsers_is_wrong(visit: Visits, sam: Client, hours: int) -> None:
    lot_id = await offered(sam, closes_in=1800)
    ann = await visit()
    await ann.page.add_init_script(SKEWED.replace("SKEW", str(hours * 3_600_000)))
    await ann.page.goto(f"/lots/{lot_id}")
    await ann.enter("Ann")
    assert abs(await ann.page.evaluate("Date.now()") / 1000 - time.time()) > 3600
    timer = ann.page.get_by_role("timer", name="Closes in", exact=True)
    await expect(timer).to_have_text(re.compile(r"^\d+:\d\d$"))
    minutes, seconds = map(int, (await timer.inner_text()).split(":"))
    closes = datetime.fromisoformat((await sam.rpc("auctions.lot", {"lot_id": lot_id})).data["closes_at"]).timestamp()
    assert abs(minutes * 60 + seconds - (closes - time.time())) < 60


async def test_an_end_that_a_late_bid_puts_off_is_seen_live(visit: Visits, sam: Client) -> None:
    lot_id = await offered(sam, closes_in=6)
    ann = await visit("Ann", f"/lots/{lot_id}")
    await expect(ann.page.get_by_role("timer", name="Closes in", exact=True)).to_have_text(re.compile(r"^0:0[12]$"))
    await bid(ann, "10")
    await expect(ann.page.get_by_text(re.compile(r"^Extended by 0:0[123]"))).to_be_visible()


async def test_who_wins_pays_in_the_page_and_sees_the_receipt_while_losers_see_who_won(
    visit: Visits, sam: Client, stack: Stack
) -> None:
    """A declined card is told and may be tried again with another; the receipt is mailed to where the winner says."""
    lot_id = await offered(sam, closes_in=4, title="A paid cello", category="music")
    ann, bob = await visit("Ann", f"/lots/{lot_id}"), await visit("Bob", f"/lots/{lot_id}")
    await bid(bob, "10")
    await expect(price(ann)).to_have_text("€10.00")
    await bid(ann, "15")
    await expect(bob.page.get_by_text("Ann outbid you. Bid €15.50 or more.")).to_be_visible()
    state = ann.page.get_by_role("status", name="Payment state", exact=True)
    await expect(state).to_have_text("Ready to be paid", timeout=15_000)
    await expect(bob.page.get_by_text("Ann won at €15.00 and is asked to pay.")).to_be_visible()
    await expect(bob.page.get_by_role("region", name="Payment", exact=True)).to_have_count(0)
    await ann.screenshot("lot-to-pay")
    await ann.page.get_by_role("radio", name="Test card that is declined", exact=True).check()
    await ann.page.get_by_role("button", name="Pay €15.00", exact=True).click()
    await expect(ann.page.get_by_role("alert")).to_contain_text("It was not paid: ")
    await ann.page.get_by_role("radio", name="Test card that pays", exact=True).check()
    await ann.page.get_by_role("textbox", name=re.compile("Receipt to")).fill("ann@example.com")
    await ann.page.get_by_role("button", name="Pay €15.00", exact=True).click()
    await expect(state).to_have_text("Paid. The receipt is yours.")
    await expect(ann.page.get_by_text("pi_test_")).to_be_visible()
    await expect(ann.page.get_by_text("It is yours.")).to_be_visible()
    await expect(bob.page.get_by_text("Sold to Ann for €15.00.")).to_be_visible()
    await expect(bob.page.get_by_text("Your bids did not win this time.")).to_be_visible()
    await ann.screenshot("lot-paid")
    assert await ann.faults() == []
    mail = stack.data_dir / "mail"
    await until(lambda: any("ann@example.com" in each.read_text() for each in mail.glob("*.eml")), 20)
    await ann.page.get_by_role("link", name="All auctions", exact=True).click()
    await ann.page.get_by_role("button", name="Won", exact=True).click()
    await expect(ann.page.get_by_role("link", name="A paid cello", exact=True)).to_be_visible()


async def test_prices_are_shown_in_another_currency_and_while_the_rates_are_away_the_page_says_so(
    visit: Visits, sam: Client, rates: RatesServer
) -> None:
    lot_id = await offered(sam, start_price=1210)
    ann = await visit("Ann", f"/lots/{lot_id}")
    await ann.page.get_by_role("combobox", name="Also in", exact=True).select_option("USD")
    await expect(ann.page.get_by_text("≈ $13.31")).to_be_visible()
    await rates.stop()
    try:
        await bid(ann, "20")
        await expect(ann.page.get_by_text("the rates are away, so there is no price in it")).to_be_visible()
        await expect(price(ann)).to_have_text("€20.00")
    finally:
        await rates.start()
    await ann.page.reload()
    await expect(ann.page.get_by_role("combobox", name="Also in", exact=True)).to_have_value("USD")


@pytest.mark.parametrize("victim", ["logic-auctions", "storage"])
@pytest.mark.parametrize("when", ["before", "during"])
async def test_a_bid_that_a_process_dies_under_stands_once(
    visit: Visits, sam: Client, stack: Stack, victim: str, when: str
) -> None:
    """It is sent again under its key until there is an answer; nobody has to press the button again."""
    lot_id = await offered(sam)
    ann = await visit("Ann", f"/lots/{lot_id}")
    await expect(price(ann)).to_have_text("€10.00")
    stack.kill(victim, signal.SIGKILL if when == "before" else signal.SIGSTOP)
    await bid(ann, "25")
    if when == "during":  # it has the bid and does nothing with it
        await expect(stands(ann)).to_have_text("Your bid of €25.00 is on its way …")
        await ann.screenshot("lot-sending")
        stack.kill(victim)
    await expect(stands(ann)).to_have_text("Your bid of €25.00 stands.", timeout=40_000)
    await expect(price(ann)).to_have_text("€25.00", timeout=20_000)
    await stack.ready()
    assert [(each["user"], each["amount"]) for each in await bids_of(sam, lot_id)] == [("Ann", 2500)]


async def test_a_maximum_bids_for_its_owner_and_nobody_else_sees_it(visit: Visits, sam: Client) -> None:
    lot_id = await offered(sam)
    ann, bob = await visit("Ann", f"/lots/{lot_id}"), await visit("Bob", f"/lots/{lot_id}")
    await ann.page.get_by_text("Bid for me", exact=True).click()
    await ann.page.get_by_role("spinbutton", name="Your maximum", exact=True).fill("40")
    await ann.page.get_by_role("button", name="Set maximum", exact=True).click()
    await expect(ann.page.get_by_text("You bid automatically up to €40.00.")).to_be_visible()
    await expect(price(bob)).to_have_text("€10.00")
    await bid(bob, "20")
    await expect(stands(bob)).to_have_text("Your bid of €20.00 stood, and Ann answered it at once.")
    await expect(price(ann)).to_have_text("€20.50")
    await ann.page.reload()
    await expect(ann.page.get_by_text("You bid automatically up to €40.00.")).to_be_visible()
    assert "40.00" not in await bob.page.inner_text("main")


async def test_the_list_is_live_and_is_searched_by_category_and_by_name_and_keeps_what_is_watched(
    visit: Visits, sam: Client
) -> None:
    mark = next(numbers)
    clock, cup = f"A station clock {mark}", f"A cracked cup {mark}"
    lot_id = await offered(sam, title=clock, category="clocks")
    await offered(sam, title=cup, category="home")
    ann = await visit("Ann", "/lots")
    card = ann.page.get_by_role("list", name="Lots", exact=True).get_by_role("listitem").filter(has_text=clock)
    await expect(card.get_by_text("€10.00")).to_be_visible()
    bob = await visit("Bob", f"/lots/{lot_id}")
    await bid(bob, "77")
    await expect(card.get_by_text("€77.00")).to_be_visible()
    await expect(card.get_by_text("Bob leads")).to_be_visible()
    await ann.page.get_by_role("button", name="Clocks", exact=True).click()
    await expect(ann.page.get_by_role("link", name=cup, exact=True)).to_have_count(0)
    await expect(ann.page.get_by_role("link", name=clock, exact=True)).to_be_visible()
    await ann.page.get_by_role("button", name="Everything", exact=True).click()
    await ann.page.get_by_role("searchbox", name="Find a lot", exact=True).fill(f"CRACKED CUP {mark}")
    await expect(ann.page.get_by_role("list", name="Lots", exact=True).get_by_role("link")).to_have_count(1)
    await ann.page.get_by_role("link", name=cup, exact=True).click()
    await ann.page.get_by_role("button", name="Watch this lot", exact=True, pressed=False).click()
    await expect(ann.page.get_by_role("button", name="Watch this lot", exact=True, pressed=True)).to_be_enabled()
    await ann.page.get_by_role("link", name="All auctions", exact=True).click()
    await ann.page.get_by_role("button", name="Watched", exact=True).click()
    await expect(ann.page.get_by_role("list", name="Lots", exact=True).get_by_role("link", name=cup, exact=True)).to_be_visible()
    await expect(ann.page.get_by_role("link", name=clock, exact=True)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_and_every_control_has_a_name_of_its_own(visit: Visits, sam: Client, scheme: str) -> None:
    """The list, also with two lots of one name, and a lot with bids."""
    twins = [await offered(sam, title=f"A twin {scheme}", category="home") for _ in range(2)]
    ann = await visit("Ann", "/lots", color_scheme=scheme, viewport={"width": 1280, "height": 900})
    await expect(ann.page.get_by_role("link", name=f"A twin {scheme}, lot {twins[0][-4:]}", exact=True)).to_be_visible()
    await ann.screenshot(f"lots-{scheme}")
    assert await ann.faults() == []
    assert await twice_named(ann) == []
    await ann.page.get_by_role("link", name=f"A twin {scheme}, lot {twins[1][-4:]}", exact=True).click()
    for amount in ("10", "12", "20"):
        await bid(ann, amount)
        await expect(stands(ann)).to_contain_text(amount)
    await ann.page.get_by_text("Bid for me", exact=True).click()
    await ann.screenshot(f"lot-{scheme}")
    assert await ann.faults() == []
    assert await twice_named(ann) == []


async def twice_named(visitor: Visitor) -> list[str]:
    """Names that more than one control of the page has."""
    controls = await visitor.page.locator("body").aria_snapshot()
    found = re.findall(r'- (button|link|textbox|searchbox|spinbutton|combobox|radio) "([^"]*)"', controls)
    return sorted({name for _, name in found if [each for _, each in found].count(name) > 1})


async def test_on_a_phone_nothing_is_cut_off_and_who_wants_no_motion_sees_none(visit: Visits, sam: Client) -> None:
    lot_id = await offered(sam, title="W" * 200, start_price=10**10)
    ann = await visit("A name of exactly forty characters, this", "/lots", **PHONE, reduced_motion="reduce")
    await expect(ann.page.get_by_role("link", name="W" * 200, exact=True)).to_be_visible()
    assert await ann.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await ann.screenshot("phone-lots")
    await ann.page.goto(f"/lots/{lot_id}")
    await bid(ann, "100000000.01")
    await expect(price(ann)).to_have_text("€100,000,000.01")
    assert await ann.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await ann.page.evaluate("document.getAnimations().length") == 0
    await ann.screenshot("phone-lot")


async def test_a_lot_that_is_not_there_is_said_to_be_missing(visit: Visits) -> None:
    ann = await visit("Ann", "/lots/nowhere")
    await expect(ann.page.get_by_role("alert")).to_have_text("There is no such lot.")
