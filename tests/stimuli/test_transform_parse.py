"""stimuli.transform_parse: one canonical form, and what is refused."""

import pickle
import re
from pathlib import Path

import pytest

from bids_dnn.errors import ConfigError
from bids_dnn.stimuli.transform_names import NAMES, SPECS, place_of
from bids_dnn.stimuli.transform_parse import Transform, describe, parse_transforms, shown

DOCS = Path(__file__).parents[2] / "docs" / "stimuli.md"

CANONICAL = {
    "squash": "squash()",
    " squash ( ) ": "squash()",
    "center-crop": "center-crop(keep=1)",
    "pad(fill=mean)": "pad(fill=mean)",
    "grey": "grey(weights=rec601)",
    "aperture(edge=10px, diameter=0.50)": (
        "aperture(shape=circle, diameter=0.5, edge=10px, background=128)"
    ),
    "contrast(factor=5e-1)": "contrast(factor=0.5, about=mean)",
    "place(size=2, field=20)": "place(x=0, y=0, size=2, field=20, background=128)",
    "place(x=-3,size=2,field=20)": "place(x=-3, y=0, size=2, field=20, background=128)",
    "place(eccentricity=5, angle=-90, size=2, field=20)": (
        "place(x=-5, y=0, size=2, field=20, background=128)"
    ),
    "place(eccentricity=5, size=2, field=20)": (
        "place(x=0, y=5, size=2, field=20, background=128)"
    ),
    "pair": (
        "pair(positions=(4.949747,4.949747;-4.949747,-4.949747), size=3.3, field=13.2, "
        "background=125)"
    ),
    "pair(orientation=inverted)": (
        "pair(positions=(-4.949747,4.949747;4.949747,-4.949747), size=3.3, field=13.2, "
        "background=125)"
    ),
    "pair(eccentricity=4, angle=90)": (
        "pair(positions=(4,0;-4,0), size=3.3, field=13.2, background=125)"
    ),
    "pair(positions=(0, 4; 0, -4), size=2)": (
        "pair(positions=(0,4;0,-4), size=2, field=13.2, background=125)"
    ),
    "noise(snr=1)": "noise(snr=1, channels=separate, seed=0, draw=0)",
    "noise(seed=12345678901, snr=0.25, draw=2)": (
        "noise(snr=0.25, channels=separate, seed=12345678901, draw=2)"
    ),
    "retinawarp": "retinawarp(density=10, x=0, y=0, fill=0, mode=exact, antialias=no)",
    "retinawarp(mode=fitted, x=-0)": (
        "retinawarp(density=10, x=0, y=0, fill=0, mode=fitted, antialias=no)"
    ),
}


@pytest.mark.parametrize("text", CANONICAL)
def test_the_canonical_form_says_every_option_and_is_read_to_the_same(text):
    (transform,) = parse_transforms([text])
    assert str(transform) == CANONICAL[text]
    assert parse_transforms([str(transform)]) == (transform,)
    assert pickle.loads(pickle.dumps(transform)) == transform


def test_each_transform_has_a_canonical_form_here():
    assert {text.partition("(")[0] for text in CANONICAL.values()} == set(NAMES)


def test_the_order_of_transforms_is_kept_and_that_of_options_does_not_matter():
    made = parse_transforms(["noise(snr=2, seed=1)", "grey", "noise(seed=1, snr=2.0)"])
    assert [one.name for one in made] == ["noise", "grey", "noise"]
    assert made[0] == made[2]
    assert parse_transforms([]) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gray", r"no transform 'gray'.*'grey'"),
        ("retina-warp(density=10)", r"'retina-warp'.*'retinawarp'"),
        ("center_crop", r"'center_crop'.*'center-crop'"),
        ("blur", r"'blur'.*There are: aperture, center-crop"),
        ("Grey", r"'Grey'.*'grey'"),
        ("", r"'' is not written as NAME"),
        ("grey, squash", r"not written as NAME.*one transform for each entry"),
        ("grey()x", r"not written as NAME"),
        ("retinawarp(densty=10)", r"no option 'densty'.*'density'"),
        ("retinawarp(10)", r"no option '10'.*density.*key=value"),
        ("squash(size=3)", r"squash has no options, but 'squash\(size=3\)' gives 'size'"),
        ("noise(snr=1, snr=2)", r"gives snr twice"),
        ("noise", r"'noise' lacks snr\. Type noise\(snr=\.\.\.\)"),
        ("place(x=1)", r"lacks size, field"),
        ("contrast(factor=)", r"factor is '' in"),
        ("contrast(factor=a lot)", r"factor is 'a lot'.*a number from 0 \(ratio\)"),
        ("contrast(factor=-1)", r"factor is '-1'"),
        ("contrast(factor=nan)", r"factor is 'nan'"),
        ("contrast(factor=inf)", r"factor is 'inf'"),
        ("noise(snr=0)", r"snr is '0'.*a number above 0"),
        ("noise(snr=1, seed=1.5)", r"seed is '1.5'.*a whole number from 0"),
        ("noise(snr=1, seed=-1)", r"seed is '-1'"),
        ("retinawarp(density=0.5)", r"density is '0.5'.*a number from 1 to 1e\+06"),
        ("retinawarp(mode=fited)", r"mode is 'fited'.*'fitted'"),
        ("retinawarp(x=2)", r"x is '2'.*from -1 to 1 \(half widths\)"),
        ("center-crop(keep=1.2)", r"keep is '1.2'.*above 0 to 1"),
        ("pad(fill=300)", r"fill is '300'.*from 0 to 255"),
        ("pad(fill=white)", r"fill is 'white'.*mean"),
        ("aperture(diameter=0)", r"diameter is '0'"),
        ("aperture(diameter=3cm)", r"diameter is '3cm'.*100px"),
        ("place(x=1, angle=3, size=1, field=9)", r"x or y, and eccentricity or angle"),
        ("place(angle=3, size=1, field=9)", r"angle without an eccentricity"),
        ("place(x=5, size=2, field=9)", r"2 degrees at \(5, 0\).*field=12"),
        ("pair(eccentricity=20)", r"reaches beyond a field of 13.2 degrees.*field=31.59"),
        ("pair(eccentricity=1)", r"1.41421 degrees apart and 3.3 degrees wide"),
        ("pair(orientation=upright)", r"orientation is 'upright'.*inverted, normal"),
        ("pair(positions=(1,1;2,2), angle=3)", r"positions and angle"),
        ("pair(positions=(1,1))", r"another number of positions"),
        ("pair(positions=4;5)", r"positions is '4;5'.*\(X,Y;X,Y\)"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_type(text, said):
    with pytest.raises(ConfigError, match=re.compile(said, re.S)):
        parse_transforms(["grey", text])


@pytest.mark.parametrize(
    ("angle", "place"), [(0, (0, 2)), (90, (2, 0)), (180, (0, -2)), (-90, (-2, 0))]
)
def test_angles_go_clockwise_from_the_upper_vertical_meridian(angle, place):
    assert place_of(2, angle) == place


@pytest.mark.parametrize("name", NAMES)
def test_a_description_has_every_option(name):
    said = describe(name)
    assert said.startswith(f"{name}: {SPECS[name].what}")
    for option in (*SPECS[name].options, *SPECS[name].shorthands):
        default = "" if option.default is None else f"={shown(option.default)}"
        assert f"  {option.name}{default}: {option.what}" in said


def test_there_is_no_description_of_what_does_not_exist():
    with pytest.raises(ConfigError, match=r"'padding'.*'pad'"):
        describe("padding")


@pytest.mark.parametrize("name", NAMES)
def test_the_table_in_the_documentation_has_every_option_and_default(name):
    rows = DOCS.read_text(encoding="utf-8").splitlines()
    (row,) = [row for row in rows if row.startswith(f"| `{name}` |")]
    for option in (*SPECS[name].options, *SPECS[name].shorthands):
        default = "" if option.default is None else f"={shown(option.default)}"
        assert f"`{option.name}{default}`" in row
        assert all(choice in row for choice in option.choices)


def test_an_option_is_had_by_name():
    transform = Transform("aperture", (("diameter", "10px"), ("edge", 0.5)))
    assert transform["diameter"] == "10px"
    assert transform.number("edge") == 0.5
