"""The results page in a browser: no fault and no request, and everything can be reached with keys and a finger."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.report.browser import Browser, chromium

pytestmark = [pytest.mark.browser, pytest.mark.skipif(chromium() is None, reason="chromium is not installed")]
CARD = "document.querySelector('#map-card canvas')?.dataset.position ?? null"
RINGS = (
    "[...document.querySelectorAll('.map')].map(m => [m.getBoundingClientRect(), m.querySelector('.ring')])"
    ".filter(([, ring]) => !ring.hidden)"
    ".map(([box, ring]) => [box.x + parseFloat(ring.style.left), box.y + parseFloat(ring.style.top)])"
)
# Nothing lies over anything else, so that all contrasts can be measured, and everything that opens is open.
FLAT = """
    document.querySelectorAll('details').forEach((one) => one.open = true);
    document.head.append(Object.assign(document.createElement('style'), {textContent:
        '* { position: static !important } .scroll { overflow: visible !important; max-height: none !important }'}))
"""
# What has the focus, by its identifier, class or tag, and the outline that shows it: a box's is its label's.
FOCUSED = """(() => {
    const one = document.activeElement, shown = one.type === 'checkbox' ? one.closest('label') : one;
    const name = one.closest('#table') ? 'table' : one.id || one.className || one.tagName;
    return [name, getComputedStyle(shown).outlineStyle];
})()"""
VIOLATIONS = """
    axe.run(document, {resultTypes: ['violations']}).then(({violations, passes}) => JSON.stringify([passes.length,
        violations.map(({id, impact, help, nodes}) => [id, impact, help, nodes.slice(0, 3).map(({html}) => html)])]))
"""
COLUMN = "[...document.querySelectorAll('#table tbody tr:not([hidden])')].map(r => Number(r.cells[4].dataset.value))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(autouse=True)
def nothing_wrong(browser) -> Iterator[None]:
    """No test leaves a fault in the console, or a request to a network."""
    yield
    assert browser.faults == []
    assert [address for address in browser.requests if not address.startswith(("data:", "file:"))] == []


@pytest.mark.parametrize(("width", "dark"), [(360, True), (1440, False)])
def test_page_in_a_browser(browser, page, width, dark) -> None:
    browser.look_through(width, dark=dark, touch=width < 500)
    browser.open(page)
    assert browser.js("document.documentElement.scrollWidth") <= width
    _sort_and_filter(browser)
    _choose_a_sample(browser, touch=width < 500)
    browser.js("document.querySelector('#gap-chart').focus()")
    browser.key("ArrowRight")
    browser.until("document.querySelector('#gap-readout').textContent.includes('average gap')")
    browser.js("document.querySelector('#table tbody a').click()")
    browser.until("document.activeElement.matches('details[open] article')")


@pytest.mark.skipif(find_spec("axe_core_python") is None, reason="axe-core-python is not installed")
@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1440, False), (1440, True)])
def test_axe_finds_nothing_wrong(browser, page, width, dark) -> None:
    browser.look_through(width, dark=dark)
    browser.open(page)
    package = find_spec("axe_core_python")
    axe = Path(package.submodule_search_locations[0], "axe.min.js").read_text(encoding="utf-8")
    browser.js(f"{FLAT}; {axe}; 0")
    rules_passed, violations = json.loads(browser.js(VIOLATIONS))
    assert rules_passed > 20 and not violations


def test_all_that_takes_keys_is_visible_when_it_has_them(browser, page) -> None:
    browser.look_through(1440)
    browser.open(page)
    reached = []
    for _ in range(150):
        browser.key("Tab")
        if browser.js("document.activeElement === document.body"):
            break
        reached.append(browser.js(FOCUSED))
    assert {"table", "trade-chart", "curve-cell", "gap-chart", "map", "compare-first", "SUMMARY"} <= {
        r[0] for r in reached
    }
    assert [one for one, outline in reached if outline == "none"] == []


def test_a_view_is_in_the_address_and_its_rows_can_be_saved(browser, page, tmp_path) -> None:
    view = "scenario=random-10&sort=-avg_gap&curve-metric=ta&method=gone"
    browser.open(page, view)
    gaps = browser.js(COLUMN)
    assert gaps == sorted(gaps, reverse=True) and len(gaps) > 2
    assert browser.js("document.querySelector('#curve-metric').value") == "ta"
    header, *rows = browser.saved(tmp_path, "#save-table").decode().splitlines()
    assert header.startswith("method,dataset,arch,scenario,avg_gap")
    assert [float(row.split(",")[4]) for row in rows] == gaps and all("random-10" in row for row in rows)
    browser.js("document.querySelector('[data-key=avg_gap] button').click()")
    assert browser.js("location.hash") == "#scenario=random-10&curve-metric=ta"


def test_any_column_stands_against_any_other_and_the_chart_can_be_saved(browser, page, tmp_path) -> None:
    browser.open(page, "trade-x=ua&trade-y=avg_gap&trade-cell=digits%2Fconvnet%2Frandom-10")
    browser.js("document.querySelector('#trade-chart').focus()")
    readings = set()
    for _ in range(8):
        browser.key("ArrowRight")
        readings.add(browser.js("document.querySelector('#trade-readout').textContent"))
    assert any(text.startswith("FT: UA (%) 11.25") and "Avg. gap (points) 1.25" in text for text in readings), readings
    assert browser.saved(tmp_path, "#trade .save").startswith(b"\x89PNG")


def test_two_methods_stand_beside_retrain_with_the_images_on_which_they_part(browser, page) -> None:
    browser.open(page, "compare-cell=digits%2Fconvnet%2Frandom-10&compare-samples=test")
    tables = browser.js("[...document.querySelectorAll('.matrix caption')].map((caption) => caption.textContent)")
    assert tables == ["FT, %", "CoUn, %", "Retrain, %"]
    rows = "[...document.querySelectorAll('.matrix tbody')].map((body) => [...body.rows].map((row) => "
    sums = browser.js(rows + "[...row.cells].slice(1).reduce((sum, cell) => sum + Number(cell.textContent), 0)))")
    assert all(abs(total - 100) <= 5 for matrix in sums for total in matrix) and len(sums[0]) == 10
    listed = "document.querySelectorAll('#compare-list tbody tr').length"
    assert browser.js(listed) > 10 and browser.js("document.querySelectorAll('#compare-list canvas').length") > 10
    # All predict the same here.
    choose = "s.value = 'apart'; s.dispatchEvent(new Event('change', {bubbles: true}))"
    browser.js(f"{{ const s = document.querySelector('#compare-part'); {choose}; }}")
    browser.until(f"{listed} === 0 && document.querySelector('#compare-count').textContent.startsWith('0 of ')")


def test_headings_stay_while_a_table_scrolls(browser, page) -> None:
    browser.look_through(390)
    browser.open(page)
    top = "document.querySelector('#table thead').firstElementChild.cells[0].getBoundingClientRect().top"
    box = "document.querySelector('#results .scroll')"
    browser.js(f"{box}.style.maxHeight = '300px'; {box}.scrollTo(100, 250)")
    assert abs(browser.js(f"{top} - {box}.getBoundingClientRect().top")) <= 2
    assert browser.js(f"{box}.getBoundingClientRect().right") <= 390


def test_a_history_says_what_its_stage_is_compared_with(browser, staged) -> None:
    browser.open(staged)
    choose = "s.value = 'ra'; s.dispatchEvent(new Event('change'));"
    browser.js(f"{{ const s = document.querySelector('#curve-metric'); {choose} }}")
    browser.js("document.querySelector('#history-chart').focus()")
    for retrain in (90, 90, 80):
        browser.key("ArrowRight")
        readout = browser.js("document.querySelector('#history-readout').textContent")
        assert readout.partition("; ")[2] == f"Retrain {retrain}.00 %"


def test_a_map_that_is_slow_to_come_does_not_replace_a_later_one(browser, page) -> None:
    browser.open(page)
    # Of two images to be decoded, the first takes longer.
    browser.js(
        "{ const decode = HTMLImageElement.prototype.decode; let calls = 0; window.decoded = 0;"
        "HTMLImageElement.prototype.decode = async function () { const slow = !calls++; await decode.call(this);"
        "if (slow) await new Promise((done) => setTimeout(done, 300));"
        "setTimeout(() => window.decoded++, 200); }; }"
    )
    choose = "for (const one of [1, 0]) { s.selectedIndex = one; s.dispatchEvent(new Event('change')); }"
    browser.js(f"{{ const s = document.querySelector('#map-cell'); {choose} }}")
    browser.until("window.decoded === 2")
    last = browser.js("document.querySelector('#map-cell').selectedOptions[0].text")
    labels = browser.js("[...document.querySelectorAll('.map')].map((map) => map.ariaLabel)")
    assert len(labels) == 2 and all(last in label for label in labels)


def _sort_and_filter(browser: Browser) -> None:
    browser.js("document.querySelector('[data-key=avg_gap] button').focus()")
    browser.key("Enter")
    gaps = browser.js(COLUMN)
    assert gaps == sorted(gaps) and len(gaps) > 10
    assert browser.js("document.querySelector('[data-key=avg_gap]').ariaSort") == "ascending"
    browser.key("Enter")
    assert browser.js(COLUMN) == gaps[::-1]
    change = "s.value = 'ft'; s.dispatchEvent(new Event('change', {bubbles: true}))"
    browser.js(f"{{ const s = document.querySelector('[name=method]'); {change}; }}")
    assert browser.js(COLUMN) == [1.25, 1.25]
    assert browser.js("document.querySelector('#count').textContent").startswith("2 of ")
    browser.js("document.querySelector('#filters button').click()")
    browser.until(f"{COLUMN}.length === {len(gaps)}")


def _choose_a_sample(browser: Browser, touch: bool) -> None:
    browser.js("document.querySelector('.map').focus()")
    browser.key("ArrowRight")
    first = browser.js(CARD)
    assert first is not None and "true class" in browser.js("document.querySelector('#map-card').textContent")
    browser.js("document.querySelector('.map').scrollIntoView({block: 'start', behavior: 'instant'})")
    ((x, y), *others) = browser.js(RINGS)
    assert len(others) + 1 == browser.js("document.querySelectorAll('.map').length")
    for _ in range(4):
        browser.key("ArrowDown")
        if browser.js(CARD) != first:
            break
    assert browser.js(CARD) != first
    (browser.tap if touch else browser.point)(x, y)
    browser.until(f"{CARD} === '{first}'")
    width = "document.querySelector('.map .ring').style.left"
    before = browser.js(width)
    browser.js("document.querySelector('#zoom-in').click()")
    browser.until(f"{width} !== '{before}' || document.querySelector('.map .ring').hidden")
