"""Signing in with what one has, in Chromium: a code generator, a virtual security key (CDP)."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from gridctl.model.totp import code_of, step_at
from tests.gridctl.web.desk import PLAN
from tests.ui.chromium import CHROMIUM, chromium, listen
from tests.ui.signin_server import SignInServer

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "ui/node_modules/axe-core/axe.min.js"
PASSWORD = "correct horse battery"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(
        not (ROOT / "gridctl/web/static/app.js").is_file(),
        reason="the console is not built: python hatch_build.py",
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def server() -> Iterator[SignInServer]:
    users = {"code": "OPERATOR", "key": "OPERATOR", "sec": "SECADM", "rba": "RBACMNT"}
    with SignInServer.started(users, password=PASSWORD) as running:
        yield running


def password_step(page: Page, server: SignInServer, user: str, password: str = PASSWORD) -> None:
    page.goto(server.origin)
    page.get_by_label("User").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page) -> None:
    page.locator("details.user summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong on this page (WCAG 2.2 A and AA)."""
    # Through the protocol: the page's own policy lets no script in, and that stays so.
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
    found = session.send(
        "Runtime.evaluate",
        {
            "expression": "axe.run({runOnly: ['wcag2a','wcag2aa','wcag21aa','wcag22aa']})"
            ".then(r => r.violations.map(v => v.id + ' ' + v.nodes[0].html))",
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    return list(found["result"]["value"])


def test_sg21_sign_in_plans_and_stop_without_a_script(
    browser: Browser, server: SignInServer
) -> None:
    """A form that a browser sends by itself says where it comes from, and is let in."""
    before = list(server.desk.acts)
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(server.origin)
        page.get_by_role("link", name="plain page").click()
        for password, then in (("wrong wrong wrong", "is wrong, or locked"), (PASSWORD, "P-1")):
            page.get_by_label("User").fill("code")
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Sign in").click()
            expect(page.locator("body")).to_contain_text(then)
        expect(page.get_by_role("row").nth(1)).to_contain_text(PLAN.digest()[:12])
        page.get_by_role("button", name="STOP ALL DISPATCH").click()
        expect(page.get_by_role("heading", name="Plans")).to_be_visible()
    assert server.desk.acts[len(before) :] == [("stop", "STOP from the plain page", "code")]


def test_sg07_sign_in_with_a_code_generator(browser: Browser, server: SignInServer) -> None:
    said: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        listen(page, said)
        password_step(page, server, "code")
        expect(page.get_by_role("button", name="STOP")).to_be_visible()
        page.goto(f"{server.origin}/#/account")
        page.get_by_role("button", name="Enrol a generator…").click()
        shown = page.locator("[data-secret]").get_attribute("data-secret") or ""
        secret = base64.b32decode(shown + "=" * (-len(shown) % 8))
        assert violations(page) == []
        # Every module of the picture is drawn by our own path; it is there and square.
        box = page.get_by_role("img", name="QR code of the secret").bounding_box()
        assert box is not None
        assert box["width"] == box["height"] > 200
        # The step before now is still good; the one of now stays unused for signing in.
        page.get_by_label("The code that the app shows now").fill(
            code_of(secret, step_at(time.time()) - 1)
        )
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_text("enrolled", exact=True)).to_be_visible()
        page.get_by_role("button", name="Make recovery codes…").click()
        expect(page.locator(".recovery li")).to_have_count(8)
        codes = page.locator(".recovery li").all_inner_texts()
        assert violations(page) == []
        page.get_by_role("button", name="I have them on paper").click()
        expect(page.locator(".recovery li")).to_have_count(0)  # shown once
        expect(page.get_by_text("8 are good")).to_be_visible()
        sign_out(page)
        password_step(page, server, "code")
        page.get_by_text("use a recovery code").click()
        page.get_by_label("Recovery code").fill(codes[5])
        assert violations(page) == []
        page.get_by_role("button", name="Continue").last.click()
        expect(page.get_by_role("button", name="STOP")).to_be_visible()
        page.goto(f"{server.origin}/#/account")
        expect(page.get_by_text("acts with a second factor only")).to_be_visible()
        expect(page.get_by_text("7 are good")).to_be_visible()
        sign_out(page)
        password_step(page, server, "code")
        expect(page.get_by_text("One more proof that you are code")).to_be_visible()
        assert violations(page) == []
        page.get_by_label("Code of your generator").fill("000000x")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("alert")).to_contain_text("does not prove it")
        page.get_by_label("Code of your generator").fill(code_of(secret, step_at(time.time())))
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("button", name="STOP")).to_be_visible()
    assert said == []


def test_sg07_sign_in_with_a_security_key(browser: Browser, server: SignInServer) -> None:
    said: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        listen(page, said)
        protocol = context.new_cdp_session(page)
        protocol.send("WebAuthn.enable")
        protocol.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "usb",
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        password_step(page, server, "key")
        expect(page.get_by_role("button", name="STOP")).to_be_visible()
        page.goto(f"{server.origin}/#/account")
        page.get_by_label("Name of the key").fill("blue key")
        page.get_by_role("button", name="Enrol a security key…").click()
        expect(page.get_by_text("blue key")).to_be_visible()
        sign_out(page)
        password_step(page, server, "key")
        page.get_by_role("button", name="Use a security key").click()
        expect(page.get_by_role("button", name="STOP")).to_be_visible()
    assert said == []


def test_sg31_an_account_is_made_by_one_given_a_role_by_another_and_set_up_by_link(
    browser: Browser, server: SignInServer
) -> None:
    said: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        listen(page, said)
        password_step(page, server, "sec")
        page.get_by_label("User name").fill("new")
        page.get_by_label("Name as colleagues know it").fill("New Person")
        page.get_by_role("button", name="Add a person").click()
        link = page.locator("[data-link]").get_attribute("data-link") or ""
        assert violations(page) == []
        sign_out(page)
        password_step(page, server, "rba")
        page.get_by_role("button", name="Role of new").click()
        page.locator("dialog select").select_option("OPERATOR")
        page.get_by_label("north").check()
        page.locator("dialog").get_by_label("Reason").fill("trained and signed off")
        assert violations(page) == []
        page.get_by_role("button", name="Give this role").click()
        expect(page.get_by_role("row", name="new New Person OPERATOR north")).to_be_visible()
        sign_out(page)
        page.goto(link)
        page.reload()
        page.get_by_label("New password").fill("river stone hat")
        page.get_by_role("button", name="Set the password").click()
        expect(page.get_by_text("Your password is set")).to_be_visible()
        password_step(page, server, "new", "river stone hat")
        expect(page.get_by_role("button", name="STOP")).to_be_visible()
    assert said == []


def test_sg07_an_approval_asks_for_a_fresh_proof_and_goes_on(browser: Browser) -> None:
    with (
        SignInServer.started({"op": "OPERATOR"}, password=PASSWORD, step_up_s=0.0) as server,
        browser.new_context() as context,
    ):
        page = context.new_page()
        password_step(page, server, "op")
        page.goto(f"{server.origin}/#/account")
        page.get_by_role("button", name="Enrol a generator…").click()
        dialog = page.get_by_role("dialog", name="Prove again who you are")
        expect(dialog).to_be_visible()
        assert violations(page) == []
        dialog.get_by_label("Your password").fill("wrong wrong wrong")
        dialog.get_by_role("button", name="Continue").click()
        expect(dialog.get_by_role("alert")).to_contain_text("does not prove it")
        dialog.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("alert")).to_contain_text("Prove again")
        assert server.desk.acts == []
