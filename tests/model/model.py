"""A second, independent reading of DESIGN.md sections 3, 4, 5 and the row columns of section 6.

Owns: NDJSON bytes and price tables in, ledger rows as CSV out. Plain and slow on purpose; standard
library only. Leaves to others: commits, recovery, brokers, ticks, sending alerts, signals, and prices
in `tiers`, which stop at load.
Invariant: no float, no clock but `--wall`; amounts are integers (microcredits, nano-units), times
integers (microseconds since 1970-01-01 UTC).

Readings, where DESIGN.md is silent or can be read two ways:

Reading lines
R1  A last line without a line feed is a line; the nothing after a last line feed is not. Only a CR
    before a line feed is dropped. Blank is asked before the 8 MiB limit; exactly 8 MiB passes.
R2  A line `[]` or `[{...}]` in a file is `malformed`: there a line is one event, and that is an object.
R3  Grammar is RFC 8259 to the letter: no byte order mark, no raw control character in a string, no
    01, +1, .5, 1., NaN. `1e400` is a number like any other. The outermost object is nesting level 1.
R4  A lone surrogate or an over-deep nesting makes the line `malformed` wherever it stands, also in a
    member that is ignored or that a later one of the same key replaces.
R5  Keys are compared, and lengths measured, after escapes are resolved (UTF-8 bytes; 256 passes).
    A faulty value replaced by a later good one of the same key does no harm.
R6  `null` is a value: `time` null and `data` null are `malformed`, a command's optional member null is
    `bad_command`. `specversion` missing is `malformed`.
R7  A `subject` that is there but is no string (also null) is `bad_customer`, as is an empty one.
R8  Unknown members of any name are ignored, `data_base64` too.
R9  Absent `time` while there is no now is `malformed` before the customer's name is looked at.
R10 RFC 3339: `T` or `t` between date and time, never a space; seconds are needed; offsets to 23:59;
    `-00:00` passes; hour 24 does not.
R11 A measure is rounded first and judged after: -0.0000004 is 0, -0.000001 is `bad_measure`.
R12 Absent `data` counts as the two bytes `{}`: for the payload and in the column `data`.

Now, order, timers
R13 A file's line is a message. Sequence: read, `malformed`, `bad_customer`, now moves, timers fire,
    `prices` rows, the other checks. Lines that stop before now moves fire timers left over by the cap.
R14 The 5 minutes on the wall clock are fixed, whatever `future_minutes` says; equal is not beyond.
R15 While there is no now, `received_at` 1970-01-01 is also what rules are looked up with.
R16 `prices` rows have idx 0 and are the first legs of the event whose time moved now, so they stand
    after the timers' rows (idx -1) of the same line; several by `effective_from`. Such a row holds
    received_at and price_version alone.
R17 The cap counts timers that wrote a row: whether one without a row has fired, no ledger tells.
    At the cap the 4,096 lowest in order have fired; then the event's own wallet fires what it still has
    due, beyond the cap. A timer whose grant was voided, or whose wallet closed, stands no more.
R18 Timers of one due time and customer: period end, period close, wallet close, grant start, grant
    expiry, midnight; then by grant id.
R19 A timer is decided as of its due time: balance and `used` take the grants alive then, by
    `[effective_at, expires_at)` and not by whether their own timer of the same instant has fired.
R20 A grant start writes no row but `status ok` (R71), and is looked at for nothing else; it shows in the balance of the next row. The end
    of a period writes the new pool's `grant` and then the rollover (R50); the close writes `expire` if
    something remains.
    An expiry of a grant with nothing left writes no row. Without a row no alert is looked at.
R21 The close is due at end + grace, with the grace of the table in force at the `received_at` of the
    row that ended the period. At end + grace exactly it is closed.

Identity
R22 The filter forgets a usage when a copy comes later than charged `received_at` + window (equal is
    still a copy); window is that of the table in force at the copy's `received_at`. It is then
    charged anew. Usage and commands share one space of identities.
R23 Duplicates, conflicts and rejections carry no balance, period, plan, price or late.

Commands
R24 A wallet opens at `received_at`, whatever the command's `time`.
R25 A plan that the table in force at `received_at` does not have is `bad_command`, before
    `already_open`. Where the period's own table does not have it yet, the first later one that does
    gives the terms (R53).
R26 `anchor_day`: a JSON number of whole value 1 to 31 (15.0 and 1.5e1 pass).
R27 `credits`, `price`: a JSON number, or a string of a plain decimal; more than 6 (9) places are
    `bad_command`, never rounded (a number's trailing zeros don't count). credits: above 0, below 10^12.
    price: 0 or more, below 10^9; allowed with either basis; without `currency` it is `bad_command`.
    `currency` is a non-empty string, and written only beside an amount. No price: amount is null.
R28 `priority`: a JSON number of whole value within 32 bits. Times are read as `time` is.
R29 `expires_at` at or before `effective_at` is `bad_command`. One after it but in the past is
    accepted, is in no balance, and expires before the next line.
R30 A grant that brings a wallet's live and future credits to 10^12 is `overflow`.
R31 Two commands can make one grant id (a/b + c, a + b/c): both are kept as grants of their own.

Pricing
R32 No `when` is no condition. A `[[cost]]` knows `components` only. A key that is not supported here
    (tiers, ...) stops at load. Thresholds are whole, 1 to 100; days and periods whole, above 0.
R33 cost_usd of 10^9 or more, or an overage amount of 10^9 or more, is `overflow`: no column holds it.

Wallets
R34 "Before the opening" is before the first period's start, 00:00 of the opening day; earlier usage on
    that day is in the period and not late.
R35 Usage from before the opening goes to the first period as long as that is open, then to the current.
R36 For the order of paying, a pool expires at its period's end; of equals promotional, rollover, pool,
    purchased.
R37 An exhausted grant still could pay, so a charge of zero may name it. A pool always could, voided too.
R38 A non-pool grant must have started at now as well as at used_at (usage a few minutes ahead).
R39 An overage row has no delta. It is priced by the terms of the period it is booked to.
R40 Alerts are looked at once, after all rows of an event (or of a timer), lowest threshold first.
R41 `consumed` is of the current period: late usage of an ended one lowers remaining if another
    grant pays, and raises nothing. 0 / 0 counts as false, so it re-arms.
R42 A wallet's thresholds are those of the current period's terms; the alert is booked to it (`overage`:
    R69).

Columns
R43 A timer's row has no used_at, event_source, event_id, event_type, late. `late` is on usage alone.
R44 `empty` and `malformed` rows know only received_at, reason, data. `bad_customer` knows the event but
    no customer. From there on all of the event's own columns are filled.
R45 task, unit, late, plan, price and data are on every usage row of a split; quantity and cost on the
    first (cost 0 included). data is also on `wallet`, `grant`, `void` and `reversal` rows of the
    command itself, not on pool grants, alerts, or the wallet opened by a usage.
R46 plan is on every row of a wallet: that of the terms of the period which the row is booked to, as they
    are then. price_version: usage the pricing table (its reversal the same); wallet, pool grant and
    alert the table that gave the terms; other grants, expiries, voids and rollovers none.
R47 Every row of a wallet has a balance (wallet rows and alerts too). An expired pool's row is booked
    to its own period, a grant's to the current one.
R48 `...[N bytes]`: N is the whole body's length. Text is cut at the last character that fits 64 KiB,
    base64 is made of the first 64 KiB; UTF-8 is judged on the whole body.
R49 No price tables at all: the program refuses to start.

Rollover, plan changes
R50 At a period's end: `grant` of the new pool; `rollover` out of the old, booked to the old period;
    `rollover` in, booked to the new one; then alerts. Nothing to move: no rollover rows. The ended
    period's last terms say how much and for how long (to the end of the n-th following period).
R51 Late usage of an ended open period finds its rollover grant only while that is alive.
R52 `plan_changed`: `bad_command` when `at` or `plan` is wrong or the table in force at `received_at` lacks
    the plan; `unknown_wallet`; `bad_command` when `now` would change the currency. The same plan passes.
R53 `now` takes the terms in force at the period's start, or else of the first later table that has the
    plan; it drops a change that waits. All terms change, rollover and mode too; R30 does not look at it.
R54 `now` writes `wallet`, and one `grant` of the pool when the pool or the fee is above the most so far
    (delta or amount may be 0). A void does not lower what was given.
R55 `next_period` writes `wallet` with the current plan and version, and nothing more at the period's end.

Closing, voids
R56 From its closing on a wallet has no period ends, no midnights and no commands: `opened` is
    `already_open` until the close, all else `unknown_wallet`. Its current pool lives on to the close.
    Closes of ended periods and expiries of grants go on.
R57 The close voids ended pools (oldest first), the current pool, then all other grants, those not yet
    effective too, in order of paying. From the closing on no alert is looked at but `status`.
R58 After the close `opened` makes a new wallet: old grants and periods are over, also where a period
    begins on the same day and so names its pool alike. Status goes from closed to ok, with its alert.
R59 `voided`: `grant` is a string and not empty, else `bad_command`. Of two grants of one id (R31) the pool,
    then the oldest with something left.
R60 A voided grant is gone: it pays no more, and R37 does not name it. A pool is named still, with nothing
    in it; one that a plan change fills again is no longer gone.

Reversals
R61 All three members are strings and not empty, `reason` at most 256 bytes, else `bad_command`; then
    `unknown_wallet`, `duplicate`, `unknown_event`. A `duplicate` of this kind occupies no identity.
R62 Charged events are known for ever. One charged anew after the window (R22) is the one that is meant;
    of one (customer, source, id) there is one reversal for ever.
R63 used_at and the event columns are the command's, on the `expire` row too. late is null.
R64 Credits to a grant that is gone are in no balance, not even on the `reversal` row. Credits of 0 to it
    are not expired.
R65 What grants get back lowers the current period's `consumed`, whichever period was charged. Below 0
    it counts as 0 for used %.

Alerts
R66 In order: used, overage, run_out, expiring, status. Fired ones are kept by kind and number, those that
    the plan does not have too: `used` are looked at after the rows of an event or timer, `run_out`
    after each row, and forgotten when false.
R67 Pace: all credits charged, overage too and less reversals, by the UTC day of used_at (the command's
    for a reversal), on the last 7 or fewer days before this one, from the opening day on, divided by
    their number.
R68 `run_out`: 0 < balance, balance / pace <= N days, and now + balance / pace before the period's end
    (not at it). It fires at midnights only; it is forgotten only where R66 looks.
R69 `overage` belongs to the period that the overage is booked to and needs `alerts` (`{}` will do) in its
    terms. It is about the first overage: one under a plan without `alerts` uses it up, and a reversal
    does not bring it back.
R70 `expiring` is told once a grant, whatever plan comes; a rollover is told of, a pool never; delta null.
R71 `blocked` when the event's own unbilled overage leaves the balance at 0. Else ok when the balance is
    above 0; a plan that bills does not unblock. Only a grant start that does so writes it. A closing wallet is closed and nothing else.
R72 The first midnight is the first after the opening, never at it.
"""
import argparse
import base64
import bisect
import heapq
import pathlib
import re
import sys
import time as systime
import tomllib
from fractions import Fraction

COLUMNS = ("entry,seq,idx,leg,kind,customer,period,used_at,received_at,event_source,event_id,event_type,"
           "task,unit,quantity,credits,grant_id,delta,balance,amount,currency,cost_usd,plan,price_version,"
           "price_id,late,reason,data").split(",")
SECOND = 10**6
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
LINE_MAX, BODY_MAX, DEPTH_MAX, TIMERS_MAX = 8 << 20, 64 << 10, 100, 4096
PACE_DAYS = 7
END, CLOSE, SHUT, START, EXPIRE, MIDNIGHT = range(6)
RANK = {"promotional": 0, "rollover": 1, "pool": 2, "purchased": 3}
NEVER = float("inf")     # only ever compared with, never computed with


# ---------------------------------------------------------------- calendar

def days_of(y, m, d):
    """Days from 1970-01-01 to a date of the Gregorian calendar."""
    y -= m <= 2
    era, yoe = divmod(y, 400)
    doy = (153 * (m + (-3 if m > 2 else 9)) + 2) // 5 + d - 1
    return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468


def date_of(days):
    era, doe = divmod(days + 719468, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    m = mp + (3 if mp < 10 else -9)
    return yoe + era * 400 + (m <= 2), m, doy - (153 * mp + 2) // 5 + 1


def month_days(y, m):
    return days_of(y + m // 12, m % 12 + 1, 1) - days_of(y, m, 1)


def next_anchor(day, anchor):
    """The first anchor day strictly after `day` (both in days since 1970)."""
    y, m, _ = date_of(day)
    while True:
        at = days_of(y, m, min(anchor, month_days(y, m)))
        if at > day:
            return at
        y, m = y + m // 12, m % 12 + 1


RFC3339 = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})"
                     r"(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))")


def instant(text):
    """Microseconds of an RFC 3339 time, None when it is not one."""
    hit = RFC3339.fullmatch(text)
    if not hit:
        return None
    y, mo, d, h, mi, s = (int(part) for part in hit.groups()[:6])
    off_h, off_m = int(hit[9] or 0), int(hit[10] or 0)
    if not (1 <= mo <= 12 and 1 <= d <= month_days(y, mo) and h < 24 and mi < 60 and s < 60
            and off_h < 24 and off_m < 60):
        return None
    offset = (off_h * HOUR + off_m * MINUTE) * (-1 if hit[8] == "-" else 1)
    micros = int(((hit[7] or "") + "000000")[:6])
    return days_of(y, mo, d) * DAY + h * HOUR + mi * MINUTE + s * SECOND + micros - offset


def show_date(days):
    return "%04d-%02d-%02d" % date_of(days)


def show_time(at):
    day, rest = divmod(at, DAY)
    secs, micros = divmod(rest, SECOND)
    return f"{show_date(day)}T{secs // 3600:02}:{secs // 60 % 60:02}:{secs % 60:02}.{micros:06}Z"


def show_amount(value, places):
    whole, part = divmod(abs(value), 10**places)
    return f"{'-' if value < 0 else ''}{whole}.{part:0{places}}"


# ---------------------------------------------------------------- JSON, strictly

class Malformed(Exception):
    pass


class BadMeasure(Exception):
    pass


class Num:
    """A number as it was written."""
    def __init__(self, text):
        self.text = text


SPACE = re.compile(r"[ \t\r\n]*")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
CHUNK = re.compile(r'[^"\\\x00-\x1f]*')
HEX4 = re.compile(r"[0-9a-fA-F]{4}")
WORDS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def skip(s, i):
    return SPACE.match(s, i).end()


def json_string(s, i):
    """The string whose opening quote stands at i, and the place after its closing one."""
    parts, i = [], i + 1
    while True:
        chunk = CHUNK.match(s, i)
        parts.append(chunk[0])
        i = chunk.end()
        if s[i:i + 1] == '"':
            return "".join(parts), i + 1
        if s[i:i + 1] != "\\":
            raise Malformed("string")
        code, i = s[i + 1:i + 2], i + 2
        if code != "u":
            if code not in ESCAPES:
                raise Malformed("escape")
            parts.append(ESCAPES[code])
            continue
        unit, i = hex4(s, i)
        if 0xD800 <= unit < 0xDC00 and s[i:i + 2] == "\\u":
            low, after = hex4(s, i + 2)
            if 0xDC00 <= low < 0xE000:
                unit, i = 0x10000 + ((unit - 0xD800) << 10) + low - 0xDC00, after
        if 0xD800 <= unit < 0xE000:
            raise Malformed("lone surrogate")
        parts.append(chr(unit))


def hex4(s, i):
    hit = HEX4.match(s, i)
    if not hit:
        raise Malformed("escape")
    return int(hit[0], 16), i + 4


def json_value(s, i, depth):
    first = s[i:i + 1]
    if first == '"':
        return json_string(s, i)
    if first == "{":
        members, i = json_object(s, i, depth + 1)
        return {key: value for key, (value, _) in members.items()}, i
    if first == "[":
        return json_array(s, i, depth + 1)
    if first in WORDS and first:
        word, value = WORDS[first]
        if s.startswith(word, i):
            return value, i + len(word)
    hit = NUMBER.match(s, i)
    if not hit:
        raise Malformed("value")
    return Num(hit[0]), hit.end()


def json_array(s, i, depth):
    if depth > DEPTH_MAX:
        raise Malformed("nesting")
    items, i = [], skip(s, i + 1)
    if s[i:i + 1] == "]":
        return items, i + 1
    while True:
        value, i = json_value(s, i, depth)
        items.append(value)
        i = skip(s, i)
        if s[i:i + 1] == "]":
            return items, i + 1
        if s[i:i + 1] != ",":
            raise Malformed("array")
        i = skip(s, i + 1)


def json_object(s, i, depth):
    """Members as {key: (value, its raw text)}; of a key given twice the last holds."""
    if depth > DEPTH_MAX:
        raise Malformed("nesting")
    members, i = {}, skip(s, i + 1)
    if s[i:i + 1] == "}":
        return members, i + 1
    while True:
        if s[i:i + 1] != '"':
            raise Malformed("key")
        key, i = json_string(s, i)
        i = skip(s, i)
        if s[i:i + 1] != ":":
            raise Malformed("colon")
        start = skip(s, i + 1)
        value, i = json_value(s, start, depth)
        members[key] = value, s[start:i]
        i = skip(s, i)
        if s[i:i + 1] == "}":
            return members, i + 1
        if s[i:i + 1] != ",":
            raise Malformed("object")
        i = skip(s, i + 1)


def scaled(text, places):
    """A JSON number × 10^places: (sign, floor of its size, is it exact, half-even size).

    The size is None when it is 10^30 or more. Digits past any use are looked at, never multiplied.
    """
    mantissa, _, exp = text.lower().partition("e")
    sign = -1 if mantissa.startswith("-") else 1
    whole, _, part = mantissa.lstrip("-").partition(".")
    digits = (whole + part).lstrip("0")
    if not digits:
        return sign, 0, True, 0
    exp_digits = exp.lstrip("+-").lstrip("0") or "0"
    power = (10**18 if len(exp_digits) > 18 else int(exp_digits)) * (-1 if exp.startswith("-") else 1)
    point = len(digits) - len(part) + power + places    # digits before the point, once scaled
    if point > 30:
        return sign, None, False, None
    if point < 0:
        return sign, 0, False, 0
    kept = int((digits[:point] + "0" * (point - len(digits))) or "0")
    rest = digits[point:].rstrip("0")
    up = rest > "5" or (rest == "5" and kept % 2 == 1)
    return sign, kept, not rest, kept + up


def measure(data, name):
    """A measure in millionths, None when absent."""
    value = data.get(name)
    if not isinstance(value, Num):
        return None
    sign, _, _, size = scaled(value.text, 6)
    if size is None or size >= 10**18 or (sign < 0 and size > 0):
        raise BadMeasure(name)
    return size


# ---------------------------------------------------------------- events

class Event:
    pass


WHITE = set(map(chr, [*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029,
                      0x202F, 0x205F, 0x3000]))
CONTROL = set(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))


def good_customer(name):
    return (isinstance(name, str) and 1 <= len(name.encode()) <= 128
            and not any(c in WHITE or c in CONTROL or c in ".*>" for c in name))


def read_event(line, now):
    if len(line) > LINE_MAX:
        raise Malformed("too long")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("utf-8") from None
    start = skip(text, 0)
    if text[start:start + 1] != "{":
        raise Malformed("not an object")
    members, end = json_object(text, start, 1)
    if skip(text, end) != len(text):
        raise Malformed("trailing text")
    event = Event()
    for name in ("id", "source", "type"):
        value = members.get(name, (None,))[0]
        if not isinstance(value, str) or not 1 <= len(value.encode()) <= 256:
            raise Malformed(name)
        setattr(event, name, value)
    if members.get("specversion", (None,))[0] != "1.0" or "subject" not in members:
        raise Malformed("specversion or subject")
    event.subject = members["subject"][0]
    event.data, event.raw = members.get("data", ({}, "{}"))
    if not isinstance(event.data, dict):
        raise Malformed("data")
    if "time" in members:
        value = members["time"][0]
        event.time = instant(value) if isinstance(value, str) else None
    else:
        event.time = now
    if event.time is None:
        raise Malformed("time")
    return event


def body_text(line):
    """The raw body of a rejection as the column `data` shows it."""
    tail = f"…[{len(line)} bytes]" if len(line) > BODY_MAX else ""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(line[:BODY_MAX]).decode() + tail
    return line[:BODY_MAX].decode("utf-8", "ignore") + tail


# ---------------------------------------------------------------- price tables

class Fault(Exception):
    pass


PLAIN = re.compile(r"([0-9]+)(?:\.([0-9]+))?")


def plain(text, places):
    """A string of a plain decimal as an integer × 10^places."""
    hit = PLAIN.fullmatch(text) if isinstance(text, str) else None
    if not hit or len(hit[2] or "") > places or len(hit[1]) > 30:
        raise Fault(f"not a plain decimal of at most {places} places: {text!r}")
    return int(hit[1] + (hit[2] or "").ljust(places, "0"))


def only(table, where, required, optional=()):
    for key in required:
        if key not in table:
            raise Fault(f"{where} lacks {key}")
    for key in table:
        if key not in required and key not in optional:
            raise Fault(f"{where} has {key}, which is not supported")


def conditions(when):
    """{key: values}, each value with its type so that true is not "true"."""
    found = {}
    for key, value in when.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(type(v) in (str, bool) for v in values):
            raise Fault(f"when.{key} must be strings or booleans")
        found[key] = {(type(v), v) for v in values}
    return found


def components(rows, money, places):
    parts = []
    for row in rows:
        only(row, "component", ("measure", "per", money))
        if type(row["per"]) is not int or row["per"] < 1:
            raise Fault("per must be a positive integer")
        parts.append((row["measure"], row["per"], plain(row[money], places)))
    if not parts:
        raise Fault("no components")
    return parts


class Price:
    def __init__(self, t):
        only(t, "price", ("id", "task", "unit"),
             ("when", "quantity", "credits", "components", "minimum", "rounding"))
        self.id, self.task, self.unit = t["id"], t["task"], t["unit"]
        self.when = conditions(t.get("when", {}))
        self.quantity = t.get("quantity")
        self.minimum = plain(t.get("minimum", "0"), 6)
        self.rounding = t.get("rounding", "half_up")
        if self.rounding not in ("up", "down", "half_up", "half_even"):
            raise Fault(f"rounding {self.rounding}")
        self.parts = components(t["components"], "credits", 12) if "components" in t else None
        if (self.parts is None) != ("credits" in t) or (self.parts and self.quantity is not None):
            raise Fault(f"price {self.id} needs credits or components, not both")
        self.credits = plain(t["credits"], 12) if "credits" in t else None


class Cost:
    def __init__(self, t):
        only(t, "cost", ("components",), ("when",))
        self.when = conditions(t.get("when", {}))
        self.parts = components(t["components"], "usd", 9)


class Plan:
    def __init__(self, t):
        only(t, "plan", ("id", "name", "fee", "currency", "credits"), ("alerts", "overage", "rollover"))
        self.id, self.currency = t["id"], t["currency"]
        self.fee, self.pool = plain(t["fee"], 9), plain(t["credits"], 6)
        self.warns = "alerts" in t
        alerts = t.get("alerts", {})
        only(alerts, "alerts", (), ("used", "run_out_within_days", "expiring_within_days"))
        self.used = sorted(set(alerts.get("used", [])))
        if not all(type(n) is int and 1 <= n <= 100 for n in self.used):
            raise Fault("thresholds are whole numbers, 1 to 100")
        self.run_out = days(alerts.get("run_out_within_days"))
        self.expiring = days(alerts.get("expiring_within_days"))
        self.rollover_max, self.rollover_periods = 0, 0
        if "rollover" in t:
            only(t["rollover"], "rollover", ("max", "periods"))
            self.rollover_max = plain(t["rollover"]["max"], 6)
            self.rollover_periods = days(t["rollover"]["periods"])
        overage = t.get("overage", {"mode": "block"})
        if overage.get("mode") == "bill":
            only(overage, "overage", ("mode", "price"))
            self.overage = plain(overage["price"], 9)
        else:
            only(overage, "overage", ("mode",))
            if overage["mode"] != "block":
                raise Fault(f"overage mode {overage['mode']}")
            self.overage = None


def days(value):
    """A count from a table: a whole number above 0, or None where it is absent."""
    if value is not None and (type(value) is not int or value < 1):
        raise Fault("days and periods are whole numbers above 0")
    return value


def could_match_both(a, b):
    return all(a[key] & b[key] for key in a.keys() & b.keys())


class Table:
    def __init__(self, t):
        only(t, "table", ("version", "effective_from"), ("default_plan", "rules", "price", "cost", "plan"))
        self.version = t["version"]
        start = t["effective_from"]
        self.effective_from = instant(start) if isinstance(start, str) else None
        if self.effective_from is None:
            raise Fault("effective_from must be an RFC 3339 string")
        rules = t.get("rules", {})
        only(rules, "rules", (), ("window_days", "future_minutes", "grace_hours"))
        if not all(type(v) is int and v >= 0 for v in rules.values()):
            raise Fault("rules are whole numbers")
        self.window = rules.get("window_days", 35) * DAY
        self.future = rules.get("future_minutes", 5) * MINUTE
        self.grace = rules.get("grace_hours", 24) * HOUR
        self.prices = [Price(p) for p in t.get("price", [])]
        self.costs = [Cost(c) for c in t.get("cost", [])]
        self.plans = {}
        for plan in map(Plan, t.get("plan", [])):
            if plan.id in self.plans:
                raise Fault(f"two plans {plan.id}")
            self.plans[plan.id] = plan
        self.default_plan = t.get("default_plan")
        if self.default_plan is not None and self.default_plan not in self.plans:
            raise Fault("default_plan is no plan of this table")
        if len({p.id for p in self.prices}) != len(self.prices):
            raise Fault("two prices of one id")
        for rules in (self.prices, self.costs):
            for n, a in enumerate(rules):
                for b in rules[:n]:
                    if len(a.when) == len(b.when) and could_match_both(a.when, b.when):
                        raise Fault(f"two rules could match one event: {a.when} and {b.when}")


def best_match(rules, event):
    """The matching rule with the most conditions, None if none matches."""
    best = None
    for rule in rules:
        for key, values in rule.when.items():
            value = event.type if key == "type" else event.data.get(key)
            if type(value) not in (str, bool) or (type(value), value) not in values:
                break
        else:
            if best is None or len(rule.when) > len(best.when):
                best = rule
    return best


def rounded(number, how):
    number = Fraction(number)
    whole, rest = divmod(number.numerator, number.denominator)
    twice = 2 * rest
    if how == "up":
        return whole + (rest > 0)
    if how == "down":
        return whole
    if how == "half_up":
        return whole + (twice >= number.denominator)
    return whole + (twice > number.denominator or (twice == number.denominator and whole % 2 == 1))


def part_sum(parts, values):
    return sum(Fraction(amount * (values[name] or 0), per) for name, per, amount in parts)


class Tables:
    def __init__(self, folder):
        self.all = []
        for path in sorted(pathlib.Path(folder).glob("*.toml")):
            try:
                self.all.append(Table(tomllib.loads(path.read_text("utf-8"))))
            except (Fault, tomllib.TOMLDecodeError) as fault:
                raise Fault(f"{path}: {fault}") from None
        if not self.all:
            raise Fault(f"no price tables in {folder}")
        self.all.sort(key=lambda t: t.effective_from)
        self.starts = [t.effective_from for t in self.all]
        if len(set(self.starts)) < len(self.all) or len({t.version for t in self.all}) < len(self.all):
            raise Fault("two tables of one version or one effective_from")
        for before, after in zip(self.all, self.all[1:]):
            if before.plans.keys() - after.plans.keys():
                raise Fault(f"{after.version} drops a plan")

    def at(self, when):
        """The table in force, None before the first."""
        n = bisect.bisect_right(self.starts, when)
        return self.all[n - 1] if n else None

    def at_or_first(self, when):
        return self.at(when) or self.all[0]

    def terms(self, plan_id, when):
        """(version, plan) of the table in force, or else of the first later one that has the plan."""
        table = self.at_or_first(when)
        while plan_id not in table.plans:
            later = self.all[self.all.index(table) + 1:]
            if not later:
                return None, None
            table = later[0]
        return table.version, table.plans[plan_id]


# ---------------------------------------------------------------- wallets

class Grant:
    def __init__(self, id, basis, priority, effective, expires, credits):
        self.id, self.basis, self.priority = id, basis, priority
        self.effective, self.expires, self.remaining = effective, expires, credits
        self.gone, self.warned = False, False

    def alive(self, at):
        return self.effective <= at and (self.expires is None or at < self.expires)

    def order(self):
        expires = NEVER if self.expires is None else self.expires
        return self.priority, expires, RANK[self.basis], self.effective, self.id


class Period:
    """[start, end) in days since 1970, its terms and its pool."""
    def __init__(self, tables, plan_id, start, anchor):
        self.start, self.end = start, next_anchor(start, anchor)
        self.version, self.plan = tables.terms(plan_id, start * DAY)
        self.consumed, self.overdrawn, self.rollover = 0, False, None
        if self.plan:
            self.given, self.billed = self.plan.pool, self.plan.fee
            self.pool = Grant("pool/" + show_date(start), "pool", 100, start * DAY, self.end * DAY,
                              self.plan.pool)


class Wallet:
    def __init__(self, customer, anchor, period, opened):
        self.customer, self.anchor, self.opened = customer, anchor, opened
        self.first, self.current, self.ended = period, period, []
        self.next_plan = None           # a plan change that waits for the period's end
        self.grants, self.fired = [], set()
        self.status, self.closing, self.shut = "ok", None, False
        self.charged = {}               # by day of use, for the pace

    def balance(self, at):
        return self.current.pool.remaining + sum(g.remaining for g in self.grants if g.alive(at))

    def pools(self):
        """(pool, its period), the oldest first."""
        return [(period.pool, period) for period in [*self.ended, self.current]]

    def used_true(self, threshold, at):
        used = max(0, self.current.consumed)
        whole = used + self.balance(at)
        return whole > 0 and 100 * used >= threshold * whole

    def run_out_true(self, within, at):
        today = at // DAY
        span = min(PACE_DAYS, today - self.opened // DAY)
        spent = sum(self.charged.get(today - n, 0) for n in range(1, span + 1))
        need = self.balance(at) * span      # the wallet is empty after need / spent days
        return (spent > 0 and 0 < need <= within * spent
                and need * DAY < (self.current.end * DAY - at) * spent)

    def holds(self, alert, at):
        kind, number = alert
        return self.used_true(number, at) if kind == "used" else self.run_out_true(number, at)

    def book(self, used_at):
        """The period that usage of `used_at` belongs to, and whether it is late."""
        day, current = used_at // DAY, self.current
        if day >= current.start:
            return current, False
        for period in self.ended:
            if period.start <= day < period.end:
                return period, True
        if day < self.first.start and self.first in self.ended:
            return self.first, True
        return current, True

    def payers(self, period, used_at, now):
        others = [g for g in self.grants if g.effective <= used_at and g.alive(now)]
        if period is self.current:
            return sorted([period.pool, *others], key=Grant.order)
        left = [g for g in self.grants if g.alive(now) and g is period.rollover]
        others = [g for g in others if g not in left]
        return [period.pool, *left, *sorted(others, key=Grant.order)]


class Reject(Exception):
    pass


class Engine:
    def __init__(self, tables, wall, sink):
        self.tables, self.wall, self.sink = tables, wall, sink
        self.now, self.entry, self.seq = None, 0, 0
        self.wallets, self.identities, self.charges, self.prices_seen = {}, {}, {}, 0
        self.reversed = set()
        self.timers, self.timer_no = [], 0

    # ---- one line

    def line(self, line):
        self.seq += 1
        self.legs = {}
        event, reason = None, None
        if not line.strip(b" \t\r"):
            reason = "empty"
        else:
            try:
                event = read_event(line, self.now)
                if not good_customer(event.subject):
                    reason = "bad_customer"
            except Malformed:
                reason = "malformed"
        known = event
        if reason:
            event = None
        elif event.time <= self.wall + 5 * MINUTE:
            self.now = event.time if self.now is None else max(self.now, event.time)
        self.received_at = 0 if self.now is None else self.now
        self.fire(event.subject if event else None)
        self.new_prices()
        try:
            if reason:
                raise Reject(reason)
            self.check_and_apply(event)
        except Reject as no:
            self.row("rejected", 0, known, reason=str(no), data=body_text(line),
                     customer=event.subject if event else None)

    def row(self, kind, idx, event, **columns):
        leg = self.legs.get(idx, 0)
        self.legs[idx] = leg + 1
        self.entry += 1
        columns.update(entry=self.entry, seq=self.seq, idx=idx, leg=leg, kind=kind,
                       received_at=self.received_at)
        if event:
            columns.update(used_at=event.time, event_source=event.source, event_id=event.id,
                           event_type=event.type)
        self.sink(columns)

    def wallet_row(self, kind, wallet, idx, event, at, period=None, **columns):
        period = period or wallet.current
        self.row(kind, idx, event, customer=wallet.customer, period=period.start,
                 balance=wallet.balance(at), plan=period.plan.id, **columns)
        if kind != "alert" and wallet.closing is None:
            wallet.fired = {alert for alert in wallet.fired if alert[0] != "run_out" or wallet.holds(alert, at)}

    def new_prices(self):
        while (self.now is not None and self.prices_seen < len(self.tables.all)
               and self.tables.starts[self.prices_seen] <= self.now):
            self.row("prices", 0, None, price_version=self.tables.all[self.prices_seen].version)
            self.prices_seen += 1

    # ---- timers

    def timer(self, due, wallet, kind, id="", what=None):
        self.timer_no += 1      # keeps the heap from comparing wallets
        heapq.heappush(self.timers, (due, wallet.customer, kind, id, self.timer_no, wallet, what))

    def fire(self, customer):
        if self.now is None:
            return
        counted = 0
        while counted < TIMERS_MAX:
            if not self.timers or self.timers[0][0] > self.now:
                return
            counted += self.fire_one(heapq.heappop(self.timers))
        while own := [t for t in self.timers if t[1] == customer and t[0] <= self.now]:
            self.timers.remove(min(own))
            heapq.heapify(self.timers)
            self.fire_one(min(own))

    def fire_one(self, timer):
        """Whether the timer counts for the cap."""
        due, _, kind, _, _, wallet, what = timer
        if not self.stands(kind, wallet, what):
            return False
        before = self.entry
        if kind == END:
            self.end_period(wallet, due)
        elif kind == CLOSE:
            wallet.ended.remove(what)
            self.expire(wallet, what.pool, what, due)
        elif kind == SHUT:
            self.shut(wallet, due)
        elif kind == START:
            if wallet.status == "blocked" and wallet.balance(due) > 0:
                wallet.status = "ok"
                self.alert(wallet, -1, None, due, "status ok")
        elif kind == EXPIRE:
            wallet.grants.remove(what)
            self.expire(wallet, what, wallet.current, due)
        else:
            self.midnight(wallet, due)
        return self.entry > before

    def stands(self, kind, wallet, what):
        if kind in (END, MIDNIGHT):
            return wallet.closing is None
        if kind == CLOSE:
            return what in wallet.ended
        return not wallet.shut if kind == SHUT else what in wallet.grants

    def end_period(self, wallet, due):
        ended = wallet.current
        wallet.ended.append(ended)
        plan_id, wallet.next_plan = wallet.next_plan or ended.plan.id, None
        wallet.current = Period(self.tables, plan_id, ended.end, wallet.anchor)
        grace = self.tables.at_or_first(self.received_at).grace
        self.timer(ended.end * DAY + grace, wallet, CLOSE, what=ended)
        self.begin_period(wallet, -1, None, due)
        moved = min(ended.plan.rollover_max, ended.pool.remaining)
        if moved:
            self.roll_over(wallet, ended, moved, due)
        self.alerts(wallet, -1, None, due)

    def roll_over(self, wallet, ended, moved, due):
        last = ended.end
        for _ in range(ended.plan.rollover_periods):
            last = next_anchor(last, wallet.anchor)
        grant = Grant("rollover/" + show_date(ended.start), "rollover", 90, due, last * DAY, moved)
        ended.pool.remaining -= moved
        self.wallet_row("rollover", wallet, -1, None, due, ended, grant_id=ended.pool.id, delta=-moved)
        ended.rollover = grant
        wallet.grants.append(grant)
        self.timer(grant.expires, wallet, EXPIRE, grant.id, grant)
        self.wallet_row("rollover", wallet, -1, None, due, grant_id=grant.id, delta=moved)

    def begin_period(self, wallet, idx, event, at):
        period = wallet.current
        self.timer(period.end * DAY, wallet, END)
        self.wallet_row("grant", wallet, idx, event, at, grant_id=period.pool.id, delta=period.plan.pool,
                        amount=period.plan.fee, currency=period.plan.currency,
                        price_version=period.version)

    def expire(self, wallet, grant, period, at):
        rest, grant.remaining, grant.gone = grant.remaining, 0, True
        if rest:
            self.wallet_row("expire", wallet, -1, None, at, period, grant_id=grant.id, delta=-rest)
            self.alerts(wallet, -1, None, at)

    def shut(self, wallet, at):
        rest = wallet.pools() + [(grant, None) for grant in sorted(wallet.grants, key=Grant.order)]
        before = self.entry
        for grant, period in rest:
            self.void(wallet, grant, period, -1, None, at)
        wallet.shut, wallet.ended, wallet.grants = True, [], []
        if self.entry > before:
            self.alerts(wallet, -1, None, at)

    def void(self, wallet, grant, period, idx, event, at):
        rest, grant.remaining, grant.gone = grant.remaining, 0, True
        if rest:
            self.wallet_row("void", wallet, idx, event, at, period, grant_id=grant.id, delta=-rest,
                            data=event.raw if event else None)

    def midnight(self, wallet, due):
        self.timer(due + DAY, wallet, MIDNIGHT)
        plan = wallet.current.plan
        if plan.run_out and ("run_out", plan.run_out) not in wallet.fired and wallet.run_out_true(plan.run_out, due):
            wallet.fired.add(("run_out", plan.run_out))
            self.alert(wallet, -1, None, due, f"run_out {plan.run_out}")
        for grant in sorted(wallet.grants, key=Grant.order):
            if (plan.expiring and grant.remaining and not grant.warned and grant.alive(due)
                    and grant.expires is not None and grant.expires <= due + plan.expiring * DAY):
                grant.warned = True
                self.alert(wallet, -1, None, due, f"expiring {plan.expiring}", grant_id=grant.id)

    # ---- alerts

    def alert(self, wallet, idx, event, at, reason, period=None, grant_id=None):
        period = period or wallet.current
        self.wallet_row("alert", wallet, idx, event, at, period, reason=reason, grant_id=grant_id,
                        price_version=period.version)

    def rearm(self, wallet, at):
        wallet.fired = {alert for alert in wallet.fired if alert[0] == "run_out" or wallet.holds(alert, at)}

    def alerts(self, wallet, idx, event, at, overdrawn=None, unbilled=False):
        """What the rows just written turned true. `overdrawn` is the period of a first overage."""
        if wallet.closing is None:
            self.rearm(wallet, at)
        for threshold in wallet.current.plan.used if wallet.closing is None else ():
            if ("used", threshold) not in wallet.fired and wallet.used_true(threshold, at):
                wallet.fired.add(("used", threshold))
                self.alert(wallet, idx, event, at, f"used {threshold}")
        if overdrawn and overdrawn.plan.warns and wallet.closing is None:
            self.alert(wallet, idx, event, at, "overage", overdrawn)
        status, empty = wallet.status, wallet.balance(at) == 0
        if wallet.closing is not None:
            status = "closed"
        elif unbilled and empty:
            status = "blocked"
        elif status == "closed" or not empty:
            status = "ok"
        if status != wallet.status:
            wallet.status = status
            self.alert(wallet, idx, event, at, f"status {status}")

    # ---- events

    def check_and_apply(self, event):
        rules = self.tables.at_or_first(self.received_at)
        if event.time > self.received_at + rules.future:
            raise Reject("in_future")
        if event.time < self.received_at - rules.window:
            raise Reject("too_old")
        identity, payload = (event.subject, event.source, event.id), (event.type, event.raw)
        command = event.type.startswith("purser.")
        known = self.identities.get(identity)
        if known and (known[1] is None or self.received_at <= known[1] + rules.window):
            self.row("duplicate" if known[0] == payload else "conflict", 0, event, customer=event.subject)
            return
        if not command:
            self.usage(event, rules)
        elif event.type not in self.COMMANDS:
            raise Reject("unknown_command")
        elif not self.COMMANDS[event.type](self, event):
            self.row("duplicate", 0, event, customer=event.subject)
            return
        self.identities[identity] = payload, None if command else self.received_at

    def new_wallet(self, customer, plan_id, anchor):
        """A wallet that opens now, not yet in the books; None when the plan has no terms."""
        today = self.received_at // DAY
        anchor = anchor or date_of(today)[2]
        period = Period(self.tables, plan_id, today, anchor)
        return Wallet(customer, anchor, period, self.received_at) if period.plan else None

    def open_wallet(self, customer):
        wallet = self.wallets.get(customer)
        if wallet is None or wallet.closing is not None:
            raise Reject("unknown_wallet")
        return wallet

    def open(self, wallet, event, data):
        self.wallets[wallet.customer] = wallet
        pool, full = wallet.current.pool, wallet.current.plan.pool
        pool.remaining = 0      # the wallet's row stands before its pool's
        self.wallet_row("wallet", wallet, 0, event, self.received_at,
                        price_version=wallet.current.version, data=data)
        pool.remaining = full
        self.begin_period(wallet, 0, event, self.received_at)
        self.timer((self.received_at // DAY + 1) * DAY, wallet, MIDNIGHT)

    # ---- commands: True when accepted, False when a duplicate

    def opened(self, event):
        plan, anchor = event.data.get("plan"), None
        if "anchor_day" in event.data:
            anchor = whole_number(event.data["anchor_day"], 1, 31)
        known = self.tables.at_or_first(self.received_at).plans
        if not isinstance(plan, str) or plan not in known:
            raise Reject("bad_command")
        wallet = self.new_wallet(event.subject, plan, anchor)
        former = self.wallets.get(event.subject)
        if former and not former.shut:
            raise Reject("already_open")
        if former:
            wallet.status = "closed"
        self.open(wallet, event, event.raw)
        self.alerts(wallet, 0, event, self.received_at)
        return True

    def plan_changed(self, event):
        plan_id, at, now = event.data.get("plan"), event.data.get("at"), self.received_at
        if (not isinstance(plan_id, str) or at not in ("now", "next_period")
                or plan_id not in self.tables.at_or_first(now).plans):
            raise Reject("bad_command")
        wallet = self.open_wallet(event.subject)
        period = wallet.current
        if at == "next_period":
            wallet.next_plan = plan_id
            self.wallet_row("wallet", wallet, 0, event, now, price_version=period.version, data=event.raw)
        else:
            version, plan = self.tables.terms(plan_id, period.start * DAY)
            if plan.currency != period.plan.currency:
                raise Reject("bad_command")
            period.version, period.plan, wallet.next_plan = version, plan, None
            self.wallet_row("wallet", wallet, 0, event, now, price_version=version, data=event.raw)
            self.top_up(wallet, event)
        self.alerts(wallet, 0, event, now)
        return True

    def top_up(self, wallet, event):
        """The current pool and fee, raised to what the plan gives and costs."""
        period = wallet.current
        more = max(0, period.plan.pool - period.given)
        fee = max(0, period.plan.fee - period.billed)
        period.given, period.billed = period.given + more, period.billed + fee
        period.pool.remaining += more
        if more:
            period.pool.gone = False
        if more or fee:
            self.wallet_row("grant", wallet, 0, event, self.received_at, grant_id=period.pool.id, delta=more,
                            amount=fee, currency=period.plan.currency, price_version=period.version)

    def voided(self, event):
        id, now = named(event.data, "grant"), self.received_at
        wallet = self.open_wallet(event.subject)
        for grant, period in wallet.pools() + [(grant, None) for grant in wallet.grants]:
            if grant.id == id and grant.remaining:
                break
        else:
            raise Reject("nothing_remaining")
        if period is None:
            wallet.grants.remove(grant)
        self.void(wallet, grant, period, 0, event, now)
        self.alerts(wallet, 0, event, now)
        return True

    def closed(self, event):
        wallet, now = self.open_wallet(event.subject), self.received_at
        wallet.closing = now
        self.timer(now + self.tables.at_or_first(now).grace, wallet, SHUT)
        self.wallet_row("wallet", wallet, 0, event, now, price_version=wallet.current.version, data=event.raw)
        self.alerts(wallet, 0, event, now)
        return True

    def usage_reversed(self, event):
        source, id, reason = (named(event.data, key) for key in ("source", "id", "reason"))
        if len(reason.encode()) > 256:
            raise Reject("bad_command")
        wallet, now = self.open_wallet(event.subject), self.received_at
        charge = self.charges.get((event.subject, source, id))
        name = event.subject, source, id
        if name in self.reversed:
            return False
        if charge is None:
            raise Reject("unknown_event")
        self.reversed.add(name)
        first = {"quantity": -charge["quantity"], "cost_usd": -charge["cost"]}
        for grant, share, amount, currency in reversed(charge["legs"]):
            back = {} if grant is None else {"grant_id": grant.id, "delta": share}
            if grant and not grant.gone:
                grant.remaining += share
            self.spend(wallet, event, -share)
            if grant:
                wallet.current.consumed -= share
            self.wallet_row("reversal", wallet, 0, event, now, credits=-share, **back, **first, **charge["same"],
                            amount=None if amount is None else -amount, currency=currency, reason=reason,
                            data=event.raw)
            first = {}
            if grant and grant.gone and share:
                self.wallet_row("expire", wallet, 0, event, now, grant_id=grant.id, delta=-share)
        self.alerts(wallet, 0, event, now)
        return True

    def spend(self, wallet, event, credits):
        day = event.time // DAY
        wallet.charged[day] = wallet.charged.get(day, 0) + credits

    def granted(self, event):
        data, now = event.data, self.received_at
        basis = data.get("basis")
        credits = exact_amount(data.get("credits"), 6)
        if basis not in ("purchased", "promotional") or not 0 < credits < 10**18:
            raise Reject("bad_command")
        priority = {"promotional": 50, "purchased": 200}[basis]
        if "priority" in data:
            priority = whole_number(data["priority"], -2**31, 2**31 - 1)
        effective = time_member(data["effective_at"]) if "effective_at" in data else now
        expires = time_member(data["expires_at"]) if "expires_at" in data else None
        amount = exact_amount(data["price"], 9) if "price" in data else None
        currency = data.get("currency")
        if ((expires is not None and expires <= effective)
                or ("currency" in data and (not isinstance(currency, str) or not currency))
                or (amount is not None and (amount >= 10**18 or currency is None))):
            raise Reject("bad_command")
        wallet = self.open_wallet(event.subject)
        held = wallet.current.pool.remaining + sum(g.remaining for g in wallet.grants)
        if held + credits >= 10**18:
            raise Reject("overflow")
        grant = Grant(f"{event.source}/{event.id}", basis, priority, effective, expires, credits)
        wallet.grants.append(grant)
        if effective > now:
            self.timer(effective, wallet, START, grant.id, grant)
        if expires is not None:
            self.timer(expires, wallet, EXPIRE, grant.id, grant)
        self.wallet_row("grant", wallet, 0, event, now, grant_id=grant.id, delta=credits, amount=amount,
                        currency=currency if amount is not None else None, data=event.raw)
        self.alerts(wallet, 0, event, now)
        return True

    COMMANDS = {"purser.wallet.opened": opened, "purser.wallet.plan_changed": plan_changed,
                "purser.wallet.granted": granted, "purser.wallet.voided": voided,
                "purser.wallet.closed": closed, "purser.usage.reversed": usage_reversed}

    # ---- usage

    def usage(self, event, rules):
        wallet = self.wallets.get(event.subject)
        fresh = wallet is None
        if fresh and rules.default_plan is not None:
            wallet = self.new_wallet(event.subject, rules.default_plan, None)
        if wallet is None or wallet.shut or (wallet.closing is not None and event.time >= wallet.closing):
            raise Reject("unknown_wallet")
        table = self.tables.at(event.time)
        if table is None:
            raise Reject("no_price_version")
        price = best_match(table.prices, event)
        if price is None:
            raise Reject("no_price")
        quantity, credits, cost = self.rate(event, price, best_match(table.costs, event))

        period, late = wallet.book(event.time)
        payers = wallet.payers(period, event.time, self.received_at)
        shares, left = [], credits
        for grant in payers:
            share = min(left, grant.remaining)
            if share:
                shares.append((grant, share))
                left -= share
        if credits == 0:
            shares = [(payers[0], 0)]
        amount = None
        if left and period.plan.overage is not None:
            amount = rounded(Fraction(left * period.plan.overage, 10**6), "half_even")
        if cost >= 10**18 or (amount or 0) >= 10**18:
            raise Reject("overflow")

        # From here on nothing fails.
        if fresh:
            self.open(wallet, event, None)
        overdrawn = period if left and not period.overdrawn else None
        period.overdrawn = period.overdrawn or left > 0
        same = {"task": price.task, "unit": price.unit, "price_version": table.version, "price_id": price.id}
        legs = [(grant, share, None, None) for grant, share in shares]
        if left:
            legs.append((None, left, amount, None if amount is None else period.plan.currency))
        self.charges[event.subject, event.source, event.id] = {
            "legs": legs, "quantity": quantity, "cost": cost, "same": same}
        first = {"quantity": quantity, "cost_usd": cost}
        for grant, share, amount, currency in legs:
            paid = {} if grant is None else {"grant_id": grant.id, "delta": -share}
            self.spend(wallet, event, share)
            if grant:
                grant.remaining -= share
                period.consumed += share
            self.wallet_row("usage", wallet, 0, event, self.received_at, period, credits=share, **paid,
                            amount=amount, currency=currency, late=late, data=event.raw, **first, **same)
            first = {}
        self.alerts(wallet, 0, event, self.received_at, overdrawn, left > 0 and period.plan.overage is None)

    def rate(self, event, price, cost):
        """(quantity in millionths, charge in microcredits, cost in nano-dollars)."""
        names = [price.quantity] if price.quantity is not None else []
        names += [name for rule in (price, cost) if rule and rule.parts for name, _, _ in rule.parts]
        try:
            values = {name: measure(event.data, name) for name in names}
        except BadMeasure:
            raise Reject("bad_measure") from None
        quantity = 10**6
        if price.quantity is not None:
            quantity = values[price.quantity]
            if quantity is None:
                raise Reject("bad_measure")
        if price.parts:
            exact = part_sum(price.parts, values)
        else:
            exact = price.credits * quantity
        credits = max(rounded(Fraction(exact, 10**12), price.rounding), price.minimum)
        if credits >= 10**15:
            raise Reject("overflow")
        usd = rounded(Fraction(part_sum(cost.parts, values), 10**6), "half_even") if cost else 0
        return quantity, credits, usd


def whole_number(value, low, high):
    if isinstance(value, Num):
        sign, size, exact, _ = scaled(value.text, 0)
        if exact and size is not None and low <= sign * size <= high:
            return sign * size
    raise Reject("bad_command")


def exact_amount(value, places):
    """A number or a string of a plain decimal, 0 or more, × 10^places."""
    if isinstance(value, Num):
        sign, size, exact, _ = scaled(value.text, places)
        if exact and size is not None and sign * size >= 0:
            return size
    elif isinstance(value, str):
        try:
            return plain(value, places)
        except Fault:
            pass
    raise Reject("bad_command")


def named(data, key):
    """A member that must be a string and not empty."""
    if not isinstance(data.get(key), str) or not data[key]:
        raise Reject("bad_command")
    return data[key]


def time_member(value):
    at = instant(value) if isinstance(value, str) else None
    if at is None:
        raise Reject("bad_command")
    return at


# ---------------------------------------------------------------- program

SHOW = {"period": show_date, "used_at": show_time, "received_at": show_time,
        "late": lambda v: "true" if v else "false",
        "amount": lambda v: show_amount(v, 9), "cost_usd": lambda v: show_amount(v, 9)}
SHOW.update({name: (lambda v: show_amount(v, 6)) for name in ("quantity", "credits", "delta", "balance")})
QUOTED = re.compile(r'[",\r\n]')


def csv_line(row):
    cells = []
    for name in COLUMNS:
        value = row.get(name)
        cell = "" if value is None else SHOW.get(name, str)(value)
        cells.append('"' + cell.replace('"', '""') + '"' if QUOTED.search(cell) else cell)
    return ",".join(cells) + "\n"


def lines_of(blob):
    lines = blob.split(b"\n")
    last = lines.pop()
    for line in lines:
        yield line[:-1] if line.endswith(b"\r") else line
    if last:
        yield last


def main():
    args = argparse.ArgumentParser(description="the ledger rows of one NDJSON file, as CSV")
    args.add_argument("--prices", required=True)
    args.add_argument("--source", help="named by the ledger; no column here depends on it")
    args.add_argument("--wall", help="the wall clock, RFC 3339; default: this machine's")
    args.add_argument("file")
    args = args.parse_args()
    wall = systime.time_ns() // 1000 if args.wall is None else instant(args.wall)
    if wall is None:
        sys.exit("--wall is not an RFC 3339 time")
    try:
        tables = Tables(args.prices)
    except Fault as fault:
        print(fault, file=sys.stderr)
        sys.exit(2)
    out = sys.stdout.buffer
    out.write((",".join(COLUMNS) + "\n").encode())
    engine = Engine(tables, wall, lambda row: out.write(csv_line(row).encode()))
    for line in lines_of(pathlib.Path(args.file).read_bytes()):
        engine.line(line)
    out.flush()


if __name__ == "__main__":
    main()
