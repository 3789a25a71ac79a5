"""The results page in a browser: no fault and no request, and everything can be reached with keys and a finger."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import MISSING, chromium, opened

pytestmark = [pytest.mark.browser, pytest.mark.skipif(MISSING, reason="needs Chromium and playwright")]
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
COLUMN = "[...document.querySelectorAll('#table tbody tr:not([hidden])')].map(r => Number(r.cells[4].dataset.value))"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def look(browser, page) -> Iterator[Callable[..., Any]]:
    """Open the results page, or another, and wait until it says that all is drawn."""
    with ExitStack() as stack:

        def begin(view: str = "", file: Path = page, **how: Any) -> Any:
            shown = stack.enter_context(opened(browser, file, view, **how))
            shown.wait_for_selector("html[data-ready=yes]")
            return shown

        yield begin


@pytest.mark.parametrize("phone", [True, False])
def test_page_in_a_browser(look, phone) -> None:
    width = 360 if phone else 1440
    shown = look(width=width, color_scheme="dark" if phone else "light", has_touch=phone, is_mobile=phone)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    _sort_and_filter(shown)
    _choose_a_sample(shown, touch=phone)
    shown.focus("#gap-chart")
    shown.keyboard.press("ArrowRight")
    shown.wait_for_selector("#gap-readout:has-text('average gap')")
    shown.evaluate("document.querySelector('#table tbody a').click()")
    shown.wait_for_selector("details[open] article:focus")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing_wrong(look, width, scheme) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright")
    shown = look(width=width, color_scheme=scheme)
    shown.evaluate(FLAT)
    result = axe.Axe().run(shown, options={"resultTypes": ["violations"]})
    assert len(result["passes"]) > 20 and not result["violations"]


def test_all_that_takes_keys_is_visible_when_it_has_them(look) -> None:
    shown, reached = look(), []
    for _ in range(150):
        shown.keyboard.press("Tab")
        if shown.evaluate("document.activeElement === document.body"):
            break
        reached.append(shown.evaluate(FOCUSED))
    parts = {"table", "trade-chart", "curve-cell", "gap-chart", "map", "compare-first", "SUMMARY"}
    assert parts <= {part for part, _ in reached}
    assert [one for one, outline in reached if outline == "none"] == []


def test_a_view_is_in_the_address_and_its_rows_can_be_saved(look) -> None:
    shown = look("scenario=random-10&sort=-avg_gap&curve-metric=ta&method=gone")
    gaps = shown.evaluate(COLUMN)
    assert gaps == sorted(gaps, reverse=True) and len(gaps) > 2
    assert shown.input_value("#curve-metric") == "ta"
    header, *rows = _saved(shown, "#save-table").decode().splitlines()
    assert header.startswith("method,dataset,arch,scenario,avg_gap")
    assert [float(row.split(",")[4]) for row in rows] == gaps and all("random-10" in row for row in rows)
    shown.click("[data-key=avg_gap] button")
    assert shown.evaluate("location.hash") == "#scenario=random-10&curve-metric=ta"


def test_any_column_stands_against_any_other_and_the_chart_can_be_saved(look) -> None:
    shown = look("trade-x=ua&trade-y=avg_gap&trade-cell=digits%2Fconvnet%2Frandom-10")
    shown.focus("#trade-chart")
    readings = set()
    for _ in range(8):
        shown.keyboard.press("ArrowRight")
        readings.add(shown.text_content("#trade-readout"))
    assert any(text.startswith("FT: UA (%) 11.25") and "Avg. gap (points) 1.25" in text for text in readings), readings
    assert _saved(shown, "#trade .save").startswith(b"\x89PNG")


def test_two_methods_stand_beside_retrain_with_the_images_on_which_they_part(look) -> None:
    shown = look("compare-cell=digits%2Fconvnet%2Frandom-10&compare-samples=test")
    assert shown.locator(".matrix caption").all_text_contents() == ["FT, %", "CoUn, %", "Retrain, %"]
    rows = "[...document.querySelectorAll('.matrix tbody')].map((body) => [...body.rows].map((row) => "
    sums = shown.evaluate(rows + "[...row.cells].slice(1).reduce((sum, cell) => sum + Number(cell.textContent), 0)))")
    assert all(abs(total - 100) <= 5 for matrix in sums for total in matrix) and len(sums[0]) == 10
    assert shown.locator("#compare-list tbody tr").count() > 10 and shown.locator("#compare-list canvas").count() > 10
    shown.select_option("#compare-part", "apart")  # all predict the same here
    shown.locator("#compare-count", has_text=re.compile("^0 of ")).wait_for()
    assert shown.locator("#compare-list tbody tr").count() == 0


def test_headings_stay_while_a_table_scrolls(look) -> None:
    shown = look(width=390)
    top = "document.querySelector('#table thead').firstElementChild.cells[0].getBoundingClientRect().top"
    box = "document.querySelector('#results .scroll')"
    shown.evaluate(f"{box}.style.maxHeight = '300px'; {box}.scrollTo(100, 250)")
    assert abs(shown.evaluate(f"{top} - {box}.getBoundingClientRect().top")) <= 2
    assert shown.evaluate(f"{box}.getBoundingClientRect().right") <= 390


def test_a_history_says_what_its_stage_is_compared_with(look, staged) -> None:
    shown = look(file=staged)
    shown.select_option("#curve-metric", "ra")
    shown.focus("#history-chart")
    for retrain in (90, 90, 80):
        shown.keyboard.press("ArrowRight")
        assert shown.text_content("#history-readout").partition("; ")[2] == f"Retrain {retrain}.00 %"


def test_a_map_that_is_slow_to_come_does_not_replace_a_later_one(look) -> None:
    shown = look()
    # Of two images to be decoded, the first takes longer.
    shown.evaluate(
        "{ const decode = HTMLImageElement.prototype.decode; let calls = 0, decoded = 0;"
        "HTMLImageElement.prototype.decode = async function () { const slow = !calls++; await decode.call(this);"
        "if (slow) await new Promise((done) => setTimeout(done, 300));"
        "setTimeout(() => document.body.dataset.decoded = ++decoded, 200); }; } 0"
    )
    choose = "for (const one of [1, 0]) { s.selectedIndex = one; s.dispatchEvent(new Event('change')); }"
    shown.evaluate(f"{{ const s = document.querySelector('#map-cell'); {choose} }}")
    shown.wait_for_selector("body[data-decoded='2']")
    last = shown.evaluate("document.querySelector('#map-cell').selectedOptions[0].text")
    labels = shown.evaluate("[...document.querySelectorAll('.map')].map((map) => map.ariaLabel)")
    assert len(labels) == 2 and all(last in label for label in labels)


def _saved(shown: Any, button: str) -> bytes:
    """What a file holds that a button saves."""
    with shown.expect_download() as download:
        shown.click(button)
    return Path(download.value.path()).read_bytes()


def _sort_and_filter(shown: Any) -> None:
    shown.focus("[data-key=avg_gap] button")
    shown.keyboard.press("Enter")
    gaps = shown.evaluate(COLUMN)
    assert gaps == sorted(gaps) and len(gaps) > 10
    assert shown.evaluate("document.querySelector('[data-key=avg_gap]').ariaSort") == "ascending"
    shown.keyboard.press("Enter")
    assert shown.evaluate(COLUMN) == gaps[::-1]
    shown.select_option("[name=method]", "ft")
    assert shown.evaluate(COLUMN) == [1.25, 1.25]
    assert shown.text_content("#count").startswith("2 of ")
    shown.click("#filters button")
    shown.locator("#count", has_not_text="2 of ").wait_for()
    assert sorted(shown.evaluate(COLUMN)) == gaps


def _choose_a_sample(shown: Any, touch: bool) -> None:
    shown.focus(".map >> nth=0")
    shown.keyboard.press("ArrowRight")
    first = shown.evaluate(CARD)
    assert first is not None and "true class" in shown.text_content("#map-card")
    shown.evaluate("document.querySelector('.map').scrollIntoView({block: 'start', behavior: 'instant'})")
    panel = shown.locator(".map").first
    start = panel.bounding_box()
    ((x, y), *others) = shown.evaluate(RINGS)
    assert len(others) + 1 == shown.locator(".map").count()
    for _ in range(4):
        shown.keyboard.press("ArrowDown")
        if shown.evaluate(CARD) != first:
            break
    assert shown.evaluate(CARD) != first
    for _ in range(20):  # on a busy machine what is drawn above may still move the map
        now = panel.bounding_box()
        point = (x + now["x"] - start["x"], y + now["y"] - start["y"])
        (shown.touchscreen.tap if touch else shown.mouse.move)(*point)
        if shown.evaluate(CARD) == first:
            break
        shown.wait_for_timeout(500)
    assert shown.evaluate(CARD) == first
    before = shown.evaluate("document.querySelector('.map .ring').style.left")
    shown.evaluate("document.querySelector('#zoom-in').click()")
    moved = f".ring:not([style*='left: {before}']), .ring[hidden]"
    panel.locator(moved).wait_for(state="attached")
