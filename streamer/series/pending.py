"""What waits to be named by its id: rows in the order of the log, in columns, bounded by their age and by their number.

Rows lie in blocks of BLOCK. A full block never changes again but for its marks, so a snapshot has it as the same bytes
every time. Whether a row is still open is a matter of the row itself: it is while the clock, the newest event time so
far, is at most `ttl_ms` past what it was when the row came, and as long as at most `most` rows came after it. A block
whose rows are all closed is let go; when that happens changes nothing of what is found.

Rows are found by id: those of the last block by a dict, all others by sorted runs of ids that are merged four by four,
up to so many blocks that a merge takes some ten milliseconds. So the work per row and look-up grows with the logarithm
of what is open, and an open row takes the bytes of its columns, two of its mark and twelve of its place in a run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.signals.columns import I64

U64 = NDArray[np.uint64]
U16 = NDArray[np.uint16]

BLOCK = 1 << 14
"""Rows of a block."""
MERGED, MERGED_MAX = 4, 64
"""So many neighbouring runs of one size become one, of at most so many blocks."""
ID, CAME = "id", "came_ms"
"""Columns of every store: XXH3-64 of the id, and the clock when the row came."""
WORDS = "words_end"
"""The column of stores whose rows have bytes as well: where in their block those of a row end."""
LEFT = (CAME, "group", "model", WORDS)
"""Columns that stay of a row that was erased: without them nobody could count it."""
GONE = 65_535
"""Its mark."""

Layout = tuple[tuple[str, str], ...]
"""Name and dtype of each column, the wide ones first so that all lie aligned in one buffer."""


class Block:
    """BLOCK rows, of which the first `rows` are there. `marks`: 0 until a row is answered."""

    def __init__(self, layout: Layout, first: int, data: NDArray[np.uint8] | None = None) -> None:
        width = sum(np.dtype(kind).itemsize for _, kind in layout)
        self.first, self.rows = first, 0  # number of the first row in the log; rows there are
        self.data = np.zeros(BLOCK * width, np.uint8) if data is None else data
        self.columns: dict[str, Any] = {}
        begin = 0
        for name, kind in layout:
            end = begin + BLOCK * np.dtype(kind).itemsize
            self.columns[name] = self.data[begin:end].view(kind)
            begin = end
        self.came = self.columns[CAME]
        self.marks = np.zeros(BLOCK, np.uint16)
        self.words: bytearray | NDArray[np.uint8] = bytearray()  # of all rows, in their order, where they have any

    def words_at(self, place: int) -> bytes:
        """Those of a row."""
        return bytes(self.words[slice(*self._span(place))])

    def _span(self, place: int) -> tuple[int, int]:
        ends = self.columns[WORDS]
        return ends.item(place - 1) if place else 0, ends.item(place)

    def blank(self, places: I64, layout: Layout) -> None:
        """Nothing is known of these rows. What a snapshot has of a full block stays as it was there."""
        fresh, sealed = Block(layout, self.first, self.data.copy()), not self.data.flags.writeable
        for name, column in fresh.columns.items():
            if name not in LEFT:
                column[places] = 0
        self.marks[places] = GONE
        if WORDS in self.columns:
            self.words = bytearray(self.words)
            for place in places.tolist():
                self.words[slice(*self._span(place))] = bytes(len(self.words_at(place)))
        self.data, self.columns, self.came = fresh.data, fresh.columns, fresh.came
        if sealed:
            self.seal()

    def seal(self) -> None:
        """Nothing changes any more but marks."""
        self.words = np.frombuffer(bytes(self.words), np.uint8)
        self.data.flags.writeable = False
        for column in self.columns.values():
            column.flags.writeable = False


class Rows(NamedTuple):
    """Some rows in their order: columns by name, and marks, all of one length."""

    columns: dict[str, Any]
    marks: U16

    def of(self, chosen: Any) -> Rows:
        """Those chosen, as truths or places."""
        return Rows({name: column[chosen] for name, column in self.columns.items()}, self.marks[chosen])

    def merged(self, other: Rows) -> Rows:
        """With others, by when they came; own ones first."""
        columns = {name: np.concatenate([column, other.columns[name]]) for name, column in self.columns.items()}
        both = Rows(columns, np.concatenate([self.marks, other.marks]))
        return both.of(np.argsort(both.columns[CAME], kind="stable"))


class Run(NamedTuple):
    """Ids of some blocks, ascending and in the order of the log where they are equal, and where the row of each is."""

    first: int  # number of the first row
    blocks: int
    ids: U64
    places: NDArray[np.uint32]  # behind the first row


class Pending:
    """The rows of one store. `number`s count rows from the first one ever. Older snapshots may lack the `later` ones of
    the columns, the last ones, which are 0 there.
    """

    def __init__(self, layout: Layout, ttl_ms: int, most: int, later: int = 0, worded: bool = False) -> None:
        more: Layout = ((WORDS, "<i8"),) if worded else ()
        self.layout: Layout = ((ID, "<u8"), (CAME, "<i8"), *more, *layout)
        self.later = later
        self.ttl_ms, self.most = ttl_ms, most
        self.begun_ms = 0  # when the clock began: rows before that came then
        self.blocks = [Block(self.layout, 0)]
        self.first = 0  # number of the oldest row that is there, open or not
        self.runs = list[Run]()
        self.places: dict[int, int] = {}  # of the last block: id -> number of its newest row

    @property
    def end(self) -> int:
        """Number of the next row."""
        return self.blocks[-1].first + self.blocks[-1].rows

    @property
    def room(self) -> int:
        """Rows that the last block has room for; never 0."""
        return BLOCK - self.blocks[-1].rows

    def oldest_ms(self, clock_ms: int) -> int:
        """Rows are open that came at this time or later."""
        oldest = clock_ms - self.ttl_ms
        return oldest if oldest > self.begun_ms else 0

    def add(self, columns: Mapping[str, Any], count: int, words: bytes = b"") -> int:
        """Put rows at the end, at most `room`, that are found once they are made `known`; the number of the first.
        words: of a single row.
        """
        last = self.blocks[-1]
        begin, last.rows = last.rows, last.rows + count
        if words:
            assert isinstance(last.words, bytearray)
            last.words += words
            columns = {**columns, WORDS: len(last.words)}
        for name, column in last.columns.items():
            column[begin : last.rows] = columns[name]
        return last.first + begin

    def known(self, ids: Sequence[int], first: int) -> None:
        """These ids are those of the rows from this number on."""
        self.places.update(zip(ids, range(first, first + len(ids)), strict=True))

    def find(self, ids: U64) -> I64:
        """The number of the newest row of each id in all blocks but the last, -1 where there is none."""
        found = np.full(len(ids), -1, np.int64)
        left = np.arange(len(ids))
        for run in reversed(self.runs):
            if not len(left):
                break
            at = np.searchsorted(run.ids, ids[left], "right") - 1
            hit = (at >= 0) & (run.ids[at] == ids[left])
            found[left[hit]] = run.first + run.places[at[hit]].astype(np.int64)
            left = left[~hit]
        found[found < self.first] = -1
        return found

    def at(self, number: int) -> tuple[Block, int]:
        """The block of a row, and its place there."""
        block, place = divmod(number - self.first, BLOCK)
        return self.blocks[block], place

    def open(self, number: int, clock_ms: int, end: int) -> tuple[Block, int] | None:
        """Where a row is, if it is open by this clock, and where the next row has the number `end`."""
        if number < 0 or number < end - self.most:
            return None
        row = self.at(number)
        return None if row[0].came[row[1]] < self.oldest_ms(clock_ms) else row

    def erase(self, ids: U64, begin: int = 0) -> tuple[int, bool]:
        """Nothing of the rows of these ids is known any more but that there were some, when they came and of which
        group they were. How many of them from number `begin` on nobody had answered, and whether there were any.
        """
        open_ones, known = 0, False
        for block in self.blocks:
            mine = np.flatnonzero(np.isin(block.columns[ID][: block.rows], ids))
            if len(mine):
                known = True
                open_ones += int(np.count_nonzero((block.marks[mine] == 0) & (block.first + mine >= begin)))
                block.blank(mine, self.layout)
        for place, run in enumerate(self.runs):
            stays = ~np.isin(run.ids, ids)
            if not stays.all():
                self.runs[place] = run._replace(ids=run.ids[stays], places=run.places[stays])
        for id in ids.tolist():
            self.places.pop(id, None)
        return open_ones, known

    def seal(self) -> None:
        """The last block is full: begin the next."""
        last = self.blocks[-1]
        last.seal()
        self._index(last)
        self.places.clear()
        self.blocks.append(Block(self.layout, last.first + BLOCK))

    def _index(self, block: Block) -> None:
        ids = block.columns[ID]
        order = np.argsort(ids, kind="stable")
        self.runs.append(Run(block.first, 1, ids[order], order.astype(np.uint32)))
        while len(self.runs) >= MERGED:
            some = self.runs[-MERGED:]
            size = some[-1].blocks
            if size * MERGED > MERGED_MAX or any(run.blocks != size for run in some):
                break
            ids, first = np.concatenate([run.ids for run in some]), some[0].first
            places = np.concatenate([run.places + np.uint32(run.first - first) for run in some])
            order = np.argsort(ids, kind="stable")  # Of what is sorted in pieces that is a merge.
            self.runs[-MERGED:] = [Run(first, size * MERGED, ids[order], places[order])]

    def border(self, clock_ms: int, begin: int) -> int:
        """The number of the oldest open row from `begin` on, by this clock."""
        return self.since(self.oldest_ms(clock_ms), max(begin, self.end - self.most))

    def since(self, came_ms: int, begin: int) -> int:
        """The number of the oldest row from `begin` on that came at this time or later."""
        begin = max(begin, self.first)
        while begin < self.end:
            block, place = self.at(begin)
            came = block.came[place : block.rows]  # Ascending, as the clock never goes back.
            begin += int(np.searchsorted(came, came_ms))
            if begin < block.first + block.rows:
                break
        return begin

    def unanswered(self, begin: int, end: int) -> int:
        """How many rows of these have no mark."""
        count = 0
        while begin < end:
            block, place = self.at(begin)
            upto = min(end - block.first, BLOCK)
            count += upto - place - int(np.count_nonzero(block.marks[place:upto]))
            begin = block.first + upto
        return count

    def closed(self, clock_ms: int) -> list[Block]:
        """The oldest blocks without an open row, which are let go."""
        count, border = 0, self.end - self.most
        while count < len(self.blocks) - 1:
            block = self.blocks[count]
            # The clock never goes back, so the last row of a block came last.
            if block.first + BLOCK > border and block.came[-1] >= self.oldest_ms(clock_ms):
                break
            count += 1
        gone, self.blocks = self.blocks[:count], self.blocks[count:]
        self.first = self.blocks[0].first
        self.runs = [run for run in self.runs if run.first + run.blocks * BLOCK > self.first]
        return gone

    def rows(self, begin: int, end: int, names: Collection[str] = ()) -> Rows:
        """Copies of the rows of these numbers: these columns, or all."""
        some = [block for block in self.blocks if block.first < end and block.first + block.rows > begin]
        cuts = [slice(max(begin - one.first, 0), min(end - one.first, one.rows)) for one in some]
        columns = {
            name: np.concatenate(
                [np.zeros(0, kind), *(b.columns[name][cut] for b, cut in zip(some, cuts, strict=True))]
            )
            for name, kind in self.layout
            if not names or name in names
        }
        marks = [block.marks[cut] for block, cut in zip(some, cuts, strict=True)]
        return Rows(columns, np.concatenate([np.zeros(0, np.uint16), *marks]))

    def refill(self, rows: Rows) -> None:
        """Hold these rows, which have no words, and no others, numbered from 0 on."""
        self.blocks, self.first, self.runs = [Block(self.layout, 0)], 0, []
        self.places.clear()
        for begin in range(0, len(rows.marks), BLOCK):
            part = rows.of(slice(begin, begin + BLOCK))
            self.add(part.columns, len(part.marks))
            self.blocks[-1].marks[: len(part.marks)] = part.marks
            if self.room:
                self.known(part.columns[ID].tolist(), begin)
            else:
                self.seal()

    @property
    def held_bytes(self) -> int:
        """What blocks and runs take."""
        blocks = sum(block.data.nbytes + block.marks.nbytes + len(block.words) for block in self.blocks)
        return blocks + sum(run.ids.nbytes + run.places.nbytes for run in self.runs)

    def dump(self) -> dict[str, Any]:
        """Full blocks as they are, which nothing changes any more, and their marks apart."""
        *full, last = self.blocks
        words = {
            "words": [block.words for block in full],
            "last_words": np.frombuffer(bytes(last.words), np.uint8),
        }
        return {
            **(words if WORDS in last.columns else {}),
            "first": self.first,
            "begun_ms": self.begun_ms,
            "blocks": [block.data for block in full],
            "marks": [block.marks.view(np.uint8).copy() for block in full],
            "last": {name: column[: last.rows].copy() for name, column in last.columns.items()},
            "last_marks": last.marks[: last.rows].view(np.uint8).copy(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Into an empty one. ValueError and its like for what is none."""
        first, self.begun_ms = int(state["first"]), int(state["begun_ms"])
        if first < 0 or first % BLOCK:
            raise ValueError("blocks that begin nowhere")
        self.blocks, self.first = [Block(self.layout, first)], first
        more = self.layout[len(self.layout) - self.later :]
        older = self.blocks[0].data.size - BLOCK * sum(np.dtype(kind).itemsize for _, kind in more)
        words = iter(state.get("words", ()))
        for data, marks in zip(state["blocks"], state["marks"], strict=True):
            last = self.blocks[-1]
            if data.shape == (older,) != last.data.shape and data.dtype == np.uint8:
                data = np.concatenate([data, np.zeros(last.data.size - older, np.uint8)])
            if data.dtype != np.uint8 or data.shape != last.data.shape:
                raise ValueError("a block of another size")
            self.blocks[-1] = block = Block(self.layout, last.first, data)
            block.rows, block.marks[:] = BLOCK, marks.view(np.uint16)
            if WORDS in block.columns:
                block.words = bytearray(next(words).tobytes())
                _check_words(block)
            self.seal()
        last = self.blocks[-1]
        lacking = {name: np.zeros(len(state["last"][ID]), kind) for name, kind in more}
        columns = {name: (lacking | state["last"])[name] for name in last.columns}
        sizes = {len(column) for column in columns.values()}
        if len(sizes) != 1 or max(sizes) >= BLOCK:
            raise ValueError("columns of different length")
        number = self.add(columns, sizes.pop())
        last.marks[: last.rows] = state["last_marks"].view(np.uint16)
        if WORDS in last.columns:
            last.words = bytearray(state["last_words"].tobytes())
            _check_words(last)
        self.known(columns[ID].tolist(), number)


def _check_words(block: Block) -> None:
    """ValueError where the bytes of a block are not those of its rows."""
    ends = block.columns[WORDS][: block.rows]
    if len(block.words) != (ends[-1] if len(ends) else 0) or (np.diff(ends, prepend=0) < 0).any():
        raise ValueError("words that are not those of the rows")
