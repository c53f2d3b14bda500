"""The page in the browser: first paint, weight, smoothness with many services, and lines of logs.

    python -m benchmarks.page [SERVICES]

It needs root, busybox and Chromium. Frames are drawn by the processor here: with a graphics card they cost less.
"""

from __future__ import annotations

import sys
from statistics import median
from typing import Any

from selenium.webdriver.common.by import By

from tools.screens import browsing, running, wait_for

SERVICES = 200
LOADS = 7
FRAMES = 200
LINES = 10_000
AT_ONCE = 100
"""Lines that are written together, ten times a second."""
ENTRIES = """
const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .filter((entry) => !entry.name.includes('/api/'));
return {
  paint: performance.getEntriesByName('first-contentful-paint')[0].startTime,
  files: entries.length,
  bytes: entries.reduce((sum, entry) => sum + entry.encodedBodySize, 0),
};
"""
SCROLL = """
const [frames, done] = arguments, times = [];
function draw(time) {
  times.push(time);
  window.scrollBy(0, 12);
  if (times.length <= frames) requestAnimationFrame(draw);
  else done(times.slice(1).map((each, place) => each - times[place]));
}
requestAnimationFrame(draw);
"""
WATCH = """
window.standstill = 0; window.frames = 0; let last = performance.now();
(function count(time) {
  window.standstill = Math.max(window.standstill, time - last); window.frames += 1; last = time;
  requestAnimationFrame(count);
})(last);
"""


def stack_of(services: int) -> str:
    """A chain of tiers of twenty: each service depends on two of the tier before."""
    lines = ["services:"]
    for number in range(services):
        tier = number // 20
        others = sorted({(tier - 1) * 20 + (number * step) % 20 for step in (1, 7)}) if tier else []
        depends = f", depends_on: [{', '.join(f'service-{other:03}' for other in others)}]" if others else ""
        command = 'command: [sleep, infinity], init: true, network_mode: none, image: "shop/base:1"'
        lines.append(f"  service-{number:03}: {{{command}{depends}}}")
    write = f'for i in $$(seq {LINES}); do echo "line $$i"; [ $$((i % {AT_ONCE})) = 0 ] && sleep 0.1; done'
    waits = "while [ ! -e /tmp/begin ]; do sleep 0.1; done"
    lines.append(
        f"  chatty: {{image: 'shop/base:1', init: true, command: [sh, -c, '{waits}; {write}; exec sleep infinity']}}"
    )
    return "\n".join(lines) + "\n"


def main() -> int:
    services = int(sys.argv[1]) if len(sys.argv) > 1 else SERVICES
    with running(stack_of(services)) as stack, stack.page() as address, browsing() as driver:
        driver.get(address)
        loads: list[dict[str, Any]] = []
        for _ in range(LOADS):
            driver.execute_cdp_cmd("Network.clearBrowserCache", {})
            driver.get(address.partition("?")[0])
            wait_for(driver, f"document.querySelectorAll('.node').length > {services}")
            loads.append(driver.execute_script(ENTRIES))
        print(f"first paint: {median(each['paint'] for each in loads):.0f} ms")
        print(f"weight: {loads[-1]['bytes'] / 1000:.0f} kB in {loads[-1]['files']} files")
        frames = sorted(driver.execute_async_script(SCROLL, FRAMES))
        at_worst = frames[len(frames) * 99 // 100]
        print(f"{services} services, scrolling: {median(frames):.0f} ms a frame, 99 of 100 below {at_worst:.0f} ms")
        driver.find_element(By.CSS_SELECTOR, "nav a[href='#logs']").click()
        wait_for(driver, "document.querySelector('#view-logs .window')")
        driver.execute_script(WATCH)
        stack.run("exec", "-T", "chatty", "touch", "/tmp/begin")
        wait_for(driver, f"document.querySelector('#view-logs .rows').textContent.includes('line {LINES}')")
        told = driver.execute_script("return [window.frames, window.standstill]")
        print(f"{LINES} lines at 1000 a second: {told[0]} frames, the longest took {told[1]:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
