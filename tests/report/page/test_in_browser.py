"""The results page in a browser: no errors, no requests, and everything works by keyboard and by touch."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.report.page.maps import packed
from tests.report.browser import MISSING, chromium, opened

pytestmark = [pytest.mark.ci, pytest.mark.skipif(MISSING, reason="needs Chromium and playwright")]
CARD = "document.querySelector('#map-card canvas')?.dataset.position ?? null"
RINGS = (
    "[...document.querySelectorAll('.map')].map(m => [m.getBoundingClientRect(), m.querySelector('.ring')])"
    ".filter(([, ring]) => !ring.hidden)"
    ".map(([box, ring]) => [box.x + parseFloat(ring.style.left), box.y + parseFloat(ring.style.top)])"
)
# Open everything and let nothing overlap, so that all contrasts can be measured.
FLAT = """
    document.querySelectorAll('details').forEach((one) => one.open = true);
    document.head.append(Object.assign(document.createElement('style'), {textContent:
        '* { position: static !important } .scroll { overflow: visible !important; max-height: none !important }'}))
"""
# The focused element, by identifier, class or tag, and its outline; a checkbox has its label's.
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
def open_tab(browser, page) -> Iterator[Callable[..., Any]]:
    """Open the results page, or another, and wait until it is drawn."""
    with ExitStack() as stack:

        def open_page(view: str = "", file: Path = page, **options: Any) -> Any:
            tab = stack.enter_context(opened(browser, file, view, **options))
            tab.wait_for_selector("html[data-ready=yes]")
            return tab

        yield open_page


@pytest.mark.parametrize("phone", [True, False])
def test_the_page_works_on_a_phone_and_on_a_desktop(open_tab, phone) -> None:
    width = 360 if phone else 1440
    touch = {"has_touch": phone, "is_mobile": phone}
    # A smooth scroll that has not ended, as on a busy machine, would move the map from under the pointer.
    tab = open_tab(width=width, color_scheme="dark" if phone else "light", reduced_motion="reduce", **touch)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    _sort_and_filter(tab)
    _choose_a_sample(tab, touch=phone)
    tab.focus("#gap-chart")
    tab.keyboard.press("ArrowRight")
    tab.wait_for_selector("#gap-readout:has-text('average gap')")
    tab.evaluate("document.querySelector('#table tbody a').click()")
    tab.wait_for_selector("details[open] article:focus")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_no_violation_of_accessibility(open_tab, width, scheme) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright")
    tab = open_tab(width=width, color_scheme=scheme)
    tab.evaluate(FLAT)
    result = axe.Axe().run(tab, options={"resultTypes": ["violations"]})
    assert len(result["passes"]) > 20 and not result["violations"]


def test_every_part_can_be_reached_by_tab_and_shows_its_focus(open_tab) -> None:
    tab, reached = open_tab(), []
    for _ in range(150):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement === document.body"):
            break
        reached.append(tab.evaluate(FOCUSED))
    parts = {"table", "trade-chart", "curve-cell", "gap-chart", "map", "compare-first", "SUMMARY"}
    assert parts <= {part for part, _ in reached}
    assert [part for part, outline in reached if outline == "none"] == []


def test_the_address_holds_the_view_and_its_rows_can_be_saved(open_tab) -> None:
    tab = open_tab("scenario=random-10&sort=-avg_gap&curve-metric=ta&method=gone")
    gaps = tab.evaluate(COLUMN)
    assert gaps == sorted(gaps, reverse=True) and len(gaps) > 2
    assert tab.input_value("#curve-metric") == "ta"
    header, *rows = _saved(tab, "#save-table").decode().splitlines()
    assert header.startswith("method,dataset,arch,scenario,avg_gap")
    costs = [dict(zip(header.split(","), row.split(","), strict=True))["gflops"] for row in rows]
    assert {float(cost) for cost in costs} == {20.0}  # 2e-5 PFLOPs
    assert [float(row.split(",")[4]) for row in rows] == gaps and all("random-10" in row for row in rows)
    tab.click("[data-key=avg_gap] button")
    assert tab.evaluate("location.hash") == "#scenario=random-10&curve-metric=ta"


def test_the_address_holds_which_methods_are_drawn(open_tab) -> None:
    def unchecked(tab) -> list[str]:
        return list(tab.locator("#curve-methods label:not(:has(:checked))").all_text_contents())

    plain, tab = open_tab(), open_tab("curve-methods=ft")
    hidden = unchecked(plain)
    assert "FT" not in hidden and sorted(unchecked(tab)) == sorted([*hidden, "FT"])
    tab.click("#curve-methods label:text-is('CoUn')")
    assert tab.evaluate("location.hash") == "#curve-methods=coun+ft"
    assert tab.evaluate("document.activeElement.closest('label').textContent") == "CoUn"
    for label in ("FT", "CoUn"):
        tab.click(f"#curve-methods label:text-is('{label}')")
    assert tab.evaluate("location.hash") == "" and unchecked(tab) == hidden


def test_the_chart_shows_any_column_against_any_other_and_can_be_saved(open_tab) -> None:
    tab = open_tab("trade-x=ua&trade-y=avg_gap&trade-cell=digits%2Fconvnet%2Frandom-10")
    tab.focus("#trade-chart")
    readings = set()
    for _ in range(8):
        tab.keyboard.press("ArrowRight")
        readings.add(tab.text_content("#trade-readout"))
    assert any(text.startswith("FT: UA (%) 11.25") and "Avg. gap (points) 1.25" in text for text in readings), readings
    assert _saved(tab, "#trade .save").startswith(b"\x89PNG")


def test_two_methods_are_compared_with_retrain_and_by_the_images_they_disagree_on(open_tab) -> None:
    tab = open_tab("compare-cell=digits%2Fconvnet%2Frandom-10&compare-samples=test")
    assert tab.locator(".matrix caption").all_text_contents() == ["FT, %", "CoUn, %", "Retrain, %"]
    rows = "[...document.querySelectorAll('.matrix tbody')].map((body) => [...body.rows].map((row) => "
    sums = tab.evaluate(rows + "[...row.cells].slice(1).reduce((sum, cell) => sum + Number(cell.textContent), 0)))")
    assert all(abs(total - 100) <= 5 for matrix in sums for total in matrix) and len(sums[0]) == 10
    assert tab.locator("#compare-list tbody tr").count() > 10 and tab.locator("#compare-list canvas").count() > 10
    tab.select_option("#compare-part", "apart")  # the methods always agree here
    tab.locator("#compare-count", has_text=re.compile("^0 of ")).wait_for()
    assert tab.locator("#compare-list tbody tr").count() == 0


def test_a_class_of_which_retrain_has_no_sample_has_no_difference(open_tab, page, tmp_path) -> None:
    start, text, end = re.split(r'(?<=id="data">)(.*?)(?=</script>)', page.read_text(encoding="utf-8"), flags=re.S)
    data = json.loads(text)
    for cell in data["compared"]:
        (retrain,) = (method for method in cell["methods"] if method["name"] == "retrain")
        retrain["counts"]["test"] = packed(np.diag([0, *[6] * 9]))  # as where it lacks a trial
    changed = tmp_path / "changed.html"
    changed.write_text(start + json.dumps(data) + end, encoding="utf-8")
    tab = open_tab("compare-samples=test&compare-show=minus", file=changed)
    assert [body.locator("tr").count() for body in tab.locator(".matrix tbody").all()] == [9, 9, 9]


def test_headings_stay_in_view_while_a_table_scrolls(open_tab) -> None:
    tab = open_tab(width=390)
    top = "document.querySelector('#table thead').firstElementChild.cells[0].getBoundingClientRect().top"
    box = "document.querySelector('#results .scroll')"
    tab.evaluate(f"{box}.style.maxHeight = '300px'; {box}.scrollTo(100, 250)")
    assert abs(tab.evaluate(f"{top} - {box}.getBoundingClientRect().top")) <= 2
    assert tab.evaluate(f"{box}.getBoundingClientRect().right") <= 390


def test_a_history_names_the_retrain_of_each_stage(open_tab, staged) -> None:
    tab = open_tab(file=staged)
    tab.select_option("#curve-metric", "ra")
    tab.focus("#history-chart")
    for retrain in (90, 90, 80):
        tab.keyboard.press("ArrowRight")
        assert tab.text_content("#history-readout").partition("; ")[2] == f"Retrain {retrain}.00 %"


def test_a_slow_map_does_not_replace_a_later_one(open_tab) -> None:
    tab = open_tab()
    # The first of two images takes longer to decode.
    tab.evaluate(
        "{ const decode = HTMLImageElement.prototype.decode; let calls = 0, decoded = 0;"
        "HTMLImageElement.prototype.decode = async function () { const slow = !calls++; await decode.call(this);"
        "if (slow) await new Promise((done) => setTimeout(done, 300));"
        "setTimeout(() => document.body.dataset.decoded = ++decoded, 200); }; } 0"
    )
    choose = "for (const one of [1, 0]) { s.selectedIndex = one; s.dispatchEvent(new Event('change')); }"
    tab.evaluate(f"{{ const s = document.querySelector('#map-cell'); {choose} }}")
    tab.wait_for_selector("body[data-decoded='2']")
    last = tab.evaluate("document.querySelector('#map-cell').selectedOptions[0].text")
    labels = tab.evaluate("[...document.querySelectorAll('.map')].map((map) => map.ariaLabel)")
    assert len(labels) == 2 and all(last in label for label in labels)


def _saved(tab: Any, button: str) -> bytes:
    """Return the content of the file that a button saves."""
    with tab.expect_download() as download:
        tab.click(button)
    return Path(download.value.path()).read_bytes()


def _sort_and_filter(tab: Any) -> None:
    tab.focus("[data-key=avg_gap] button")
    tab.keyboard.press("Enter")
    gaps = tab.evaluate(COLUMN)
    assert gaps == sorted(gaps) and len(gaps) > 10
    assert tab.evaluate("document.querySelector('[data-key=avg_gap]').ariaSort") == "ascending"
    tab.keyboard.press("Enter")
    assert tab.evaluate(COLUMN) == gaps[::-1]
    tab.select_option("[name=method]", "ft")
    assert tab.evaluate(COLUMN) == [1.25, 1.25]
    assert tab.text_content("#count").startswith("2 of ")
    tab.click("#filters button")
    tab.locator("#count", has_not_text="2 of ").wait_for()
    assert sorted(tab.evaluate(COLUMN)) == gaps


def _choose_a_sample(tab: Any, touch: bool) -> None:
    tab.focus(".map >> nth=0")
    tab.keyboard.press("ArrowRight")
    first = tab.evaluate(CARD)
    assert first is not None and "true class" in tab.text_content("#map-card")
    tab.evaluate("document.querySelector('.map').scrollIntoView({block: 'start', behavior: 'instant'})")
    place, *other_rings = tab.evaluate(RINGS)
    assert len(other_rings) + 1 == tab.locator(".map").count()
    for _ in range(4):
        tab.keyboard.press("ArrowDown")
        if tab.evaluate(CARD) != first:
            break
    assert tab.evaluate(CARD) != first
    (tab.touchscreen.tap if touch else tab.mouse.move)(*place)
    assert tab.evaluate(CARD) == first
    before = tab.evaluate("document.querySelector('.map .ring').style.left")
    tab.evaluate("document.querySelector('#zoom-in').click()")
    moved = f".ring:not([style*='left: {before}']), .ring[hidden]"
    tab.locator(".map").first.locator(moved).wait_for(state="attached")
