"""The explorer's view with a kernel that answers when a test says so, at an address that is no secure context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from helpers.waiting import until

import fastscale_lib as fs
from fastscale_lib.explorer import notebook_page

ADDRESS = "http://gpu-server:8888/"  # that of another machine, without a certificate
TRAITS = ("_code", "_data", "_base", "_times", "_shown", "_panel", "_points")
RENDER = """async ([view, script, traits]) => {
    const code = await import(URL.createObjectURL(new Blob([view], { type: "text/javascript" })));
    globalThis.said = [];
    const model = {
        get: name => traits[name],
        on: (_, listener) => (globalThis.tell = changed => listener(Object.assign(traits, changed))),
        off() {},
        send: message => said.push(message),
        widget_manager: { get_model: async () => ({ get: () => script }) },
    };
    await code.default.render({ model, el: document.body });
}"""


@dataclass
class Shown:
    """The view, and the explorer that answers it."""

    page: Any
    explorer: fs.explorer.Explorer

    def traits(self) -> dict[str, Any]:
        return {name: getattr(self.explorer, name) for name in TRAITS}

    def show(self) -> None:
        self.page.evaluate(RENDER, [self.explorer._esm, notebook_page._code().script, self.traits()])

    def answer_until(self, condition: Callable[[], Any]) -> None:
        """Hear what the view says, and tell it what follows, until the condition holds."""
        until(condition, pause=self._answer)

    def _answer(self) -> None:
        for message in self.page.evaluate("said.splice(0)"):
            self.explorer._handle_custom_msg(message, [])
        self.page.evaluate("changed => tell(changed)", self.traits())


@pytest.fixture
def x(page) -> Iterator[Shown]:
    page.route(f"{ADDRESS}**", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto(ADDRESS)
    with closing(fs.explore("EfficientNet-B0", ["w", "dwr"], 0.5, 4)) as explorer:
        made = Shown(page, explorer)
        made.show()
        yield made
    assert page.errors == []


def test_it_is_drawn_where_the_address_is_no_secure_context(x):
    assert x.page.evaluate("isSecureContext") is False
    assert x.page.locator(".counts .line").count() >= 3
    x.page.get_by_role("slider", name="α").press("ArrowRight")
    x.answer_until(lambda: x.explorer.alpha == 0.51)


def test_times_that_are_yet_to_come_are_not_said_to_be_unknown(x):
    told = lambda: x.page.locator(".time .empty").text_content()  # noqa: E731
    assert told() == "no time is known of this network yet"
    x.answer_until(lambda: told() == "")
    assert "as long on" in x.page.locator(".sentence").text_content()


def test_an_alpha_between_hundredths_is_drawn_when_it_is_counted(x):
    name = lambda: x.page.locator(".counts .names text", has_text="α").text_content()  # noqa: E731
    x.page.get_by_label("α, typed").fill("12.5 %")
    x.page.get_by_label("α, typed").press("Enter")
    x.page.locator("[aria-busy=true] .counts").wait_for()  # what is drawn is the nearest that is counted
    x.answer_until(lambda: x.page.locator("[aria-busy=false] .counts").count())
    assert (x.explorer.alpha, name()) == (0.125, "α 0.125")
    assert "α=0.125" in x.explorer._base["rows"]
    assert "as long on" in x.page.locator(".sentence").text_content()
    x.page.get_by_label("α, typed").fill("0.12")
    x.page.get_by_label("α, typed").press("Enter")
    until(lambda: name() == "α 0.12", pause=lambda: x.page.wait_for_timeout(20))
    assert x.page.locator("[aria-busy=false] .counts").count() == 1


def test_the_hand_is_not_thrown_back_by_what_it_set_before(x):
    """While the kernel is busy, as with a cell that runs."""
    slider = x.page.get_by_role("slider", name="α")
    slider.evaluate("""slider => {
        const { get, set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
        globalThis.put = [];
        Object.defineProperty(slider, "value", { get, set(value) { put.push(Number(value)); set.call(this, value); } });
    }""")
    x.answer_until(lambda: "as long on" in x.page.locator(".sentence").text_content())
    slider.press("ArrowLeft")
    moved = lambda: [each for each in x.page.evaluate("said") if "alpha" in each["set"]]  # noqa: E731
    until(moved, pause=lambda: x.page.wait_for_timeout(20))
    first = moved()[0]
    assert first["set"] == {"alpha": 0.49}
    for _ in range(9):
        slider.press("ArrowLeft")
    x.explorer._handle_custom_msg(first, [])
    assert x.explorer._shown["alpha"] == 0.49
    x.page.evaluate("() => (put = [])")
    x.answer_until(lambda: x.explorer.alpha == 0.4)
    x.page.evaluate("changed => tell(changed)", x.traits())
    assert set(x.page.evaluate("put")) == {0.4}


def test_the_picture_stays_and_moves_until_another_base_has_come(x):
    """Also where the kernel is busy for long, or there is none any more."""
    page = x.page
    marks = lambda: page.locator(".counts circle").evaluate_all("all => all.map(mark => mark.outerHTML)")  # noqa: E731
    times = page.get_by_label("Time on")
    page.get_by_label("Base network").select_option(label="ResNet-50")
    names = times.locator("option").all_text_contents()
    times.select_option(index=1)
    assert times.locator("option:checked").text_content() == names[1]
    before = marks()
    page.get_by_role("slider", name="Scale").press("ArrowLeft")
    until(lambda: marks() != before, pause=lambda: page.wait_for_timeout(20))
    assert page.locator("[aria-busy=true] .counts").count() == 1
    assert page.get_by_label("Base network").locator("option:checked").text_content() == "ResNet-50"
    x.answer_until(lambda: page.locator("[aria-busy=false] .counts").count())
    assert x.explorer.network.name == "ResNet-50"
    x.answer_until(lambda: x.explorer._shown["timing"] == times.locator("option:checked").text_content())
    assert "as long on" in page.locator(".sentence").text_content()
