"""Who the client is (the X statements)."""

from __future__ import annotations

from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from django_deploykit import contract
from django_deploykit.proxy import addresses, forwarded
from django_deploykit.proxy.addresses import Client, parse_address, plain, walk
from django_deploykit.proxy.decision import Refused
from tests.proxy.asking import (
    PROXY,
    VISITOR,
    ask,
    decided,
    policy,
    problems,
    written,
    written_scope,
)

PROXIES = ip_network("10.0.0.0/8")


def in_proxies(text: str) -> bool:
    return ip_address(text) in PROXIES


@pytest.mark.parametrize(
    ("said", "client", "hops"),
    [
        (VISITOR, VISITOR, (PROXY,)),
        (f"192.0.2.1, {VISITOR}", VISITOR, (PROXY,)),
        (f"{VISITOR}, 10.0.0.2", VISITOR, (PROXY, "10.0.0.2")),
        (f"127.0.0.1,{VISITOR},10.0.0.3 , 10.0.0.2", VISITOR, (PROXY, "10.0.0.2", "10.0.0.3")),
        (f",, {VISITOR},, ,", VISITOR, (PROXY,)),
        ("10.0.0.9, 10.0.0.2", "10.0.0.9", (PROXY, "10.0.0.2")),
        ("2001:db8::1", "2001:db8::1", (PROXY,)),
    ],
)
def test_X1_right_to_left(said: str, client: str, hops: tuple[str, ...]) -> None:
    """X1. The first address from the right that is no proxy's is the client's; all proxies: the
    leftmost. Empty entries are none."""
    decision = ask(policy(), HTTP_X_FORWARDED_FOR=said)
    assert (decision.client.address, decision.client.hops) == (client, hops)
    assert decision.client.verified


def test_X1_all_lines_are_one_list() -> None:
    """X1. A client's line of its own counts as much as if it had stood left in the proxy's."""
    lines = [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", VISITOR)]
    assert decided(written_scope(policy(), *lines)).client.address == VISITOR


ADDRESS = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(str)
HONEST = st.lists(st.ip_addresses(v=4, network="10.0.0.0/8").map(str), max_size=4)
ANYTHING = st.text(st.characters(codec="latin-1"), max_size=200)


@given(forged=ANYTHING, client=ADDRESS, proxies=HONEST)
def test_X1_nothing_a_client_writes_counts(forged: str, client: str, proxies: list[str]) -> None:
    """X1. Whatever stands left of what the first proxy wrote changes nothing: property."""
    honest = [client, *proxies]
    named = [*(part.strip() for part in forged.split(",")), *honest]
    if ip_address(client) in PROXIES:
        return
    found = walk(in_proxies, tuple(named), PROXY)
    assert found == walk(in_proxies, tuple(honest), PROXY)
    assert found.address == str(parse_address(client))
    assert found.hops == (PROXY, *reversed(proxies))


@given(named=st.lists(ANYTHING | ADDRESS, max_size=40))
def test_X1_the_client_is_an_address(named: list[str]) -> None:
    """X1. Whatever the list, what comes out is the peer or a plain address: property."""
    found = walk(in_proxies, tuple(named), PROXY)
    assert str(ip_address(found.address)) == found.address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:567", "192.0.2.1"),
        ("[2001:db8::1]:567", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:5", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        *((text, None) for text in ("", "unknown", "_hidden", "192.0.2", "192.0.2.01", "1")),
        *((text, None) for text in ("192.0.2.1:", "192.0.2.1:x", "[192.0.2.1", "[::1]x", "[]")),
        *((text, None) for text in ("2001:db8::1:99999", "a.example", "192.0.2.1 ", "192.0.2.1\n")),
    ],
)
def test_X2_spellings(text: str, address: str | None) -> None:
    """X2. Ports and brackets are no part of an address; anything else is none."""
    assert parse_address(text) == (ip_address(address) if address else None)


# Whatever an address may look like: real ones, spelled in any way, and nearly real ones.
PARTS = st.sampled_from([*"0123456789abfF.:%[]", "::", "255", "256", "00", "ffff", "10.0.0.1"])
SPELLED = st.one_of(
    ADDRESS,
    ADDRESS.map(str.upper),
    st.ip_addresses(v=6).map(lambda address: address.exploded),
    st.ip_addresses(v=6, network="::/64").map(str),
    st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}"),
    st.ip_addresses(v=4).map(lambda address: f"::{address}"),
    st.ip_addresses(v=4).map(lambda address: f"64:ff9b::{address}"),
    st.lists(st.integers(0, 300).map("{:02}".format), min_size=4, max_size=4).map(".".join),
    st.lists(st.sampled_from(["0", "00", "1", "a", ""]), min_size=7, max_size=9).map(":".join),
    st.lists(PARTS, max_size=12).map("".join),
    st.text(max_size=20),
)


@settings(max_examples=2000)
@given(text=SPELLED)
@example("010.0.0.1")
@example("1.2.3.4\0")
@example("1.2.3")
@example("0x1.2.3.4")
@example("1:2:3:4:5:6:7::")
@example("::ffff:102:304")
@example("fe80::1%lo")
@example("\u0661.2.3.4")
def test_X2_the_c_library_reads_what_python_reads(text: str) -> None:
    """X2. The quick way takes no other text for an address than the strict one, and writes each
    one the same: property."""
    address = parse_address(text)
    assert plain(text) == ("" if address is None else str(address))


@given(text=ANYTHING)
def test_X2_parsing_never_raises(text: str) -> None:
    """X2. Any text is an address or is none: property."""
    found = parse_address(text)
    assert found is None or ip_address(str(found)) == found


@pytest.mark.parametrize("entry", ["unknown", "_hidden", "300.1.1.1", "a.example", '"', "\xe9"])
def test_X2_the_walk_ends_where_nothing_can_be_read(entry: str) -> None:
    """X2. Beyond an entry that is no address nobody is believed: the last proxy is the client,
    and known not to be it."""
    decision = ask(policy(), HTTP_X_FORWARDED_FOR=f"{VISITOR}, {entry}, 10.0.0.2")
    assert (decision.client.address, decision.client.verified) == ("10.0.0.2", False)


@pytest.mark.parametrize("said", ["unknown", f"{VISITOR}, _hidden", f"{VISITOR}, x, 10.0.0.2", ""])
@pytest.mark.parametrize("more", [{}, {"HOPS": 1}, {"VHOST": {}}])
def test_X2_strictly_a_client_has_to_be_told(said: str, more: dict[str, Any]) -> None:
    """X2. Otherwise the last proxy's address, which an access list may let in, would stand for
    anybody. With STRICT such a request is refused, whatever its path."""
    strict = policy(STRICT=True, **more)
    for path in ("/", "/vhost/http/example.com/"):
        assert ask(strict, path=path, HTTP_X_FORWARDED_FOR=VISITOR).client.verified
        if not (said.endswith("10.0.0.2") and "HOPS" in more):
            with pytest.raises(Refused, match="do not tell") as refused:
                ask(strict, path=path, HTTP_X_FORWARDED_FOR=said)
            assert refused.value.status == 400
    assert ask(strict, peer=VISITOR, HTTP_X_FORWARDED_FOR=said).client.address == VISITOR


def test_X2_strictness_needs_a_header() -> None:
    """X2. A switch that could never act is an error, and so is anything but a switch."""
    said = problems(TRUSTED=["10.0.0.1"], HEADERS=["X-Forwarded-Proto"], STRICT=True)
    assert said == ["DEPLOYKIT['PROXY']['STRICT']: of use only if one of HEADERS names the client."]
    (said,) = problems(STRICT="yes")
    assert said == "DEPLOYKIT['PROXY']['STRICT']: 'yes' is neither True nor False."


@pytest.mark.parametrize(
    ("hops", "said", "client"),
    [
        (1, VISITOR, VISITOR),
        (1, f"192.0.2.1, {VISITOR}", VISITOR),
        (2, f"192.0.2.1, {VISITOR}, 198.51.100.7", VISITOR),
        (2, VISITOR, PROXY),
        (3, f"192.0.2.1, {VISITOR}", PROXY),
        (1, "", PROXY),
    ],
)
def test_X3_counting(hops: int, said: str, client: str) -> None:
    """X3. The nth from the right, whoever the proxies are; with fewer entries, none counts."""
    decision = ask(policy(HOPS=hops), HTTP_X_FORWARDED_FOR=said)
    assert decision.client.address == client
    assert decision.client.verified is (client == VISITOR)


def test_X3_what_is_counted_has_to_be_an_address() -> None:
    """X3. An entry at the right place that cannot be read names nobody."""
    decision = ask(policy(HOPS=2), HTTP_X_FORWARDED_FOR="unknown, 198.51.100.7")
    assert (decision.client.address, decision.client.verified) == ("198.51.100.7", False)


def test_X4_what_is_written() -> None:
    """X4. The address is the client's; the proxy's name and port are not kept for it; nothing is
    left of the header, and the chain stands in the decision."""
    made = written(policy(), HTTP_X_FORWARDED_FOR=f"1.1.1.1, {VISITOR}", REMOTE_HOST="proxy")
    assert made["REMOTE_ADDR"] == VISITOR
    assert not {"REMOTE_HOST", "REMOTE_PORT", "HTTP_X_FORWARDED_FOR"} & set(made)
    assert made[contract.DECISION_KEY].client.hops == (PROXY,)
    new = written_scope(policy(), ("X-Forwarded-For", VISITOR))
    assert new["client"] == (VISITOR, 0)


@pytest.mark.parametrize("said", [", ".join(["192.0.2.1"] * 33), "1" * 4097])
def test_X5_nobody_has_so_many_proxies(said: str) -> None:
    """X5. A list beyond all reason is refused."""
    with pytest.raises(Refused) as refused:
        ask(policy(), HTTP_X_FORWARDED_FOR=said)
    assert refused.value.status == 400
    assert not ask(policy(), peer=VISITOR, HTTP_X_FORWARDED_FOR=said).trusted


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("for=192.0.2.1", [{"for": "192.0.2.1"}]),
        ('For="[2001:db8::1]:4711"', [{"for": "[2001:db8::1]:4711"}]),
        ("for=192.0.2.43, for=198.51.100.17", [{"for": "192.0.2.43"}, {"for": "198.51.100.17"}]),
        (
            "for=1.1.1.1;proto=http;by=2.2.2.2",
            [{"for": "1.1.1.1", "proto": "http", "by": "2.2.2.2"}],
        ),
        ('for="a,b;c=d", for=x', [{"for": "a,b;c=d"}, {"for": "x"}]),
        (r'for="a\"b\\c"', [{"for": r"a\"b\c".replace('\\"', '"')}]),
        ("PROTO=HTTPS ; For=x", [{"proto": "HTTPS", "for": "x"}]),
        (",, for=x ,,; ;,", [{"for": "x"}]),
        ("for=", [{"for": ""}]),
        ('for=""', [{"for": ""}]),
        (
            "for=[2001:db8::1]:80;host=a.example:443",
            [{"for": "[2001:db8::1]:80", "host": "a.example:443"}],
        ),
        ("", []),
    ],
)
def test_X6_forwarded(text: str, elements: list[dict[str, str]]) -> None:
    """X6. Quoted strings, escapes, any case, empty elements: RFC 7239 4."""
    assert forwarded.parse(text) == elements


@pytest.mark.parametrize(
    "text",
    [
        *('for="1.1.1.1', 'for="a", for="b', '"', 'for="a"b', 'for="a" x', "for", "=x", "for = x"),
        *(
            "for=a for=b",
            "for=a b",
            "for=a;for=b",
            "For=a;fOR=a",
            "for=a\\",
            'for="a\\',
            "f\xf6r=a",
        ),
        *("for=a,for=b," * 20, "for=" + "a" * 5000),
    ],
)
def test_X6_what_cannot_be_read_is_refused(text: str) -> None:
    """X6. An open quote would swallow what the proxy added; a parameter twice says two things."""
    with pytest.raises(Refused) as refused:
        forwarded.parse(text)
    assert refused.value.status == 400


@given(forged=ANYTHING)
def test_X6_the_proxys_element_is_never_swallowed(forged: str) -> None:
    """X6. Whatever a client writes left of it, the proxy's element is the last: property."""
    try:
        found = forwarded.parse(f"{forged}, for=203.0.113.9;proto=https")
    except Refused:
        return
    assert found[-1] == {"for": "203.0.113.9", "proto": "https"}


PAIRS = st.dictionaries(
    st.sampled_from(["for", "proto", "host", "by", "x-y"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
    min_size=1,
)


@given(elements=st.lists(PAIRS, max_size=8))
def test_X6_what_is_written_is_read(elements: list[dict[str, str]]) -> None:
    """X6. Any values in quotes come out as they went in: property."""
    text = ", ".join(
        ";".join(
            '{}="{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"'))
            for name, value in element.items()
        )
        for element in elements
    )
    assert forwarded.parse(text) == elements


def test_X6_forwarded_names_the_client() -> None:
    """X6. The elements are walked as X-Forwarded-For is; what has no address ends the walk."""
    known = policy(HEADERS=["Forwarded"])
    said = f'for=1.1.1.1, for="{VISITOR}:99";proto=https;host=shop.example, for=10.0.0.2;proto=http'
    decision = ask(known, HTTP_FORWARDED=said)
    assert (decision.client.address, decision.place.scheme, decision.place.host) == (
        VISITOR,
        "https",
        "shop.example",
    )
    decision = ask(known, HTTP_FORWARDED="for=1.1.1.1, proto=https")
    assert (decision.client.address, decision.client.verified) == (PROXY, False)


def test_entries_and_nothing_else() -> None:
    """Empty entries are none, and blanks no part of one."""
    assert addresses.entries(" a ,, b,") == ("a", "b")
    assert walk(lambda address: True, (), PROXY) == Client(PROXY, verified=False)


@given(
    st.none()
    | st.sampled_from(
        ["192.0.2.1", "10.0.0.2", " 192.0.2.1", "192.0.2.1:80", "192.0.2.01", "1", ""]
    )
    | st.sampled_from(["192.0.2.1\0", "192.0.2.1,", "2001:db8::1", "::ffff:192.0.2.1", "unknown"])
    | st.text(max_size=20)
    | st.ip_addresses().map(str)
    | st.lists(st.ip_addresses().map(str), max_size=4).map(", ".join)
    | st.lists(st.ip_addresses().map(str), max_size=4).map(tuple)
)
def test_a_short_way_leads_to_the_same_client(said: addresses.Said) -> None:
    """A single address, which is the usual one, is looked at by itself."""
    for find in (partial(walk, in_proxies), partial(addresses.count, 1)):
        assert addresses.one(find)(said, PROXY) == find(said, PROXY)
