"""A browser's tab on the console: what is done there, and what it did that nobody asked for."""

import os
import shutil
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

CHROMIUM = shutil.which("chromium")
IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif(CHROMIUM is None and os.environ.get("CI") != "true", reason="no Chromium is here"),
]
PATIENCE_MS = 20_000

WIDER = "[...document.querySelectorAll('html, section, dialog')].filter((one) => one.scrollWidth > one.clientWidth + 1)"
NAMELESS = """[...document.querySelectorAll('button, a, input, select, textarea, [role=img], dialog, section')]
    .filter((one) => one.checkVisibility())
    .filter((one) => !(one.ariaLabel || one.labels?.length || one.innerText?.trim()
        || one.ariaLabelledByElements?.length))"""
TWICE = "[...document.querySelectorAll('[id]')].filter((one) => document.querySelectorAll('#' + one.id).length > 1)"
DANGLING = """[...document.querySelectorAll('[for], [aria-labelledby], [aria-describedby], [aria-controls]')]
    .filter((one) => ['for', 'aria-labelledby', 'aria-describedby', 'aria-controls']
        .flatMap((name) => (one.getAttribute(name) ?? '').split(' ').filter(Boolean))
        .some((id) => !document.getElementById(id)))"""
PALE = """(() => {
    const rgb = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const linear = (part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const behind = (one) => {
        for (; one; one = one.parentElement) {
            const [r, g, b, alpha = 1] = rgb(getComputedStyle(one).backgroundColor);
            if (alpha === 1) return [r, g, b];
        }
        return [255, 255, 255];
    };
    const opacity = (one) => (one ? getComputedStyle(one).opacity * opacity(one.parentElement) : 1);
    const contrast = (one) => {
        const [back, seen] = [behind(one), opacity(one)];
        const front = rgb(getComputedStyle(one).color).slice(0, 3).map((part, i) => part * seen + back[i] * (1 - seen));
        const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
        return (high + 0.05) / (low + 0.05);
    };
    return [...document.querySelectorAll('body *')].filter((one) => one.checkVisibility())
        .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
        .filter((one) => contrast(one) < 4.5);
})()"""
HURTS = {"wider than its place": WIDER, "nameless": NAMELESS, "an id that is there twice": TWICE,
         "names what isn't there": DANGLING, "a contrast below the 4.5 of WCAG AA": PALE}  # fmt: skip


@dataclass
class Tab:
    page: Page
    said: list[str] = field(default_factory=list)
    """What is on the browser's console; Chromium itself notes every answer that is no success."""
    asked: list[str] = field(default_factory=list)

    def sign_in(self, key: str) -> None:
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def all_that(self, elements: str) -> Any:
        """Those elements of an expression in JavaScript, as their markup begins."""
        return self.page.evaluate(f"({elements}).map((one) => one.outerHTML.slice(0, 120))")

    def hurts_nobody(self) -> None:
        """What a screen reader or a tired eye would stumble over; nothing is cut off."""
        found = {name: self.all_that(elements) for name, elements in HURTS.items()}
        assert not any(found.values()), found


def opened(browser: Browser, url: str, **context: Any) -> Tab:
    expect.set_options(timeout=PATIENCE_MS)
    page = browser.new_page(**{"viewport": {"width": 1360, "height": 860}, **context})
    tab = Tab(page)
    page.on("console", lambda message: tab.said.append(f"{message.text} {message.location.get('url')}"))
    page.on("pageerror", lambda error: tab.said.append(str(error)))
    page.on("request", lambda request: tab.asked.append(request.url))
    page.goto(url)
    return tab
