"""Templates: a customer's value is text everywhere; bombs end; links are signed."""

from typing import Any

import pytest

from tabiji_common.links import verify
from tabiji_dispatch.domain.message import Letter
from tabiji_dispatch.domain.render import Shop, Unrenderable, compile_template, is_template_name, render
from tests.unit.dispatch.make import NOON, delivery

SHOP = Shop("旅路の店", "https://shop.example.com", "http://127.0.0.1:8010/", "secret")
MJML = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>{{ customer.name }} {{ note }}</mj-text>"
    "<mj-button href=\"{{ 'https://shop.example.com/a?b=1&c=2' | track }}\">見る</mj-button>"
    "</mj-column></mj-section></mj-body></mjml>"
)


def letter(parts: dict[str, str], name: str = "山田 花子", **variables: Any) -> Letter:
    """A receipt's, which needs no way out."""
    return of_class("transactional", parts, name, **variables)


def of_class(message_class: str, parts: dict[str, str], name: str = "", **variables: Any) -> Letter:
    one = delivery(variables=variables, message_class=message_class)
    return render(compile_template("f2/t", parts), one, SHOP, address="a@example.com", name=name, now=NOON)


def test_the_customer_and_the_shop_are_filled_in() -> None:
    made = letter(
        {"subject.liquid": "{{ customer.name }}さま", "body.txt": "{{ shop.name }} {{ variables.x }} {{ x }}"}, x=1
    )
    assert (made.subject, made.text) == ("山田 花子さま", "旅路の店 1 1")


def test_markup_in_a_value_is_text() -> None:
    made = letter({"body.mjml": MJML}, name='<script>alert("x")</script>', note="<mj-raw><b>&amp;")
    assert "<script>alert" not in made.html
    assert "&lt;script&gt;" in made.html
    assert "<b>" not in made.html
    assert "&lt;mj-raw&gt;" in made.html


def test_liquid_in_a_value_is_not_run() -> None:
    made = letter({"body.txt": "{{ note }}"}, note="{{ shop.name }}{% for i in (1..9) %}x{% endfor %}")
    assert made.text.startswith("{{ shop.name }}{%")


@pytest.mark.parametrize("bad", ["a\r\nBcc: all@example.com", "a\nb", "a\x00b", "a\u2028b", "a\x85b", "a\x0bb"])
def test_no_value_ends_a_line(bad: str) -> None:
    made = letter({"subject.liquid": "{{ note }} {{ customer.name }}", "body.txt": "x"}, name=bad, note=bad)
    assert len(made.subject.splitlines()) == 1
    assert "\x00" not in made.subject


def test_tracked_links_are_signed_and_lead_where_they_should() -> None:
    made = letter({"body.mjml": MJML})
    token = made.html.partition("http://127.0.0.1:8010/c/")[2].partition('"')[0]
    link = verify("secret", "c", token)
    assert link is not None
    assert (link.url, link.message_key, link.customer) == ("https://shop.example.com/a?b=1&c=2", "m1", "c1")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/relative", "https://a b", "data:text/html,x", 'https://"x'])
def test_what_is_no_web_address_is_not_linked(url: str) -> None:
    assert letter({"body.txt": "[{{ u | track }}]"}, u=url).text == "[]"


def test_the_pixel_is_there_once() -> None:
    own = letter({"body.html": '<body><img src="{{ open_pixel }}"></body>'})
    added = letter({"body.html": "<body>x</body>"})
    assert own.html.count("/o/") == added.html.count("/o/") == 1
    assert added.html.endswith("</body>")


def test_marketing_carries_an_unsubscribe_address_and_receipts_do_not() -> None:
    assert letter({"body.txt": "x"}).unsubscribe_url == ""
    token = of_class("marketing", {"body.txt": "{{ unsubscribe_url }}"}).unsubscribe_url.rpartition("/")[2]
    assert verify("secret", "u", token) is not None


@pytest.mark.parametrize(
    ("parts", "lacks"),
    [
        ({"body.txt": "{% if note %}{{ unsubscribe_url }}{% endif %}"}, "text"),
        ({"body.txt": "{{ unsubscribe_url }}", "body.mjml": MJML}, "HTML"),
        ({"body.txt": "{{ unsubscribe_url }}", "body.html": "<body>x</body>"}, "HTML"),
    ],
)
def test_marketing_mail_whose_body_says_no_way_out_is_not_sent(parts: dict[str, str], lacks: str) -> None:
    with pytest.raises(Unrenderable, match=f"f2/t: marketing mail whose {lacks} lacks unsubscribe_url"):
        of_class("marketing", parts)
    with_link = {**parts, "body.mjml": MJML.replace("</mj-text>", ' <a href="{{ unsubscribe_url }}">x</a></mj-text>')}
    if lacks == "HTML":
        assert of_class("marketing", with_link).html


def test_a_chat_needs_no_way_out_in_its_body() -> None:
    one = delivery(channel="line")
    assert render(compile_template("f2/t", {"body.line.txt": "x"}), one, SHOP, address="U", name="", now=NOON).text


BOMBS = [
    "{% for i in (1..100000000) %}x{% endfor %}",
    "{% for a in (1..9999) %}{% for b in (1..9999) %}x{% endfor %}{% endfor %}",
    "{% assign a = 'xxxxxxxxxx' %}" + "{% assign a = a | append: a | append: a | append: a %}" * 30 + "{{ a }}",
    "{% include 'other' %}",
    "{% render '../../../etc/passwd' %}",
]


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_and_other_files_are_refused(bomb: str) -> None:
    with pytest.raises(Unrenderable):
        letter({"body.txt": bomb})


def test_broken_templates_are_refused() -> None:
    with pytest.raises(Unrenderable):
        compile_template("f2/t", {"body.txt": "{% if %}"})
    with pytest.raises(Unrenderable):
        compile_template("f2/t", {"subject.liquid": "only a subject"})
    with pytest.raises(Unrenderable):
        letter({"body.mjml": "<mjml><mj-body></mjml>"})


def test_missing_values_are_empty() -> None:
    assert letter({"body.txt": "[{{ nothing.at.all }}]"}).text == "[]"


@pytest.mark.parametrize("name", ["f2/thanks", "abandoned-cart/cart-last-call", "a1/b_2"])
def test_template_names(name: str) -> None:
    assert is_template_name(name)


@pytest.mark.parametrize("name", ["f2", "../x/y", "f2/../x", "/etc/x", "f2/x/y", "F2/x", "f2/", "f2/x\n", "f2/x.y"])
def test_names_that_could_leave_the_folder(name: str) -> None:
    assert not is_template_name(name)


def test_the_version_names_the_sources_and_the_digest_the_request() -> None:
    one, two = compile_template("f2/t", {"body.txt": "a"}), compile_template("f2/t", {"body.txt": "b"})
    assert one.version != two.version
    assert (
        letter({"body.txt": "a"}).digest() == letter({"body.txt": "a"}).digest() != letter({"body.txt": "b"}).digest()
    )
