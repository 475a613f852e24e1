"""The grammar of regions: read a rule, list its terms, name it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import NoReturn

from bids_dnn.errors import ConfigError, nearest
from bids_dnn.rois.rule import (
    BINDING,
    KINDS,
    OPERATORS,
    Join,
    Operator,
    Rule,
    Term,
    columns,
    fill,
    from_json,
    to_json,
)

__all__ = [
    "Join",
    "Rule",
    "Term",
    "columns",
    "fill",
    "from_json",
    "is_path",
    "name_of",
    "parse",
    "split_space",
    "terms",
    "to_json",
]

CONNECTIVES: dict[Operator, str] = {"|": "or", "&": "and", "-": "not"}
IMAGES = (".nii", ".nii.gz", ".gii", ".label", ".annot", ".img", ".mgz", ".mgh")
IN_NAMES = ("top", "z", "fdr")  # options that an automatic name shows
GLUED = re.compile(r"[|&]")
SECOND = re.compile(rf"\s(?=({'|'.join(map(re.escape, KINDS))}):)")


def parse(text: str) -> Rule:
    """Read the rule of a region.

    Parameters
    ----------
    text
        Terms such as ``benson:V1@0-2deg``, joined by `` | ``, `` & `` and `` - `` with blanks
        around them, from left to right, ``&`` before the others; parentheses group. A part in
        double quotes is taken as it stands.

    Returns
    -------
    rule
        ``str(rule)`` is read to the same rule again.

    Raises
    ------
    ConfigError
        Where the text does not follow the grammar, names a kind or option that does not exist,
        or an option has a value that it cannot have; the message points at the place.

    Examples
    --------
    >>> rule = parse("(mask:V1 | mask:V2) & localizer:faces>objects, top=200")
    >>> rule.operator, str(rule.left), rule.right.options
    ('&', 'mask:V1 | mask:V2', {'top': '200'})
    """
    reader = _Reader(text)
    rule = reader.joined(0)
    reader.at = reader.blanks()
    if reader.at < len(text):
        reader.refuse("a closing parenthesis has no opening one", "Take it away.")
    return rule


def terms(rule: Rule) -> Iterator[Term]:
    """Give each term of a rule from left to right; one in ``within=`` follows its localizer."""
    if isinstance(rule, Join):
        yield from terms(rule.left)
        yield from terms(rule.right)
        return
    yield rule
    if "within" in rule.options:
        yield from terms(parse(rule.options["within"]))


def split_space(argument: str) -> tuple[str, str]:
    """Return path and space label of ``PATH@SPACE``, "" where no space is given.

    Examples
    --------
    >>> split_space("/rois/FFA.nii.gz@T1w"), split_space("/me@home/FFA.nii.gz")
    (('/rois/FFA.nii.gz', 'T1w'), ('/me@home/FFA.nii.gz', ''))
    """
    found = re.fullmatch(r"(.+)@([A-Za-z0-9+]+)", argument)
    return (found[1], found[2]) if found else (argument, "")


def is_path(text: str) -> bool:
    """Tell whether a text names a file: it has a slash, or ends as images do."""
    path = split_space(text)[0]
    return "/" in path or path.endswith(IMAGES)


def name_of(text: str) -> str:
    """Return the name, letters and digits only, of a region that was given none.

    Raises
    ------
    ConfigError
        As `parse`, or if the rule has no letter or digit that could make a name.

    Examples
    --------
    >>> name_of("benson:V1@0-2deg"), name_of("benson:V1@(-4.95,4.95)r1deg, hemi=R")
    ('V1at0to2deg', 'RV1atm4p95x4p95r1deg')
    """
    name = _name(parse(text))
    if not name:
        raise ConfigError(
            f"The region rule {text!r} has no letter or digit for a name.",
            mend=f"Name it: --roi NAME={text}",
        )
    return name


def _name(rule: Rule) -> str:
    if isinstance(rule, Join):
        return _name(rule.left) + CONNECTIVES[rule.operator] + _name(rule.right)
    shown = "".join(key + rule.options[key] for key in IN_NAMES if key in rule.options)
    return rule.options.get("hemi", "") + _letters(_core(rule) + shown)


def _core(term: Term) -> str:
    """Return the part of a term that names it, still with its signs."""
    said = term.argument
    if term.kind == "file" or (term.kind == "localizer" and is_path(said)):
        file = re.sub(r"^(lh|rh)?\.|\{hemi\}\.?", "", PurePath(split_space(said)[0]).name)
        words = re.sub(r"\.(nii\.gz|(\w+\.)?\w+)$", "", file)
        found = dict(re.findall(r"(?:^|_)(hemi|label|desc)-([^_]+)", words))
        word = found.get("label") or found.get("desc")
        return found.get("hemi", "") + word if word else words
    if term.kind in ("atlas", "annot"):
        return said.partition(":")[2].replace("-", "")
    if term.kind == "benson":
        return re.sub(r"(?<=\w)-(?=\w)", "to", said)
    return f"sphere{said}" if term.kind == "sphere" else said


def _letters(text: str) -> str:
    text = re.sub(r"(?<![A-Za-z0-9])-(?=[\d.])", "m", text)
    text = re.sub(r"(?<=\d)\.(?=\d)", "p", text)
    for sign, word in (("@", "at"), (">", "vs"), (",", "x")):
        text = text.replace(sign, word)
    return re.sub(r"[^A-Za-z0-9]", "", text)


class _Reader:
    """Reads one rule from left to right; `at` is the place of the next sign."""

    def __init__(self, text: str) -> None:
        self.text = re.sub(r"[\r\n\t]", " ", text)
        self.at = 0
        self.parts: list[tuple[int, str]] = []

    def refuse(self, what: str, mend: str, *, at: int | None = None) -> NoReturn:
        at = min(self.at if at is None else at, len(self.text))
        shown = f"  {self.text}\n  {' ' * at}^ {what}."
        raise ConfigError(f"A region rule cannot be read:\n{shown}", mend=mend)

    def joined(self, binding: int) -> Rule:
        """Read operands and the operators that bind at least as tightly as `binding`."""
        left = self.single()
        while operator := self.operator():
            if BINDING[operator] < binding:
                break
            self.at = self.blanks() + 1
            left = Join(operator, left, self.joined(BINDING[operator] + 1))
        return left

    def single(self) -> Rule:
        self.at = self.blanks()
        if re.compile(r"([|&-](\s|$))|\)|$").match(self.text, self.at):
            self.refuse("a term was expected", "Give one, such as benson:V1")
        if not self.text.startswith("(", self.at):
            return self.term()
        opening, self.at = self.at, self.at + 1
        inner = self.joined(0)
        self.at = self.blanks()
        if not self.text.startswith(")", self.at):
            self.refuse("a parenthesis is not closed", "Close it with ).", at=opening)
        self.at += 1
        end = self.blanks()
        if end < len(self.text) and self.text[end] != ")" and not self.operator():
            self.refuse("an operator was expected", "Join with ' | ', ' & ' or ' - '.", at=end)
        return inner

    def operator(self) -> Operator | None:
        found = re.compile(r"\s+([|&-])(?=\s|$)").match(self.text, self.at)
        return OPERATORS[found[1]] if found else None

    def blanks(self) -> int:
        rest = self.text[self.at :]
        return self.at + len(rest) - len(rest.lstrip())

    def operand(self) -> None:
        """Read to the end of a term, cutting it at its commas into `parts` (place, text)."""
        self.parts, start, depth = [], self.at, 0
        while self.at < len(self.text):
            sign = self.text[self.at]
            if sign == '"':
                self.at = self.text.find('"', self.at + 1)
                if self.at < 0:
                    self.refuse("a quotation mark is not closed", 'Close it with ".', at=start)
            elif sign == "(":
                depth += 1
            elif sign == ")":
                depth -= 1
                if depth < 0:
                    break
            elif sign == "," and not depth:
                self.parts.append((start, self.text[start : self.at]))
                start = self.at + 1
            elif not depth and self.operator():
                break
            self.at += 1
        if depth > 0:
            self.refuse("a parenthesis is not closed", "Close it with ).", at=start)
        self.parts.append((start, self.text[start : self.at]))

    def term(self) -> Term:
        self.operand()
        (start, head), *rest = self.parts
        place = start + len(head) - len(head.lstrip())
        head = head.strip()
        if not head:
            self.refuse("a term was expected", "Give one, such as benson:V1", at=place)
        kind, argument = self.kind(head, place)
        options: dict[str, str] = {}
        for at, said in rest:
            key, value = self.option(kind, at + len(said) - len(said.lstrip()), said.strip())
            if key in options:
                self.refuse(f"the option {key!r} stands twice", "Give it once.", at=at + 1)
            options[key] = value
        return Term(kind, argument, options)

    def kind(self, head: str, place: int) -> tuple[str, str]:
        bare = _unquoted(head)
        kind, colon, argument = head.partition(":")
        if kind in KINDS and kind != "file" and colon:
            plain = re.sub(r'"[^"]*"', lambda quoted: "x" * len(quoted[0]), head)
            if found := GLUED.search(plain) or SECOND.search(plain):
                self.refuse(
                    "an operator with blanks around it was expected",
                    "Join terms with ' | ', ' & ' or ' - ', or quote a name that holds the sign.",
                    at=place + found.start(),
                )
            if not _unquoted(argument).strip():
                self.refuse(f"nothing follows {kind}:", f"Say which {kind}.", at=place + len(head))
            return kind, _unquoted(argument.strip())
        if is_path(bare):
            return "file", bare
        if not colon:
            self.refuse(f"{head!r} has no kind", f"Write mask:{head} or benson:{head}.", at=place)
        self.refuse(f"{kind!r} is no kind", nearest(kind, set(KINDS) - {"file"}), at=place)

    def option(self, kind: str, place: int, said: str) -> tuple[str, str]:
        key, sign, value = (word.strip() for word in said.partition("="))
        known = KINDS[kind]
        if not sign:
            self.refuse(
                "an option KEY=VALUE was expected",
                f"Say {key or 'it'}=..., or quote what holds a comma.",
                at=place,
            )
        if key not in known:
            self.refuse(f"{key!r} is no option of {kind}", nearest(key, known), at=place)
        value = value if key == "within" else _unquoted(value)
        is_right, wanted = known[key]
        if not is_right(value):
            self.refuse(f"{key} has the value {value!r}", f"Give {wanted}.", at=place)
        if key == "within":
            value = self.within(value, place + said.index("=") + 1)
        return key, value

    def within(self, value: str, place: int) -> str:
        try:
            return str(parse(value))
        except ConfigError as err:
            self.refuse("the rule of within cannot be read", err.mend, at=place)


def _unquoted(text: str) -> str:
    return text.replace('"', "")
