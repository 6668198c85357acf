"""JMESPath expressions of templates, compiled: quick on simple ones, and safe on any message.

Most expressions of a template are simple (`samples.hr`, `kind == 'vitals' && samples`): those are
followed by hand, several times as quickly as by the interpreter. The rest is jmespath's. An
expression sees one element at a time and cannot reach back to the whole, so its work is in
proportion to what it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

from ingest.formats.measures import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHARACTERS = 500


class ExpressionRefused(ValueError):
    """The text is no JMESPath, or calls a function that there is not; says which."""


class Unanswered(Exception):
    """The expression cannot be applied to this value; `str` says why, for a template's author.

    Its text may quote the value: it is for the author's own samples, never for a log. It is made
    only when it is asked for: jmespath writes out the whole value, which may be too deep for that.
    """

    def __str__(self) -> str:
        try:
            return _first_line(self.args[0])
        except RecursionError:
            return "the value is nested too deeply"


class Path:
    """One compiled expression. Raises ExpressionRefused.

    `place` is its text as refusals name it, cut to what a receipt can carry. `slow` is one that
    jmespath answers, in a few microseconds for each thing that it looks at.
    """

    def __init__(self, text: str) -> None:
        self.text, self.place = text, shown(text)
        if not text.strip() or len(text) > CHARACTERS:
            _refuse(f"an expression has 1 to {CHARACTERS} characters")
        try:
            self._compiled = jmespath.compile(text)
        except (JMESPathError, RecursionError) as error:
            _refuse(f"`{text}` is no JMESPath: {_first_line(error)}")
        tree: dict[str, Any] = self._compiled.parsed  # type: ignore[assignment]  # a dict, says its code
        _check_functions(tree)
        self._quick = _quick(tree)
        self.slow = self._quick is None

    def find(self, value: Any) -> Any:
        """Return what the expression gives for a decoded message or element; None: nothing.

        Raises Unanswered, and nothing else whatever the value is.
        """
        quick = self._quick
        if quick is not None:
            return quick(value)
        try:
            return self._compiled.search(value)
        except (
            # jmespath's own (ValueErrors), and what its functions let through: `contains('a', 1)`
            # is a TypeError, `ceil` of an infinity an OverflowError, a deep tree too deep.
            ValueError,
            TypeError,
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
        ) as error:
            raise Unanswered(error) from None


def true(value: object) -> bool:
    """Whether a value counts as true in JMESPath: not null, false, or empty; 0 is true."""
    return not (value is None or value is False or value in ("", [], {}))


def _refuse(why: str) -> NoReturn:
    raise ExpressionRefused(why)


def _first_line(error: BaseException) -> str:
    text = str(error)
    return text.splitlines()[0] if text else type(error).__name__


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for child in node.get("children", ()):
            yield from _nodes(child)


def _check_functions(tree: dict[str, Any]) -> None:
    """Refuse what jmespath would only notice when a message comes."""
    for node in _nodes(tree):
        if node["type"] != "function_expression":
            continue
        found = Functions.FUNCTION_TABLE.get(node["value"])
        if found is None:
            _refuse(f"there is no function {node['value']}()")
        wanted, given = found["signature"], len(node["children"])
        variadic = bool(wanted) and bool(wanted[-1].get("variadic"))
        if given < len(wanted) or (given > len(wanted) and not variadic):
            _refuse(f"{node['value']}() takes {len(wanted)} arguments, not {given}")


def _quick(tree: dict[str, Any]) -> Callable[[Any], Any] | None:
    """Return a function that does what a simple expression says; None for any other.

    Simple are plain paths, a path compared with a text, and several of these with `&&` between.
    """
    kind = tree["type"]
    if kind == "and_expression":
        left, right = (_quick(child) for child in tree["children"])
        if left is None or right is None:
            return None
        return _both(left, right)
    if kind == "comparator" and tree["value"] == "eq":
        path, literal = tree["children"]
        asked = _quick(path)
        # A text is equal to the same text only; numbers and booleans have rules of their own.
        if asked is None or literal["type"] != "literal" or type(literal["value"]) is not str:
            return None
        return _equal(asked, literal["value"])
    steps = _steps(tree)
    return None if steps is None else _walk(steps)


def _both(left: Callable[[Any], Any], right: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def both(value: Any) -> Any:
        first = left(value)
        return right(value) if true(first) else first

    return both


def _equal(asked: Callable[[Any], Any], text: str) -> Callable[[Any], bool]:
    return lambda value: bool(asked(value) == text)


def _walk(steps: list[Any]) -> Callable[[Any], Any]:
    def walk(value: Any) -> Any:
        for step in steps:
            if type(step) is str:
                if type(value) is not dict:
                    return None
                value = value.get(step)
            elif type(value) is list and -len(value) <= step < len(value):
                value = value[step]
            else:
                return None
        return value

    return walk


def _steps(tree: dict[str, Any]) -> list[str | int] | None:
    """Flatten a plain path to names and indexes; None for anything else."""
    kind = tree["type"]
    if kind in {"field", "index"}:
        return [tree["value"]]
    if kind in {"identity", "current"}:
        return []
    if kind in {"subexpression", "index_expression"}:
        steps: list[str | int] = []
        for child in tree["children"]:
            some = _steps(child)
            if some is None:
                return None
            steps += some
        return steps
    return None
