"""The operator's console in a real browser, on the real stack: what an operator sees, and what becomes of what he does."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Protocol

import aiohttp
import pytest
import pytest_asyncio
from cent import AsyncClient, PublishRequest
from playwright.async_api import Browser, Page, ViewportSize, expect

from support.browser import MISSING, Visitor, running_browser
from support.enqueued import enqueue_mail
from support.mailbox import Mailbox
from support.stack import Stack, running_stack

pytestmark = [
    pytest.mark.stack,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(90),
    pytest.mark.skipif(MISSING, reason="Chromium is not installed; CI has it"),
]

WIDE: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
MAILS = ["mail-1", "mail-2", "mail-3"]
TRACES = "https://traces.example/trace/{trace_id}"
READER = "a key that only reads"
CHANNEL = "demo:console"
ENTITY = "app=auctions&kind=lot&id="
PLACES = {
    "overview": "",
    "apps": "/apps",
    "app": "/apps/chat",
    "channels": "/channels",
    "presence": f"/channels?channel={CHANNEL}",
    "history": f"/channels?channel={CHANNEL}&view=history",
    "tail": f"/channels?channel={CHANNEL}&view=tail",
    "users": "/users?user=bob",
    "entity": f"/entities?{ENTITY}LOT",
    "jobs": "/jobs",
    "job": "/jobs/JOB",
    "timers": "/timers",
    "webhooks": "/webhooks",
    "events": "/events",
    "audit": "/audit",
    "nowhere": "/nowhere",
}
numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack with dead jobs, a room, a channel with a log and a subscriber, and a webhook endpoint."""
    async with Mailbox(answers=["550 never"] * len(MAILS)) as mail, AsyncExitStack() as cleanup:
        config = (
            f'[console]\ntrace_url = "{TRACES}"\n[[console.keys]]\nname = "auditor"\nkey = "{READER}"\nread_only = true\n'
            "[[channel.namespaces]]\n"
            'name = "demo"\nhistory_size = 100\nhistory_ttl = "1h"\npresence = true\njoin_leave = true\nallow_subscribe_for_client = true\n'
            f'[integrations.email]\nhost = "127.0.0.1"\nport = {mail.port}\ntls = "none"\nsender = "a@example.com"\n'
        )
        stack = await cleanup.enter_async_context(running_stack(tmp_path_factory.mktemp("console"), config=config))
        bob = stack.client("bob")
        await bob.connect()
        await bob.ready(10)
        cleanup.push_async_callback(bob.disconnect)
        await bob.new_subscription(CHANNEL).subscribe()
        await ops(stack, "webhooks.add", app="chat", event="chat.message.created", url="http://127.0.0.1:9/hooks", rate_limit=0)
        async with stack.api() as api:
            for number in range(3):
                await publish(api, f"before {number}")
        await enqueue_mail(stack, *MAILS)
        async with asyncio.timeout(20):
            while len((await ops(stack, "jobs.list", state="dead"))["jobs"]) < len(MAILS):
                await asyncio.sleep(0.05)
        yield stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with running_browser() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def job(stack: Stack) -> str:
    """The id of a job that was dead at the beginning."""
    return str((await ops(stack, "jobs.list", state=""))["jobs"][0]["id"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lot(stack: Stack) -> str:
    """The id of a lot: an entity with a timer."""
    sam = stack.client("sam")
    await sam.connect()
    await sam.ready(10)
    fields = {"title": "A brass telescope", "currency": "EUR", "start_price": 1000, "increment": 50, "closes_in": 1800}
    made = (await sam.rpc("auctions.create_lot", fields)).data
    await sam.disconnect()
    return str(made["lot_id"])


class Opens(Protocol):
    async def __call__(self, place: str = "", *, key: str | None = None, **options: Any) -> Visitor: ...


@pytest_asyncio.fixture(loop_scope="module")
async def opened(stack: Stack, browser: Browser) -> AsyncIterator[Opens]:
    """Opens a place of the console by a link with the key ("" : without one); at the end no page may have logged an error."""
    visitors: list[Visitor] = []
    async with AsyncExitStack() as contexts:

        async def visit(place: str = "", *, key: str | None = None, **options: Any) -> Visitor:
            context = await browser.new_context(base_url=address(stack), reduced_motion="reduce", **options)
            contexts.push_async_callback(context.close)
            visitor = Visitor(await context.new_page())
            visitors.append(visitor)
            key = stack.credentials["console_key"] if key is None else key
            await visitor.page.goto(f"/console{place}" + (f"#key={key}" if key else ""))
            return visitor

        yield visit
        assert [visitor.errors for visitor in visitors] == [[] for _ in visitors]


def address(stack: Stack) -> str:
    """Where the console is."""
    port = next(process["port"] for process in stack.state()["processes"] if process["service"] == "console")
    return f"http://127.0.0.1:{port}"


async def ops(stack: Stack, operation: str, **request: Any) -> dict[str, Any]:
    """What the console's port answers a program."""
    headers = {"X-API-Key": stack.credentials["console_key"]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{address(stack)}/ops/{operation}", json=request, headers=headers) as response,
    ):
        answer: dict[str, Any] = await response.json()
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result


async def publish(api: AsyncClient, text: str) -> None:
    """Into the channel that the tests look at."""
    await api.publish(PublishRequest(channel=CHANNEL, data={"text": text}))


async def confirm(page: Page, action: str) -> None:
    """Say yes to what is asked."""
    await page.get_by_role("alertdialog").get_by_role("button", name=action, exact=True).click()
    await expect(page.get_by_role("alertdialog")).to_have_count(0)


async def test_only_the_right_key_opens_it(opened: Opens, stack: Stack, job: str) -> None:
    operator = await opened("/jobs?state=dead", key="")
    page = operator.page
    field, sign_in = (
        page.get_by_role("textbox", name="Operator's key", exact=True),
        page.get_by_role("button", name="Sign in", exact=True),
    )
    await expect(page.get_by_role("heading", name="Operator's console")).to_be_visible()
    assert await operator.faults() == []
    await sign_in.click()
    await expect(page.get_by_role("alert")).to_have_text("Give the key first.")
    await field.fill("wrong")
    await sign_in.click()
    await expect(page.get_by_role("alert")).to_contain_text("This key is not known here.")
    assert all("401" in error for error in operator.errors), "the browser's own word about the refusal"
    operator.errors.clear()
    await field.fill(stack.credentials["console_key"])
    await field.press("Enter")
    await expect(page.get_by_role("link", name=job, exact=True)).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("link", name=job, exact=True)).to_be_visible()
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await expect(field).to_be_visible()
    await operator.screenshot("console-sign-in")


async def test_the_key_of_a_link_is_gone_from_the_address_at_once(opened: Opens) -> None:
    operator = await opened("/timers?app=auctions")
    await expect(operator.page.get_by_role("heading", name="Timers", level=1)).to_be_visible()
    assert operator.page.url.endswith("/console/timers?app=auctions")


@pytest.mark.parametrize("place", PLACES)
async def test_axe_finds_nothing_wide_and_light_or_on_a_dark_phone(opened: Opens, place: str, lot: str, job: str) -> None:
    operator = await opened(PLACES[place].replace("LOT", lot).replace("JOB", job), viewport=WIDE)
    page = operator.page
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_text("Loading …")).to_have_count(0)
    assert await operator.faults() == []
    assert await operator.doubled() == []
    await operator.screenshot(f"console-{place}")
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size(PHONE)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await operator.faults() == []
    await operator.screenshot(f"console-{place}-phone")


async def test_the_overview_shows_each_process_and_figures_over_time(opened: Opens) -> None:
    operator = await opened("")
    nodes = operator.page.get_by_role("table", name="Nodes")
    for service in ("gateway", "integrations", "logic-auctions", "logic-chat", "storage"):
        await expect(nodes.get_by_role("row").filter(has_text=service).get_by_text("up", exact=True)).to_be_visible()
    await expect(operator.page.get_by_role("img", name="Connections:")).to_be_visible()
    await expect(operator.page.get_by_role("img", name="Loop delay:")).to_be_visible()
    attention = operator.page.get_by_role("list", name="Needs attention")
    await expect(attention.get_by_role("link", name="3 jobs are dead")).to_be_visible()
    await nodes.get_by_role("link").filter(has_text="gateway").first.click()
    await expect(operator.page.get_by_role("region", name="Its figures").get_by_role("img").first).to_be_visible()


async def test_a_live_tail_shows_what_is_published_and_stands_still_while_paused(opened: Opens, stack: Stack) -> None:
    operator = await opened(f"/channels?channel={CHANNEL}&view=tail")
    page = operator.page
    lines = page.get_by_role("list", name="Lines")
    await expect(page.get_by_role("status", name="Live tail")).to_have_text("Live")
    await expect(lines.get_by_text("before 2")).to_be_visible()
    async with stack.api() as api:
        await publish(api, "shown at once")
        await expect(lines.get_by_text("shown at once")).to_be_visible()
        await page.get_by_role("button", name="Pause", exact=True).click()
        await publish(api, "held back")
        await expect(page.get_by_role("status", name="Live tail")).to_have_text("Paused; 1 line waiting")
        await expect(lines.get_by_text("held back")).to_have_count(0)
        await page.get_by_role("button", name="Resume", exact=True).click()
        await expect(lines.get_by_text("held back")).to_have_count(1)
    await page.get_by_role("link", name="Presence", exact=True).click()
    await expect(page.get_by_role("table", name="Presence").get_by_role("link", name="bob")).to_be_visible()


async def test_dead_jobs_are_tried_again_one_by_its_page_and_many_by_the_list(opened: Opens, stack: Stack, job: str) -> None:
    operator = await opened("/jobs?state=dead")
    page = operator.page
    await page.get_by_role("link", name=job, exact=True).click()
    await expect(page.get_by_role("table", name="Attempts").get_by_text("550 never")).to_be_visible()
    await page.get_by_role("button", name="Try again", exact=True).click()
    assert await operator.faults() == []
    await operator.screenshot("console-confirm")
    await confirm(page, "Try again")
    await expect(page.get_by_role("status", name="Done")).to_contain_text("1 job will be tried again.")
    await expect(page.get_by_text("done 250")).to_be_visible(timeout=20_000)

    await page.get_by_role("checkbox", name="Select all", exact=True).check()
    await expect(page.get_by_text("2 jobs selected")).to_be_visible()
    await page.get_by_role("button", name="Try selected again", exact=True).click()
    await confirm(page, "Try again")
    await expect(page.get_by_text("No job is dead")).to_be_visible()
    async with asyncio.timeout(20):
        while len((await ops(stack, "jobs.list", state="done"))["jobs"]) < len(MAILS):
            await asyncio.sleep(0.05)


async def test_a_share_is_set_and_taken_out_again(opened: Opens, stack: Stack) -> None:
    operator = await opened("/apps")
    page = operator.page
    await page.get_by_role("table", name="Apps").get_by_role("link", name="chat", exact=True).click()
    await page.get_by_role("button", name="Set share of chat.send", exact=True).click()
    share = page.get_by_role("textbox", name="Share of the users, in percent", exact=True)
    await page.get_by_role("combobox", name="Version", exact=True).fill("9.9.9")
    await share.fill("101")
    await page.get_by_role("button", name="Set the share", exact=True).click()
    await expect(page.get_by_text("A share is 0 to 100, in steps of 0.1.")).to_be_visible()
    await share.fill("12.5")
    assert await operator.faults() == []
    await confirm(page, "Set the share")
    row = page.get_by_role("table", name="Methods").get_by_role("row").filter(has=page.get_by_text("send", exact=True))
    await expect(row.get_by_text("12.5% to 9.9.9")).to_be_visible()
    await expect(row.get_by_text("does not run")).to_be_visible()
    (route,) = (await ops(stack, "route.list", app="chat"))["routes"]
    assert (route["method"], route["version"], route["share_permille"]) == ("send", "9.9.9", 125)
    await page.get_by_role("button", name="Remove the route of chat.send", exact=True).click()
    await confirm(page, "Remove the route")
    await expect(row.get_by_text("the ruling version")).to_be_visible()


async def test_a_banned_user_s_page_is_refused_until_the_ban_is_lifted(opened: Opens, stack: Stack, browser: Browser) -> None:
    context = await browser.new_context(base_url=f"http://127.0.0.1:{stack.port}")
    mallory = Visitor(await context.new_page())
    await mallory.page.goto("/")
    await mallory.enter("Mallory")
    connection = mallory.page.get_by_role("status", name="Connection", exact=True)
    await expect(connection).to_have_text("Connected")

    operator = await opened("/users")
    page = operator.page
    await page.get_by_role("textbox", name="User", exact=True).fill("Mallory")
    await page.get_by_role("button", name="Look it up", exact=True).click()
    await expect(page.get_by_role("table", name="Connections of Mallory").get_by_text("causeway-web")).to_be_visible()
    await page.get_by_role("button", name="Ban", exact=True).click()
    await page.get_by_role("textbox", name="Reason", exact=True).fill("spam in the lobby")
    assert await operator.faults() == []
    await confirm(page, "Ban the user")
    await expect(page.get_by_role("region", name="Banned").get_by_text("spam in the lobby")).to_be_visible()
    await expect(page.get_by_text("No connection", exact=True)).to_be_visible()
    await expect(connection).not_to_have_text("Connected")
    await mallory.page.reload()
    await expect(connection).to_contain_text("Disconnected")
    await operator.screenshot("console-banned")

    await page.get_by_role("button", name="Unban Mallory", exact=True).click()
    await confirm(page, "Lift the ban")
    await expect(page.get_by_text("Nobody is banned")).to_be_visible()
    await mallory.page.reload()
    await expect(connection).to_have_text("Connected")
    await context.close()


async def test_a_disconnected_client_is_closed_and_everything_done_is_on_record(opened: Opens, stack: Stack) -> None:
    name = f"carl {next(numbers)}"
    carl = stack.client(name)
    await carl.connect()
    await carl.ready(10)
    (client,) = (await ops(stack, "users.show", user=name))["clients"]
    operator = await opened(f"/users?user={name}")
    page = operator.page
    await page.get_by_role("button", name=f"Disconnect client {client['client']}", exact=True).click()
    await confirm(page, "Disconnect")
    await expect(page.get_by_role("status", name="Done")).to_have_text(f"1 connection of {name} closed.Dismiss")
    await expect(page.get_by_text("The user is not connected")).to_be_visible()
    await page.get_by_role("link", name="Audit", exact=True).click()
    record = page.get_by_role("table", name="Operations").get_by_role("row").filter(has_text="users.disconnect").first
    await expect(record).to_contain_text("console")
    await expect(record).to_contain_text(f"user={name}")
    await expect(record.get_by_role("link", name="Trace of record")).to_have_attribute(
        "href", TRACES.partition("{")[0] + await trace(stack)
    )


async def trace(stack: Stack) -> str:
    """The trace id of the newest record."""
    (record,) = (await ops(stack, "audit.list", before="", limit=1))["records"]
    return str(record["traceparent"]).split("-")[1]


async def test_an_entity_is_looked_up_and_its_address_leads_to_it(opened: Opens, lot: str) -> None:
    operator = await opened("/entities")
    page = operator.page
    await page.get_by_role("combobox", name="App", exact=True).fill("auctions")
    await page.get_by_role("textbox", name="Kind", exact=True).fill("lot")
    await page.get_by_role("textbox", name="Id", exact=True).fill(lot)
    await page.get_by_role("button", name="Look it up", exact=True).click()
    await expect(page.get_by_role("group", name="State", exact=True)).to_be_visible()
    await expect(page.get_by_role("group", name="State", exact=True).get_by_text("A brass telescope")).to_be_visible()
    await expect(page.get_by_role("table", name="Versions").get_by_text("sam")).to_be_visible()
    await expect(page.get_by_role("table", name="Timers of it").get_by_role("row")).to_have_count(2)
    assert page.url.endswith(f"/console/entities?{ENTITY}{lot}")
    await page.get_by_role("textbox", name="Id", exact=True).fill("no such lot")
    await page.get_by_role("textbox", name="Id", exact=True).press("Enter")
    await expect(page.get_by_text("Nothing is known of it")).to_be_visible()


async def test_an_endpoint_is_added_tested_and_removed_and_its_secret_is_shown_once(opened: Opens, stack: Stack) -> None:
    operator = await opened("/webhooks")
    page = operator.page
    await page.get_by_role("button", name="Add an endpoint", exact=True).click()
    url = f"http://127.0.0.1:9/{next(numbers)}"
    for field, text in {"URL": url, "App": "chat", "Event type": "chat.message.created"}.items():
        await page.get_by_role("textbox", name=field, exact=True).fill(text)
    assert await operator.faults() == []
    await confirm(page, "Add it")
    await expect(page.get_by_role("dialog", name="The secret").get_by_text("whsec_")).to_be_visible()
    assert await operator.faults() == []
    await page.get_by_role("button", name="Close", exact=True).click()
    assert "whsec_" not in await page.content()
    await page.get_by_role("link", name=url).click()
    await page.get_by_role("button", name="Test", exact=True).click()
    await expect(page.get_by_role("status", name="Done")).to_contain_text("The test event: ")
    await page.get_by_role("button", name="Remove", exact=True).click()
    await confirm(page, "Remove")
    await expect(page.get_by_role("link", name=url)).to_have_count(0)
    assert url not in json.dumps(await ops(stack, "webhooks.list", app=""))


async def test_a_key_that_only_reads_is_offered_nothing_that_changes_something(opened: Opens) -> None:
    operator = await opened("/users?user=bob", key=READER, viewport=WIDE)
    page = operator.page
    await expect(page.get_by_role("table", name="Connections of bob").get_by_role("row")).to_have_count(2)
    await expect(page.get_by_text("This key only reads.")).to_be_visible()
    await expect(page.get_by_role("button")).to_have_text(["Sign out", "Look it up"])
    for place, shown in {"Jobs": "Jobs", "Webhooks": "Endpoints"}.items():
        await page.get_by_role("link", name=place, exact=True).click()
        await expect(page.get_by_role("table", name=shown)).to_be_visible()
        await expect(page.get_by_role("checkbox")).to_have_count(0)
        await expect(
            page.get_by_role("button", name="Add an endpoint").or_(page.get_by_role("button", name="Try selected again"))
        ).to_have_count(0)


async def test_the_events_of_the_last_hour_are_there(opened: Opens, job: str) -> None:
    operator = await opened("/events")
    lines = operator.page.get_by_role("list", name="Lines")
    await expect(lines.get_by_role("listitem").filter(has_text="job_dead").filter(has_text=job)).to_contain_text("550")


async def test_the_keyboard_alone_leads_everywhere(opened: Opens) -> None:
    operator = await opened("")
    page = operator.page
    await expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for _ in range(6):  # Overview, Apps, Channels, Users, Entities, Jobs
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Jobs", level=1)).to_be_visible()
    await page.get_by_role("link", name="Webhooks", exact=True).focus()
    await page.keyboard.press("Enter")
    add = page.get_by_role("button", name="Add an endpoint", exact=True)
    await add.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alertdialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("alertdialog")).to_have_count(0)
    await expect(add).to_be_focused()


async def test_a_gateway_that_does_not_answer_is_told_and_asked_until_it_does(opened: Opens, stack: Stack) -> None:
    operator = await opened("")
    page = operator.page
    nodes = page.get_by_role("table", name="Nodes")
    await expect(nodes.get_by_text("logic-chat")).to_be_visible()
    await page.context.set_offline(True)
    stack.kill("gateway-1")
    told = page.get_by_text("The gateway does not answer. What you see is from")
    await expect(told).to_be_visible(timeout=15_000)
    await expect(nodes.get_by_text("logic-chat")).to_be_visible()
    await page.context.set_offline(False)
    await expect(told).to_have_count(0, timeout=30_000)
    assert all("Failed to load resource" in error for error in operator.errors), "the browser's own word about the lost gateway"
    operator.errors.clear()
