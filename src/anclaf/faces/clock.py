"""A video's clock: from what a container says of its packets to the number and the time of each picture.

The decoder gives pictures in the order in which they are shown, and each says which packet it came from. A picture's
number is its place in the file: pictures that should have come before it and did not are counted. Its time is the
container's presentation time where there is one, else that of decoding (the n-th picture has the n-th decoding time),
else the number over the frame rate. Where the clock starts again, runs backwards, stands still or jumps, it goes on by
the frame's duration.
"""

from collections import Counter, deque
from dataclasses import dataclass
from typing import NamedTuple

JUMP_S = 60.0
"""A step forward by more is a fault of the clock, and no pause, unless pictures are as far apart as a rule."""
DISCONTINUOUS_JUMP_S = 10.0
"""The same of formats whose clock may be set anew in the middle (FFmpeg's `dts_delta_threshold`)."""
_SLOW = 100
"""A jump is also more than so many frames' durations."""
_SAME_S = 1e-6
_TORN = 32
"""Where a packet was torn, pictures among so many packets around it may be missing with their packets."""
_STEADY = (4, 0.1, 1.0)
"""After so many steps that differ by less than this part, a hole of whole steps, of at most so many seconds, is one of
missing packets, where packets may vanish."""
_GROUP = 1000.0
"""Two orders that are farther apart are of two groups of pictures, whose orders have nothing to do with each other."""
_REACH = 16
"""Decoders hold back no more pictures than this (H.264, HEVC)."""


@dataclass
class Sent:
    """A packet that went to the decoder.

    serial: 0-based in the file. epoch: how often the decoding clock was set anew before it. order: within its epoch,
    pictures with less are shown before it; None where that is not known. time_s: of presentation; None where unknown.
    lasts_s: what the container says of its duration, 0 where it does not. certain: whether a picture comes of it unless
    it is damaged. hidden: whether none is to be shown. reason: why none came, or "".
    """

    serial: int
    epoch: int
    order: float | None
    time_s: float | None
    lasts_s: float
    certain: bool
    hidden: bool = False
    reason: str = ""


class Stamp(NamedTuple):
    """A picture's 0-based place in the file, and seconds from the first picture, which always go up."""

    number: int
    time_s: float


class LostPicture(NamedTuple):
    """number: None where it is not known."""

    number: int | None
    reason: str


class VideoClock:
    """Numbers and times the pictures of one video stream.

    Args:
        fps: frames a second, as the container says; 0 where it does not.
        timed: whether the container has presentation times.
        ordered: whether `Sent.order` says in which order pictures are shown.
        reorders: whether the decoder may show pictures in another order than that of their packets.
        vanishing: whether a damaged packet may vanish, as in streams that are cut into packets by what looks like one.
        jump_s: a step forward that is longer is a fault of the clock.
    """

    def __init__(
        self,
        fps: float = 0.0,
        *,
        timed: bool = True,
        ordered: bool = True,
        reorders: bool = False,
        vanishing: bool = False,
        jump_s: float = JUMP_S,
    ):
        self._nominal = 1 / (fps or 25.0)
        self._timed, self._ordered, self._vanishing, self._jump_s = timed, ordered, vanishing, jump_s
        self.reorders = reorders
        self.cut = False
        """Whether the file ends before its last packet: pictures are missing before some of those that still come."""
        self.lost: list[LostPicture] = []
        """In the order in which they were to be shown."""
        self.given = 0
        """Pictures with a stamp so far."""
        self._leading = 0
        self._faults = Counter[str]()
        self._first_fault: dict[str, int] = {}
        self._misordered = False
        # packets
        self._waiting: dict[int, Sent] = {}
        self._packets, self._epoch, self._decoding = 0, 0, None
        self._decode_times = deque[float](maxlen=4096)
        self._highest: tuple[int, float] | None = None
        self._in_order = True
        self._key: tuple[int, float] | None = None
        self._torn = -_TORN - 1
        self._perhaps_field = -1
        # pictures
        self._next = 0
        self._before: Sent | None = None
        self._unit: float | None = None
        self._time_s: float | None = None
        self._shift = self._sound_shift = 0.0
        self._anchored = False
        self._steps = deque[float](maxlen=_STEADY[0])
        self._given_last = (-1, -1.0)
        self._late: dict[int, tuple[int, float]] = {}

    def sent(
        self,
        pts_s: float | None,
        dts_s: float | None,
        lasts_s: float = 0.0,
        *,
        key: bool = False,
        certain: bool = True,
        hidden: bool = False,
        torn: bool = False,
    ) -> Sent:
        """Note a packet that is about to be decoded.

        Args:
            pts_s, dts_s: its times of presentation and decoding. lasts_s: its duration.
            key: whether decoding may begin with it.
            certain: False where no picture need come of it. hidden: whether none is to be shown, as an edit list says.
            torn: whether bytes before its end are missing.
        """
        if dts_s is not None:
            self._epoch += self._decoding is not None and dts_s < self._decoding
            self._decoding = dts_s
        certain = certain and self._packets != self._perhaps_field
        packet = Sent(self._packets, self._epoch, pts_s if self._timed else None, pts_s, lasts_s, certain, hidden)
        self._packets += 1
        self._waiting[packet.serial] = packet
        if pts_s is not None:
            place = (packet.epoch, pts_s)
            self._in_order &= self._highest is None or place > self._highest
            self._highest = place if self._highest is None else max(place, self._highest)
            if key and self._key is None:
                self._key = place
        elif key and self._key is None:
            self._key = (packet.epoch, float("-inf"))
        decoding = pts_s if self._timed or dts_s is None else dts_s
        if decoding is not None and not hidden:
            self._decode_times.append(decoding)
        if torn:
            self._torn = packet.serial
        return packet

    def failed(self, packet: Sent, reason: str) -> None:
        """Note that the decoder refused a packet."""
        packet.reason = reason

    def shown(
        self, serial: int | None, *, interlaced: bool = False, damaged: bool = False, between: bool = True
    ) -> Stamp | None:
        """The stamp of the next picture that the decoder gives; None where it is not to be used.

        Args:
            serial: of its packet; None where that is not known.
            interlaced: whether it has two fields, which may have come in two packets.
            damaged: whether the decoder patched it up. It is counted, and is lost.
            between: whether it rests on later ones (B), and so may be shown before a packet that came earlier.
        """
        if serial is None and self._waiting:
            serial = min(self._waiting.values(), key=_place).serial
        known = self._waiting.pop(-1 if serial is None else serial, None)
        if known is None and serial in self._late:
            return None if damaged else self._came_late(*self._late.pop(serial))
        packet = known or Sent(self._packets, self._epoch, None, None, 0.0, True)
        if damaged and self._is_leading(packet):
            self._leading += 1
            return None
        if interlaced:
            self._perhaps_field = packet.serial + 1
            for beside in (packet.serial - 1, packet.serial + 1):
                if beside in self._waiting:
                    self._waiting[beside].certain = False
        missing = self._missing_before(packet, between) if known else []
        unseen = self._cut_off(packet, len(missing)) if self.cut else self._torn_out(packet, len(missing))
        numbers = [self._lose(lost.reason or "no picture came of it") for lost in missing]
        if unseen is None:
            self.lost.append(LostPicture(None, "pictures before it are cut off"))
            return None
        for _ in range(unseen):
            self._lose("its data are missing")
        raw, before = self._raw(packet, missing)
        if unseen and not self._timed:
            raw = None
        time_s = self._advance(packet, raw, before, 1 + len(missing) + unseen)
        for lost, number, at in zip(missing, numbers, before, strict=True):
            if not lost.reason and at is not None:
                self._late[lost.serial] = number, at + self._shift
        self._before = packet
        if damaged:
            self._lose("damaged")
            return None
        self._next += 1
        return self._give(self._next - 1, time_s)

    def _give(self, number: int, time_s: float) -> Stamp:
        self.given += 1
        self._given_last = number, time_s
        return Stamp(number, time_s)

    def _came_late(self, number: int, time_s: float) -> Stamp | None:
        """The stamp of a picture that was counted as lost, as long as no later one was given."""
        if number < self._given_last[0] or time_s <= self._given_last[1]:
            return None
        self.lost = [picture for picture in self.lost if picture.number != number]
        return self._give(number, time_s)

    def end(self) -> None:
        """Note that no more pictures come: those that were to are lost."""
        for packet in sorted(self._waiting.values(), key=_place):
            if self._counts(packet):
                if self._ordered or packet.reason:
                    self._lose(packet.reason or "no picture came of it")
                else:
                    self.lost.append(LostPicture(None, "no picture came of it"))
        self._waiting.clear()

    @property
    def notes(self) -> list[str]:
        """What a reader of the times must know."""
        notes = []
        words = {
            "back": "starts again or runs backwards",
            "still": "stands still",
            "jump": "jumps ahead",
        }
        for fault, text in words.items():
            if count := self._faults[fault]:
                often = "" if count == 1 else f", and at {count - 1} more"
                notes.append(
                    f"the video's clock {text} at frame {self._first_fault[fault]}{often}: time goes on by the frame's "
                    "duration there"
                )
        if self._misordered:
            notes.append("the container's presentation times are in the order of decoding: frames are timed by that")
        if self._leading:
            notes.append(
                f"the file begins in the middle: {self._leading} pictures that rest on earlier ones are left out"
            )
        return notes

    def _lose(self, reason: str) -> int:
        self.lost.append(LostPicture(self._next, reason))
        self._next += 1
        return self._next - 1

    def _is_leading(self, packet: Sent) -> bool:
        """Whether a packet is shown before the first from which decoding can begin."""
        if self._key is None:
            return True
        return packet.time_s is not None and (packet.epoch, packet.time_s) < self._key

    def _is_due(self, packet: Sent) -> bool:
        """Whether a picture must come of a packet that the decoder takes."""
        return packet.certain and not packet.hidden and not self._is_leading(packet)

    def _counts(self, packet: Sent) -> bool:
        """Whether a packet without a picture is a picture that is lost."""
        if self._is_leading(packet):
            self._leading += packet.certain and not packet.hidden
            if self._decode_times and not packet.hidden:
                self._decode_times.popleft()
            return False
        return not packet.hidden and (bool(packet.reason) or packet.certain)

    def _missing_before(self, now: Sent, between: bool) -> list[Sent]:
        """Take out of those that wait the packets whose pictures should have come before this one; those lost."""
        earlier = [packet for packet in self._waiting.values() if self._is_before(packet, now)]
        silent = [p for p in earlier if p.epoch == now.epoch and not p.reason and self._is_due(p)]
        if silent and between and self._timed and self._ordered and self.reorders and self._in_order:
            # the decoder reorders pictures and the times do not: they are of the order of decoding
            self._ordered = self._timed = False
            self._misordered = True
            earlier = [packet for packet in earlier if packet.reason]
        earlier += self._nowhere()[: self._room_before(now, len(earlier))]
        earlier.sort(key=_place)
        for packet in earlier:
            del self._waiting[packet.serial]
        return [packet for packet in earlier if self._counts(packet)]

    def _is_before(self, packet: Sent, now: Sent) -> bool:
        """Whether a packet's picture, which did not come, should have come before this one."""
        if self._ordered and packet.order is not None and now.order is not None and packet.epoch == now.epoch:
            return packet.order < now.order
        if self._ordered and packet.order is None and not self._timed:
            return False  # see `_nowhere`
        if packet.reason or not self.reorders:
            return packet.serial < now.serial
        return packet.serial < now.serial - _REACH and self._ordered

    def _nowhere(self) -> list[Sent]:
        """Refused packets of which nothing says where their pictures belong."""
        if not self._ordered or self._timed:
            return []
        return [packet for packet in self._waiting.values() if packet.order is None and packet.reason]

    def _room_before(self, now: Sent, known: int) -> int:
        """How many of those come before this one, by the hole in the order."""
        before = self._before
        step = 0.0
        if before is not None and before.order is not None and now.order is not None and before.epoch == now.epoch:
            step = now.order - before.order
        if not 0 < step < _GROUP:
            return sum(packet.serial < now.serial for packet in self._nowhere())
        return max(round(step / (self._unit or step)) - 1 - known, 0)

    def _cut_off(self, now: Sent, known: int) -> int | None:
        """How many pictures before this one are behind the end of a file that is cut; None where nothing tells."""
        before = self._before
        if before is None or before.epoch != now.epoch or not self._ordered:
            return 0
        if self._timed and before.time_s is not None and now.time_s is not None:
            steps = (now.time_s - before.time_s) / self._usual(now)
            count, alike, _ = _STEADY
            if len(self._steps) < count or max(self._steps) - min(self._steps) > alike * min(self._steps):
                return 0 if steps <= known + 1 else None
        elif not self._timed and self._unit and before.order is not None and now.order is not None:
            steps = (now.order - before.order) / self._unit
        else:
            return 0
        return max(round(steps) - 1 - known, 0)

    def _torn_out(self, now: Sent, known: int) -> int:
        """How many pictures are missing with their packets, by the time since the last one."""
        before, usual = self._before, self._usual(now)
        if before is None or before.time_s is None or now.time_s is None or before.epoch != now.epoch:
            return 0
        if not (self._vanishing and self._timed):
            return 0
        steps = (now.time_s - before.time_s) / usual
        count, alike, longest_s = _STEADY
        steady = len(self._steps) == count and max(self._steps) - usual < alike * usual
        steady = steady and abs(steps - round(steps)) < alike and steps * usual <= longest_s
        if not steady and abs(now.serial - self._torn) > _TORN:
            return 0
        return max(round(steps) - 1 - known, 0)

    def _usual(self, packet: Sent) -> float:
        """A frame's duration in seconds: the last step, which a hole does not change; what the container says."""
        return min(list(self._steps)[-2:]) if self._steps else packet.lasts_s or self._nominal

    def _raw(self, packet: Sent, missing: list[Sent]) -> tuple[float | None, list[float | None]]:
        """The container's time of a picture, and of those missing before it."""
        taken: list[float | None] = [None] * (1 + len(missing))
        for k in range(min(len(taken), len(self._decode_times))):
            taken[k] = self._decode_times.popleft()
        if not self._timed:
            return taken[-1], taken[:-1]
        return packet.time_s, [lost.time_s if lost.epoch == packet.epoch else None for lost in missing]

    def _advance(self, packet: Sent, raw: float | None, missing: list[float | None], pictures: int) -> float:
        """The time of the next picture, the last of so many."""
        if self._before is not None and packet.order is not None and self._before.order is not None:
            step = (packet.order - self._before.order) / pictures
            if packet.epoch == self._before.epoch and 0 < step < _GROUP:
                self._unit = min(self._unit or step, step)
        usual = self._usual(self._before or packet)
        if self._time_s is None and raw is not None:
            self._shift = self._sound_shift = -min(at for at in [raw, *missing] if at is not None)
            self._anchored, time_s = True, raw + self._shift
        elif self._time_s is None:
            time_s = usual * (pictures - 1)
        elif raw is not None and not self._anchored:
            time_s = self._time_s + usual * pictures
            self._shift = self._sound_shift = time_s - raw
            self._anchored = True
        else:
            time_s = self._go_on(raw, usual, pictures, self._time_s)
        self._time_s = time_s
        return time_s

    def _go_on(self, raw: float | None, usual: float, pictures: int, last: float) -> float:
        """The time after `last`; keeps `_shift` and `_steps`."""
        if raw is None:
            return last + usual * pictures
        # a single wrong time is not the beginning of another clock
        for shift in dict.fromkeys((self._sound_shift, self._shift)):
            step = raw + shift - last
            if _SAME_S < step <= max(self._jump_s, _SLOW * usual * pictures):
                self._shift = self._sound_shift = shift
                self._steps.append(step / pictures)
                return raw + shift
        step = raw + self._shift - last
        fault = "jump" if step > _SAME_S else "still" if step >= -_SAME_S else "back"
        self._faults[fault] += 1
        self._first_fault.setdefault(fault, self._next)
        time_s = last + usual * pictures
        self._shift = time_s - raw
        return time_s


def _place(packet: Sent) -> tuple[int, float, int]:
    """Sorts packets by where their pictures are shown."""
    return packet.epoch, packet.order if packet.order is not None else float("inf"), packet.serial
