"""The page in a real browser."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.examples.conftest import needs_containers
from tests.web.conftest import serving

pytest.importorskip("selenium")

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tools.browser import BROWSER, DRIVER, resize, start_browser

pytestmark = [
    *needs_containers,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="needs chromium and chromedriver (Debian: chromium-driver)"),
]
FILE = """
services:
  db: {image: "rootfs:BUSYBOX", command: [sleep, "10000"], init: true, environment: {DB_PASSWORD: hunter22}}
  web: {image: "rootfs:BUSYBOX", command: [sleep, "10000"], init: true, depends_on: [db, between-web-and-what-it-needs]}
  between-web-and-what-it-needs: {image: "rootfs:BUSYBOX", command: [sleep, "10000"], init: true, depends_on: [db]}
  chatty:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "while [ ! -e /begin ]; do sleep 0.1; done; for i in $$(seq 5000); do
      echo \\"line $$i <b>bold</b>\\"; [ $$((i % 100)) = 0 ] && sleep 0.1; done; exec sleep 10000"]
    init: true
"""
LINES = 5000
HASTE = 1000
"""Lines a second."""
PATIENCE = 90
DROPPED = "ERR_NETWORK_CHANGED"
WIDTHS = (360, 700, 2000)
HIDDEN = """
// Texts that go out of their box, and edges that go through a box.
const graph = document.querySelector('.graph').getBoundingClientRect();
const nodes = [...document.querySelectorAll('.node')];
const box = (element) => element.getBoundingClientRect();
const boxes = nodes.map((node) => box(node.querySelector('rect')));
const texts = nodes.flatMap((node, place) => [...node.querySelectorAll('text')].filter((text) => text.textContent
  && (box(text).left < boxes[place].left || box(text).right > boxes[place].right)));
const isIn = (x, y, { left, right, top, bottom }) => x > left + 1 && x < right - 1 && y > top + 1 && y < bottom - 1;
const edges = [...document.querySelectorAll('.edge')].filter((edge) => {
  const points = Array.from({ length: 100 }, (_, step) => edge.getPointAtLength((edge.getTotalLength() * step) / 99));
  return points.some(({ x, y }) => boxes.some((each) => isIn(x + graph.left, y + graph.top, each)));
});
return [...texts, ...edges].map((each) => each.outerHTML);
"""


class Browser:
    def __init__(self, served, directory) -> None:
        self.driver = start_browser(Path(directory))
        self.address = f"http://127.0.0.1:{served.port}"
        self.served = served
        self.errors: list[str] = []
        self.drops = 0

    def open(self, role="operator"):
        address = f"{self.address}/?token={self.served.tokens[role]}"
        self.driver.get(address)
        self.until(lambda: self._has_graph(address))

    def _has_graph(self, address):
        """Chromium drops requests while another test changes the network: then the page is loaded again."""
        if self.driver.find_elements(By.CSS_SELECTOR, "#view-graph .node"):
            return True
        self._read_log()
        if self.drops:
            self.drops = 0
            self.driver.get(address)
        return False

    def until(self, question):
        return WebDriverWait(self.driver, PATIENCE, 0.1).until(lambda _driver: question())

    def find(self, selector):
        return self.until(lambda: next(iter(self.driver.find_elements(By.CSS_SELECTOR, selector)), None))

    def button(self, words, within="body"):
        found = f"{within} button"
        return self.until(
            lambda: next((b for b in self.driver.find_elements(By.CSS_SELECTOR, found) if b.text == words), None)
        )

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def text(self, selector):
        return self.script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def complaints(self):
        """Of the browser itself: errors of scripts, and what the page's policy has refused."""
        self._read_log()
        found, self.errors, self.drops = self.errors, [], 0
        return found

    def _read_log(self):
        for entry in self.driver.get_log("browser"):
            if DROPPED in entry["message"]:
                self.drops += 1
            elif entry["level"] == "SEVERE":
                self.errors.append(entry["message"])


@pytest.fixture(scope="module")
def served(write_shared_stack):
    stack = write_shared_stack(FILE, name="shop")
    stack.run("up", "-d")
    with serving(stack) as served:
        yield served


@pytest.fixture(scope="module")
def opened(served):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        browser = Browser(served, directory)
        try:
            yield browser
        finally:
            browser.driver.quit()


@pytest.fixture
def browser(opened):
    """Nothing that a test does may be refused by the page's own policy, or end a script."""
    opened.complaints()
    yield opened
    assert opened.complaints() == []


def label(browser, service):
    return browser.script(
        "return [...document.querySelectorAll('.node')].map((node) => node.getAttribute('aria-label') ?? '')"
        ".find((label) => label.startsWith(`${arguments[0]}: `)) ?? ''",
        service,
    )


def test_the_graph_shows_states_as_they_change_and_the_token_leaves_the_address(browser):
    browser.open()
    assert "token" not in browser.driver.current_url
    browser.until(lambda: label(browser, "web").startswith("web: running"))
    assert len(browser.driver.find_elements(By.CSS_SELECTOR, ".edge")) == 3
    browser.served.stack.run("stop", "-t", "0", "web")
    browser.until(lambda: label(browser, "web").startswith("web: exited"))
    browser.served.stack.run("start", "web")
    browser.until(lambda: label(browser, "web").startswith("web: running"))


def test_details_have_no_secrets_and_everything_is_reached_with_the_keyboard(browser):
    browser.open()
    first = browser.find(".node[tabindex='0']")
    browser.script("arguments[0].focus()", first)
    browser.driver.switch_to.active_element.send_keys("\ue015")  # down
    focused = browser.script("return document.activeElement.getAttribute('aria-label')")
    assert focused.split(":")[0] in ("db", "web", "chatty", "between-web-and-what-it-needs")
    browser.script("[...document.querySelectorAll('.node')].find((n) => n.ariaLabel.startsWith('db')).focus()")
    browser.driver.switch_to.active_element.send_keys("\ue007")  # enter
    browser.until(lambda: "DB_PASSWORD" in browser.text("#details"))
    assert "hunter22" not in browser.driver.page_source
    browser.driver.switch_to.active_element.send_keys("\ue00c")  # escape
    browser.until(lambda: not browser.find("#details").is_displayed())
    nameless = browser.script(
        "return [...document.querySelectorAll('button, input, select, a, [role=button]')].filter((each) => "
        "!each.textContent.trim() && !each.ariaLabel && !each.labels?.length).map((each) => each.outerHTML)"
    )
    assert nameless == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_hidden_or_cut_off_at_any_width(width, browser):
    resize(browser.driver, width, 800)
    try:
        browser.open()
        browser.until(lambda: label(browser, "web").startswith("web: running"))
        assert browser.script(HIDDEN) == []
        for view in ("graph", "logs", "timeline", "plan", "history"):
            browser.driver.find_element(By.CSS_SELECTOR, f"nav a[href='#{view}']").click()
            browser.until(browser.find(f"#view-{view}").is_displayed)
            assert browser.script("return document.documentElement.scrollWidth") == width, view
        browser.driver.find_element(By.CSS_SELECTOR, "nav a[href='#graph']").click()
        names = browser.script(
            "return [...document.querySelectorAll('.services th[scope=row]')].map((e) => e.textContent)"
        )
        assert names == sorted(names)
        assert (
            browser.script(
                "return [...document.querySelectorAll('.services tbody td, .services tbody th')].filter((cell) => "
                "cell.textContent && cell.getBoundingClientRect().right > innerWidth).map((cell) => cell.textContent)"
            )
            == []
        )
    finally:
        resize(browser.driver, 1280, 900)


def test_a_thousand_lines_a_second_are_shown_and_searched_without_a_standstill(browser):
    browser.open()
    browser.driver.find_element(By.CSS_SELECTOR, "nav a[href='#logs']").click()
    search = browser.find("#view-logs input[type=search]")
    browser.script("window.frames = 0; (function count() { window.frames += 1; requestAnimationFrame(count); })()")
    browser.served.stack.run("exec", "-T", "chatty", "touch", "/begin")
    browser.until(lambda: f"line {LINES} " in browser.text("#view-logs .rows"))
    assert browser.text("#view-logs .count") == f"{LINES:,} lines"
    assert browser.script("return document.querySelectorAll('#view-logs .log').length") < 200
    # Whatever the machine: a page that stands still while lines come has hardly a frame for them.
    assert browser.script("return window.frames") > LINES / HASTE
    assert "<b>bold</b>" in browser.text("#view-logs .rows")
    search.send_keys("line 4321 ")
    browser.until(lambda: browser.text("#view-logs .count") == f"1 matches in {LINES:,} lines")
    search.send_keys("\ue007")
    browser.until(lambda: browser.text("#view-logs mark") == "line 4321 ")


def test_a_plan_is_looked_at_and_applied(browser):
    browser.open()
    browser.served.stack.write(
        FILE.replace("  db: {", '  cache: {image: "rootfs:BUSYBOX", command: [sleep, "9"]}\n  db: {')
    )
    browser.driver.find_element(By.CSS_SELECTOR, "nav a[href='#plan']").click()
    browser.until(lambda: "container/shop-cache-1" in browser.text("#view-plan"))
    browser.button("Apply this plan", "#view-plan").click()
    browser.until(lambda: browser.served.stack.states().get("cache"))
    browser.driver.find_element(By.CSS_SELECTOR, "nav a[href='#history']").click()
    browser.until(lambda: "web: apply" in browser.text("#view-history"))
    browser.driver.find_element(By.CSS_SELECTOR, "nav a[href='#graph']").click()
    browser.until(lambda: label(browser, "cache"))


def test_a_terminal_echoes_and_shows_colours(browser):
    browser.open()
    browser.script("[...document.querySelectorAll('.services button')].find((b) => b.textContent === 'db').click()")
    browser.button("Terminal", "#details").click()
    browser.until(lambda: "/ #" in browser.text("#terminal .xterm-rows"))
    keys = browser.driver.switch_to.active_element
    keys.send_keys("printf '\\033[38;2;1;2;3m%s\\033[0m\\n' $((6 * 7))$HOSTNAME; stty size\n")
    browser.until(lambda: "42shop-db-1" in browser.text("#terminal .xterm-rows"))
    columns = browser.script("return document.querySelector('#terminal .xterm-screen').clientWidth")
    assert columns > 1000
    keys.send_keys("exit\n")
    browser.until(lambda: "ended with exit code 0" in browser.text("#terminal .xterm-rows"))


def test_a_viewer_has_no_buttons_that_change_anything(browser):
    browser.driver.delete_all_cookies()
    browser.open("viewer")
    browser.script("[...document.querySelectorAll('.services button')].find((b) => b.textContent === 'db').click()")
    browser.until(lambda: "DB_PASSWORD" in browser.text("#details"))
    words = {b.text for b in browser.driver.find_elements(By.CSS_SELECTOR, "#details button")}
    assert words.isdisjoint({"Start", "Stop", "Restart", "Terminal", "Scale"})


def test_another_name_for_this_address_is_refused(opened):
    """As a site does whose name first resolves to its own address, and then to this one."""
    opened.driver.get(f"http://rebound.localhost:{opened.served.port}/?token={opened.served.tokens['operator']}")
    assert "not asked for by that name" in opened.driver.page_source
    opened.complaints()


def test_without_the_token_there_is_nothing(opened):
    opened.driver.get(f"{opened.address}/static/icon.svg")
    opened.driver.delete_all_cookies()
    for query in ("", "?token=wrong"):
        opened.driver.get(f"{opened.address}/{query}")
        assert "No access" in opened.driver.page_source
        assert "shop" not in opened.driver.page_source
    opened.complaints()
