"""A seeded maker of hard input: one NDJSON file, one to three price tables, and a wall clock.

Owns: what could go wrong, mixed with enough ordinary usage that thresholds, overage, period ends,
graces and expiries are met often, and plan changes, voids, closings, reopenings and reversals with
usage around them. Leaves to model.py what should become of it.
Invariant: the same --seed and --events give the same bytes, whatever the folder.

Writes DIR/events.ndjson, DIR/prices/*.toml and DIR/wall.txt: pass its text as --wall, since in half
of the seeds it stands just before a period's end, so that the last events are ahead of now.
"""
import argparse
import calendar
import datetime as dt
import heapq
import json
import pathlib
import random

DAY, HOUR, MINUTE, SECOND = 86400 * 10**6, 3600 * 10**6, 60 * 10**6, 10**6
EPOCH = dt.datetime(1970, 1, 1)
TYPES = ["doc.read", "llm.chat", "img.made", "ping"]
MODELS = ["small", "größe-l", "big", "z"]
MEASURES = ["docs", "tokens_in", "tokens_out", "pages \"a4\""]
NAMES = ["acme", "northwind", "a", "Zürich-GmbH", "cust/7", "x" * 128, "é" * 64, "zero\u200bwidth", "ACME",
         "cust-01", "cust-02", "cust-03", "日本", "o'neil\"s", "-_-", "1e3", "null"]
BAD_NAMES = ["", " ", "a b", "a.b", "*", ">", "usage.>", "x" * 129, "é" * 64 + "x", "nb\u00a0sp", "ne\u0085l",
             "tab\t", "nul\u0000", "del\u007f", "ideo\u3000", "ls\u2028", "line\n"]
WALL_FAR = "2026-11-22T12:00:00Z"


def micros(moment):
    return (moment - EPOCH) // dt.timedelta(microseconds=1)


def show(at, rng=None):
    """RFC 3339 in one of its many spellings; without rng the plain one."""
    offset, plain = 0, rng is None or rng.random() < 0.7
    if not plain and rng.random() < 0.5:
        offset = rng.choice([-23 * 60 - 59, -330, -60, 60, 345, 120, 23 * 60 + 59])
    moment = EPOCH + dt.timedelta(microseconds=at + offset * MINUTE)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    part = f"{moment.microsecond:06}".rstrip("0")
    if not plain:
        part = rng.choice([part, part.ljust(6, "0"), part.ljust(6, "0") + "999", part.ljust(9, "0")])
    text += "." + part if part else ""
    if not plain and rng.random() < 0.3:
        text = text.replace("T", "t")
    if offset:
        sign = "-" if offset < 0 else "+"
        return text + f"{sign}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    return text + ("Z" if plain else rng.choice(["Z", "z", "+00:00", "-00:00"]))


class Maker:
    def __init__(self, seed, count):
        self.rng = rng = random.Random(seed)
        self.count = count
        base = dt.datetime(2024, 1, 1) + dt.timedelta(days=rng.randrange(0, 800))
        self.span = rng.randrange(40, 150)
        self.base = micros(base)
        self.customers = rng.sample(NAMES, rng.randrange(3, 16))
        self.anchors = [rng.choice([1, 15, 28, 29, 30, 31, rng.randrange(1, 32)]) for _ in range(4)]
        self.hot = []       # midnights on which periods are likely to end
        for n in range(self.span + 1):
            day = base + dt.timedelta(days=n)
            last = calendar.monthrange(day.year, day.month)[1]
            if any(day.day == min(a, last) for a in self.anchors + [base.day]):
                self.hot.append(micros(day))
        self.end = self.base + self.span * DAY
        self.near_wall = rng.random() < 0.5
        self.wall = WALL_FAR
        if self.near_wall:
            self.end = rng.choice(self.hot[1:] or [self.end])
            self.wall = show(self.end - 5 * MINUTE - rng.choice([1, SECOND, 90 * SECOND]))
        self.next_id = 0
        self.history = []   # (subject, source, id, type, raw data, time) of what may come again
        self.opened_at = {}     # customer: (time, anchor day), as far as this maker can tell
        self.closed_at = {}
        self.granted = []       # (customer, grant id)
        self.voided = []
        self.reversals = []     # (customer, source, id) of what was reversed
        self.later = []         # a heap of (time, number, line's maker) that a line has called for
        self.make_tables()

    # ---- price tables

    def amount(self, low, high, places):
        text = f"{self.rng.uniform(low, high):.{self.rng.randrange(0, places + 1)}f}"
        return text if self.rng.random() < 0.8 else text + ("0" if "." in text and len(text) < 6 else "")

    def make_tables(self):
        rng = self.rng
        starts = [self.base + (3 * DAY if rng.random() < 0.25 else -10 * DAY)]
        for _ in range(rng.randrange(0, 3)):
            day = self.base + rng.randrange(4, max(5, self.span)) * DAY
            starts.append(rng.choice([day, day, rng.choice(self.hot), day + rng.randrange(DAY)]))
        starts = sorted(set(starts))
        per_period = max(1, self.count / len(self.customers) / (self.span / 30 + 1))
        plans = ["starter", "team", "Plan \"B\""][:rng.choice([1, 2, 2, 3, 3])]
        pools = {p: self.pool(per_period) for p in plans}
        self.graces, self.tables = [24], []
        for n, start in enumerate(starts):
            if n and rng.random() < 0.3:
                plans.append(f"extra-{n}")
            self.tables.append(self.table(n, start, plans, pools, per_period))
        self.plans = plans

    def pool(self, per_period):
        return self.rng.choice(["0", "0.5", f"{per_period * self.rng.uniform(0.1, 0.6):.3f}",
                                f"{per_period * self.rng.uniform(0.3, 2):.0f}",
                                f"{per_period * self.rng.uniform(1, 5):.6f}",
                                f"{per_period * self.rng.uniform(1, 5):.2f}"])

    def table(self, n, start, plans, pools, per_period):
        rng = self.rng
        out = [f'version = "v{n + 1}"', f'effective_from = "{show(start)}"']
        if rng.random() < 0.85:
            out.append(f"default_plan = {json.dumps(rng.choice(plans))}")
        if rng.random() < 0.8:
            out.append("[rules]")
            for key, values in (("window_days", [3, 7, 20, 35]), ("future_minutes", [0, 5, 15, 120]),
                                ("grace_hours", [0, 1, 24, 72, 72, 800])):
                if rng.random() < 0.7:
                    value = rng.choice(values)
                    out.append(f"{key} = {value}")
                    if key == "grace_hours":
                        self.graces.append(value)
        for kind in TYPES:
            if rng.random() < 0.93:
                out += self.price(f"{kind}-any", {"type": kind}, kind)
            if rng.random() < 0.5:
                out += self.price(f"{kind}-some", {"type": kind, "model": ["small", "größe-l"]}, kind)
            if rng.random() < 0.4:
                out += self.price(f"{kind}-big", {"type": kind, "model": "big"}, kind)
            if rng.random() < 0.4:
                out += self.price(f"{kind}-batch", {"type": kind, "model": "small", "batch": True}, kind)
            if rng.random() < 0.2:
                out += self.price(f"{kind}-unbatch", {"type": [kind], "model": ["small", "big"],
                                                      "batch": False}, kind)
        if rng.random() < 0.3:
            out += self.price("anything-z", {"model": "z", "batch": [True, False], "region": "eu",
                                             "tier": ["a", "b"]}, "")
        for when in [{"type": "llm.chat"}, {"type": "doc.read", "model": "big"}, {"type": ["img.made", "ping"]},
                     {"type": "llm.chat", "model": ["big", "z"]}]:
            if rng.random() < 0.6:
                out += ["[[cost]]", self.when(when), "components = [" + ", ".join(
                    f'{{ measure = {json.dumps(m)}, per = {rng.choice([100000, 1000000, 3000000])}, '
                    f'usd = "{self.amount(0, 60, 9)}" }}' for m in rng.sample(MEASURES, rng.randrange(1, 4))) + "]"]
        for plan in plans:
            pool = pools.setdefault(plan, self.pool(per_period))
            if n and rng.random() < 0.4:
                pools[plan] = pool = self.pool(per_period)
            out += ["[[plan]]", f"id = {json.dumps(plan)}", f"name = {json.dumps(plan.upper())}",
                    f'fee = "{rng.choice(["0", "49.00", "99.999999999", "0.5"])}"',
                    f'currency = "{"EUR" if rng.random() < 0.12 else "USD"}"', f'credits = "{pool}"']
            if rng.random() < 0.85:
                out.append(self.alerts())
            if rng.random() < 0.75:
                most = rng.choice(["0", "0.000001", "0.5", f"{float(pool) * rng.uniform(0.05, 0.6):.6f}",
                                   f"{float(pool) * rng.uniform(0.05, 0.6):.2f}", pool, pool, "100000", "100000"])
                out.append(f'rollover = {{ max = "{most}", periods = {rng.choice([1, 1, 1, 2, 3])} }}')
            mode = rng.choice(["bill", "bill", "bill", "block", "block", "none"])
            if mode == "bill":
                out.append(f'overage = {{ mode = "bill", price = "{self.amount(0, 0.9, 9)}" }}')
            elif mode == "block":
                out.append('overage = { mode = "block" }')
        return "\n".join(out) + "\n"

    def alerts(self):
        rng, keys = self.rng, []
        if rng.random() < 0.9:
            used = rng.choice([[50, 80, 100], [100], [1, 2, 99], [80, 50], [], sorted(rng.sample(range(1, 101), 4))])
            keys.append(f"used = {used}")
        if rng.random() < 0.6:
            keys.append(f"run_out_within_days = {rng.choice([1, 3, 7, 14, 31, 365])}")
        if rng.random() < 0.6:
            keys.append(f"expiring_within_days = {rng.choice([1, 2, 7, 14, 31, 365])}")
        rng.shuffle(keys)
        return "alerts = { " + ", ".join(keys) + " }"

    def when(self, conditions):
        spelled = ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in conditions.items())
        return f"when = {{ {spelled} }}"

    def price(self, id, when, kind):
        rng = self.rng
        out = ["[[price]]", f'id = "{id}"', f'task = "task of {id}"', f'unit = "{rng.choice(["unit", "doc", "1,000s"])}"',
               self.when(when)]
        shape = rng.choice(["flat", "unit", "parts", "parts"])
        if shape == "parts":
            out.append("components = [" + ", ".join(
                f'{{ measure = {json.dumps(m)}, per = {rng.choice([1, 3, 7, 1000])}, '
                f'credits = "{self.amount(0, rng.choice([0.1, 0.3, 1]), 12)}" }}'
                for m in rng.sample(MEASURES, rng.randrange(1, 4))) + "]")
        else:
            if shape == "unit":
                out.append(f"quantity = {json.dumps(rng.choice(MEASURES))}")
            out.append(f'credits = "{"0" if rng.random() < 0.12 else self.amount(0, rng.choice([0.2, 0.5, 2]), 12)}"')
        if rng.random() < 0.3:
            out.append(f'minimum = "{rng.choice(["0", "0.01", "0.5", "0.000001"])}"')
        if rng.random() < 0.7:
            out.append(f'rounding = "{rng.choice(["up", "down", "half_up", "half_even"])}"')
        return out

    # ---- JSON text

    def string(self, text):
        """A JSON string, sometimes with needless escapes."""
        if self.rng.random() < 0.9:
            return json.dumps(text, ensure_ascii=self.rng.random() < 0.3)
        parts = []
        for c in text:
            if self.rng.random() < 0.3:
                units = c.encode("utf-16-be")
                for k in range(0, len(units), 2):
                    digits = f"{units[k]:02x}{units[k + 1]:02x}"
                    parts.append("\\u" + (digits.upper() if self.rng.random() < 0.3 else digits))
            else:
                parts.append("\\/" if c == "/" and self.rng.random() < 0.3 else json.dumps(c, ensure_ascii=False)[1:-1])
        return '"' + "".join(parts) + '"'

    def object(self, members):
        """`members` are (key, raw value); white space at random."""
        wide = self.rng.random() < 0.08
        space = (lambda: self.rng.choice(["", " ", "\t", "  ", " \r "])) if wide else (lambda: "")
        inner = ",".join(f"{space()}{self.string(key)}{space()}:{space()}{raw}{space()}" for key, raw in members)
        return "{" + space() + inner + "}"

    def number(self):
        rng, roll = self.rng, self.rng.random()
        if roll < 0.6:
            return str(rng.choice([rng.randrange(0, 3), rng.randrange(0, 8), rng.randrange(0, 30)]))
        if roll < 0.64:
            return str(rng.randrange(0, 3000))
        if roll < 0.76:
            return f"{rng.uniform(0, 6):.{rng.randrange(1, 9)}f}"
        if roll < 0.92:
            return rng.choice(["1E1", "1.5e-2", "2e+1", "0e99999999999999999999", "0.000025E4", "12e-1", "1e-7", "5E-7",
                               "15e-7", "25e-7", "1e-99999999999999999999", "0.0000005", "0.0000015",
                               "2.50000050000000000000000000000000000000000001", "-0", "-0.0", "-0e5", "0"])
        if roll < 0.97:
            return rng.choice(['"7"', "true", "null", "[3]", '{"n":1}', "-0.0000004", '""'])
        return rng.choice(["-1", "-0.000001", "1e12", "1e400", "-1e400", "999999999999.9999995", "999999999999.9999994",
                           "9e11", "999999999", "1e9", "1E3", "1" + "0" * 400, "0." + "0" * 300 + "1", "12345678901",
                           "1e99999999999999999999", "-3E-7", "-7e-7"])

    def data(self):
        rng, members = self.rng, []
        if rng.random() < 0.85:
            members.append(("model", self.string(rng.choice(MODELS))))
        if rng.random() < 0.6:
            members.append(("batch", rng.choice(["true", "false", "true", "false", '"true"', "1", "null"])))
        if rng.random() < 0.3:
            members += [("region", rng.choice(['"eu"', '"us"'])), ("tier", rng.choice(['"a"', '"b"', '"c"']))]
        for name in MEASURES:
            if rng.random() < 0.93:
                members.append((name, self.number()))
        if rng.random() < 0.1:
            members.append((rng.choice(["note", "type", "größe", "data"]), rng.choice(
                ['"x,\\"y\\""', '"\\ud83d\\ude00"', "[[],{}]", '"line\\nbreak"', '"doc.read"', '"😀"'])))
        rng.shuffle(members)
        if members and rng.random() < 0.06:     # of a key given twice the last holds
            members.insert(0, (rng.choice(members)[0], rng.choice(["5", '"big"', "-1", "null"])))
        return self.object(members)

    def envelope(self, **members):
        """Raw values in, a whole event out; a member given as None is left away."""
        rng = self.rng
        order = [(key, raw) for key, raw in members.items() if raw is not None]
        if rng.random() < 0.1:
            rng.shuffle(order)
        if rng.random() < 0.08:
            order.insert(rng.randrange(len(order) + 1), rng.choice([
                ("datacontenttype", '"application/json"'), ("dataschema", "5"), ("traceparent", '"00-ab"'),
                ("data_base64", '"AA=="'), ("Time", '"never"'), ("ext", '{"a":[1e400,{"b":null}]}')]))
        if rng.random() < 0.04:
            order.insert(0, (rng.choice(list(members)), rng.choice(["5", '""', "null", "{}", '"twice"'])))
        return self.object(order)

    def event(self, subject, source, id, kind, raw, time):
        return self.envelope(specversion='"1.0"', id=self.string(id), source=self.string(source),
                             type=self.string(kind), subject=self.string(subject),
                             time=None if time is None else json.dumps(show(time, self.rng)), data=raw)

    def fresh_id(self):
        self.next_id += 1
        return f"e-{self.next_id:06}"

    # ---- what happens at a moment

    def usage_time(self, at, customer=None):
        rng, roll = self.rng, self.rng.random()
        if customer in self.closed_at and rng.random() < 0.5:
            return self.closed_at[customer] + rng.choice([-1, 0, 1, rng.randrange(-2 * DAY, HOUR)])
        past = [h for h in self.hot if h <= at] or [at]
        if roll < 0.5:
            return at
        if roll < 0.65:
            return at - rng.randrange(2 * HOUR)
        if roll < 0.78:
            if customer and rng.random() < 0.5:     # just before the period that this customer is in
                start = dt.datetime.fromisoformat(self.period_start(customer, at, 0))
                return micros(start) - rng.choice([1, rng.randrange(HOUR), rng.randrange(3 * DAY)])
            return past[-1] - rng.randrange(DAY)
        if roll < 0.86:
            return at - rng.randrange(rng.choice([3, 8, 36]) * DAY)
        if roll < 0.89:
            return rng.choice(past) + rng.choice([0, -1, 1])
        if roll < 0.91:
            return at - rng.choice([3, 7, 20, 35]) * DAY + rng.choice([0, -1, 1])
        if roll < 0.95:
            return at + rng.randrange(1, 6 * MINUTE)
        if roll < 0.97:
            return micros(dt.datetime(rng.choice([2031, 2099, 9999]), 1, 1)) + rng.randrange(DAY)
        return None

    def usage(self, at, customer=None, time=None):
        rng = self.rng
        customer = customer or rng.choice(self.customers)
        kind = rng.choice(TYPES + ["llm.chat", "doc.read"]) if rng.random() < 0.97 else rng.choice(["none.such", "Purser.x"])
        raw = None if rng.random() < 0.02 else self.data()
        parts = (customer, rng.choice(["/gw/1", "/gw/2", "urn:é"]), self.fresh_id(), kind, raw,
                 self.usage_time(at, customer) if time is None else time)
        self.history.append(parts)
        self.opened_at.setdefault(customer, (at, None))
        return self.event(*parts)

    def again(self, at):
        rng = self.rng
        if not self.history:
            return self.usage(at)
        recent = self.history[-40:] if rng.random() < 0.7 else self.history
        subject, source, id, kind, raw, time = rng.choice(recent)
        how = rng.choice(["same", "same", "time", "time", "data", "type", "source", "customer"])
        if how == "time":
            time = at if rng.random() < 0.3 else self.usage_time(at)
        elif how == "data":
            raw = rng.choice([None, "{}", "{ }", self.data(), (raw or "{}").replace("{", "{ ", 1)])
        elif how == "type":
            kind = rng.choice(TYPES + ["purser.wallet.granted", "purser.x"])
        elif how == "source":
            source = "/gw/other"
        elif how == "customer":
            subject = rng.choice(self.customers)
        return self.event(subject, source, id, kind, raw, time)

    def command(self, at, early=False):
        rng, roll = self.rng, self.rng.random()
        customer, id = rng.choice(self.customers), self.fresh_id()
        time = at if rng.random() < 0.8 else self.usage_time(at)
        if roll < (0.25 if early else 0.1):
            if self.closed_at and rng.random() < 0.6:
                customer = rng.choice(sorted(self.closed_at))
            return self.open(at, customer, time, id)
        if roll < 0.42:
            kind, members = "purser.wallet.granted", self.grant(at)
            self.granted.append((customer, f"/console/{id}"))
        elif roll < 0.56:
            kind, members = "purser.wallet.plan_changed", self.plan_change()
        elif roll < 0.69:
            kind = "purser.wallet.voided"
            customer, members = self.void(at, customer)
        elif roll < 0.73:
            return self.close(at, customer, id)
        elif roll < 0.96:
            kind = "purser.usage.reversed"
            customer, members = self.reversal(customer)
        else:
            kind = rng.choice(["purser.", "purser.wallet.voided ", "purser.wallet.close", "purser.Usage.reversed",
                               "purser.usage.plan_changed", "purser.wallet.opened ", "purser.wallet.Granted"])
            members = [("plan", '"starter"')]
        return self.told(customer, id, kind, members, time)

    def told(self, customer, id, kind, members, time):
        parts = (customer, "/console", id, kind, self.object(members), time)
        self.history.append(parts)
        return self.event(*parts)

    def open(self, at, customer, time, id):
        members = self.opening(0.05 if customer in self.closed_at else 0.3)
        anchor = dict(members).get("anchor_day", "")
        if customer in self.closed_at or customer not in self.opened_at:
            self.opened_at[customer] = at, int(anchor) if anchor.isdigit() and 0 < int(anchor) < 32 else None
            self.closed_at.pop(customer, None)
        return self.told(customer, id, "purser.wallet.opened", members, time)

    def close(self, at, customer, id):
        """A closing, and what will come around it: late usage, and mostly an opening anew."""
        rng, grace = self.rng, self.rng.choice(self.graces) * HOUR
        self.closed_at[customer] = at
        for _ in range(rng.randrange(0, 4)):
            time = at + rng.choice([-1, -1, 0, 1, rng.randrange(-DAY, HOUR), rng.randrange(-20 * DAY, 0)])
            received = at + rng.choice([0, 1, grace - 1, grace, grace + 1, rng.randrange(grace + 2 * HOUR)])
            self.then(max(received, time), lambda when, time=time: self.usage(when, customer, time))
        if rng.random() < 0.3:
            self.then(at + rng.randrange(grace + HOUR), lambda when: self.told(customer, self.fresh_id(), rng.choice(
                ["purser.wallet.closed", "purser.wallet.granted"]), self.grant(when), when))
        if rng.random() < 0.85:
            again = at + grace + rng.choice([-1, 0, 1, HOUR, rng.randrange(HOUR), rng.randrange(6 * DAY)])
            for _ in range(rng.choice([1, 1, 2])):
                self.then(again, lambda when: self.open(when, customer, when, self.fresh_id()))
                again += rng.randrange(3 * DAY)
        return self.told(customer, id, "purser.wallet.closed", rng.choice([[], [], [("why", '"moved"')]]), at)

    def then(self, time, line):
        heapq.heappush(self.later, (time, self.next_id, len(self.later), line))

    def plan_change(self):
        rng = self.rng
        members = [("plan", self.string(rng.choice(self.plans))), ("at", rng.choice(['"now"', '"next_period"']))]
        if rng.random() < 0.12:
            members = rng.choice([
                [], members[:1], members[1:], [("plan", '"no such plan"'), members[1]], [("plan", "null"), members[1]],
                [members[0], ("at", '"later"')], [members[0], ("at", "null")], [members[0], ("at", '""')]])
        return members

    def period_start(self, customer, at, back):
        """The day on which the customer's period began, `back` periods ago, as a text."""
        since, anchor = self.opened_at.get(customer, (self.base, None))
        day = EPOCH + dt.timedelta(microseconds=since - since % DAY)
        starts, anchor = [day], anchor or day.day
        year, month = day.year, day.month
        while (starts[-1] - EPOCH) // dt.timedelta(microseconds=1) <= at:
            start = dt.datetime(year, month, min(anchor, calendar.monthrange(year, month)[1]))
            if start > day:
                starts.append(start)
            year, month = year + month // 12, month % 12 + 1
        return show(micros(starts[max(0, len(starts) - 2 - back)]))[:10]

    def void(self, at, customer):
        rng, roll = self.rng, self.rng.random()
        if roll < 0.6 and self.opened_at:
            customer = rng.choice(sorted(self.opened_at))
        if roll < 0.3:
            id = f"pool/{self.period_start(customer, at, rng.choice([0, 0, 1, 1, 2]))}"
        elif roll < 0.6:
            id = f"rollover/{self.period_start(customer, at, rng.choice([1, 1, 1, 1, 2, 0]))}"
        elif roll < 0.88 and self.granted:
            customer, id = rng.choice(self.granted[-8:] if rng.random() < 0.6 else self.granted)
        elif roll < 0.94 and self.voided:
            customer, id = rng.choice(self.voided)
        else:
            return customer, rng.choice([
                [], [("grant", "5")], [("grant", "null")], [("grant", '"no/such"')], [("grant", '"pool/"')],
                [("grant", '"pool/2025-02-30"')], [("grant", '"/console"')]])
        self.voided.append((customer, id))
        return customer, [("grant", self.string(id))]

    def reversal(self, customer):
        rng, roll = self.rng, self.rng.random()
        usages = [parts for parts in self.history if not parts[3].startswith("purser.")]
        if roll < 0.08 and self.reversals:
            customer, source, id = rng.choice(self.reversals)
        elif roll < 0.13:       # what is no usage: a command, perhaps a reversal itself
            told = [parts for parts in self.history if parts[3].startswith("purser.")]
            customer, source, id = rng.choice(told)[:3] if told else (customer, "/console", "none")
        elif roll < 0.18 or not usages:
            source, id = rng.choice([("/gw/1", "e-999999"), ("/none", "e-000009"), ("/gw/2", "e-000010")])
        else:
            first, source, id = rng.choice(rng.choice([usages[-10:], usages[-60:], usages[-60:], usages]))[:3]
            customer = first if rng.random() < 0.97 else customer
        self.reversals.append((customer, source, id))
        members = {"source": self.string(source), "id": self.string(id),
                   "reason": self.string(rng.choice(["wrong model", "refund, \"as agreed\"", "é", "x" * 256]))}
        if rng.random() < 0.1:
            members[rng.choice(list(members))] = rng.choice([None, None, "5", "null", '""'])
        elif rng.random() < 0.03:
            members["reason"] = json.dumps(rng.choice(["x" * 257, "é" * 129, "é" * 128]))
        return customer, [(key, raw) for key, raw in members.items() if raw is not None]

    def opening(self, faulty=0.3):
        rng = self.rng
        members = [("plan", self.string(rng.choice(self.plans)))]
        if rng.random() < 0.6:
            members.append(("anchor_day", str(rng.choice(self.anchors))))
        if rng.random() < faulty:
            members = rng.choice([
                [], [("plan", '"no such plan"')], [("plan", "5")], members[:1] + [("anchor_day", "0")],
                members[:1] + [("anchor_day", "32")], members[:1] + [("anchor_day", '"5"')],
                members[:1] + [("anchor_day", "1.5")], members[:1] + [("anchor_day", "-1")]])
        return members

    def grant(self, at):
        rng = self.rng
        credits = rng.choice([f"{rng.uniform(0.1, 40):.{rng.randrange(0, 7)}f}", str(rng.randrange(1, 60))])
        members = {"credits": rng.choice([credits, f'"{credits}"']),
                   "basis": rng.choice(['"purchased"', '"promotional"'])}
        if rng.random() < 0.35:
            members["priority"] = str(rng.choice([0, 50, 90, 99, 100, 100, 101, 200, 300, -5]))
        start = at
        if rng.random() < 0.4:
            start = rng.choice([at - rng.randrange(20 * DAY), at + rng.randrange(10 * DAY), self.near(at), at + HOUR])
            members["effective_at"] = json.dumps(show(start, rng))
        if rng.random() < 0.6:
            ends = rng.choice([at + rng.randrange(40 * DAY), self.near(at), at + rng.randrange(2 * DAY),
                               start + rng.choice([0, 1, -DAY]), self.near(start) + DAY])
            members["expires_at"] = json.dumps(show(ends, rng))
        if rng.random() < 0.5:
            money = rng.choice(["10.00", "0", "0.123456789", "5"])
            members["price"] = rng.choice([money, f'"{money}"'])
            members["currency"] = rng.choice(['"USD"', '"EUR"'])
        if rng.random() < 0.2:
            key, raw = rng.choice([
                ("credits", "0"), ("credits", "-1"), ("credits", '"abc"'), ("credits", "1.0000001"),
                ("credits", '"1.0000001"'), ("credits", "null"), ("credits", "1e12"), ("credits", "1e400"),
                ("credits", "true"), ("credits", '"-3"'), ("credits", '"1e3"'), ("basis", '"gift"'), ("basis", "5"),
                ("priority", '"1"'), ("priority", "1.5"), ("priority", "1e30"), ("effective_at", '"soon"'),
                ("effective_at", "5"), ("expires_at", '"2026-02-30T00:00:00Z"'), ("price", '"-1"'), ("price", "-1"),
                ("price", '"1.0000000001"'), ("currency", "5"), ("credits", None), ("basis", None)])
            members[key] = raw
        return [(key, raw) for key, raw in members.items() if raw is not None]

    def near(self, at):
        return min(self.hot, key=lambda h: (h <= at, abs(h - at)))

    # ---- lines that are wrong, or look so

    def broken(self, at):
        rng = self.rng
        subject = rng.choice(self.customers)
        raw = {"specversion": '"1.0"', "id": self.string(self.fresh_id()), "source": '"/gw/1"',
               "type": self.string(rng.choice(TYPES)), "subject": self.string(subject),
               "time": json.dumps(show(at)), "data": self.data()}
        whole = self.envelope(**raw).encode()
        how = rng.choice(["bytes", "bytes", "member", "member", "time", "name", "value", "value", "blank", "deep"])
        if how == "bytes":
            cut = rng.randrange(1, len(whole))
            return rng.choice([
                b"not json", b"{", b"[]", b"[" + whole + b"]", b"null", b"5", b'"text"', b"{}", whole + b"x", whole + whole,
                whole[:cut], whole[:cut], whole[cut:], whole[:cut] + b"\xff" + whole[cut:], b"\xef\xbb\xbf" + whole,
                whole[:-1] + b',"x":"\xed\xa0\x80"}', whole[:-1] + b',"x":"\xc0\x80"}', whole[:-1] + b",}",
                whole.replace(b":", b"=", 1), whole.replace(b'"', b"'"), b"\x00" * 5, b"\x0b", b"\xc2\xa0",
                whole[:cut] + b"\x00" + whole[cut:], b"// " + whole, whole.replace(b"1.0", b"1.0\t", 1)])
        if how == "member":
            key = rng.choice(list(raw))
            raw[key] = rng.choice([None, None, "null", '""', "5", "true", "[]", "{}", json.dumps("y" * 256),
                                   json.dumps("y" * 257), json.dumps("é" * 128), json.dumps("é" * 128 + "y"),
                                   '"1.1"', "1.0", '"' + "\\u00e9" * 128 + '"'])
        elif how == "time":
            day = show(at)[:10]
            raw["time"] = rng.choice([
                f'"{day}"', f'"{day}T10:00:00"', f'"{day} 10:00:00Z"', f'"{day}T10:00Z"', f'"{day}T23:59:60Z"',
                f'"{day}T24:00:00Z"', f'"{day}T10:60:00Z"', '"2025-02-30T00:00:00Z"', '"2025-02-29T00:00:00Z"',
                '"2025-13-01T00:00:00Z"', f'"{day}T10:00:00+24:00"', f'"{day}T10:00:00+01:60"',
                f'"{day}T10:00:00+0100"', f'"{day}T10:00:00+1:00"', f'"{day}T10:00:00.Z"', f'"{day}T10:00:00,5Z"',
                '"0001-01-01T00:00:00Z"', '"1969-12-31T23:59:59.9999999Z"', f'" {day}T10:00:00Z"',
                f'"{day}T10:00:00ZZ"', f'"{day}T١٠:00:00Z"', f'"{day}t10:00:00z"', f'"{day}T10:00:00.1234567890123z"',
                f'"{day}T10:00:00Z\\u0000"', f'"{day}T1\\u0030:00:00Z"', "1700000000"])
        elif how == "name":
            raw["subject"] = json.dumps(rng.choice(BAD_NAMES))
            if rng.random() < 0.3:
                raw["type"] = '"purser.wallet.opened"'
        elif how == "value":
            raw[rng.choice(["data", "ext", "data"])] = rng.choice([
                '{"docs":NaN}', '{"docs":Infinity}', '{"docs":-Infinity}', '{"docs":01}', '{"docs":+1}', '{"docs":1.}',
                '{"docs":.5}', '{"docs":1e}', '{"docs":0x10}', '{"docs":-}', '{"docs":1e400}', '{"docs":-1}',
                '{"note":"\\ud800"}', '{"note":"\\udc00"}', '{"note":"\\ud800\\ud800"}', '{"\\udfff":1}',
                '{"note":"\\ud800","note":"fine"}', '{"note":"\\ud83d\\ude00"}', '{"note":"\\ud83dx"}', '{"note":"\t"}',
                '{"note":"\\x41"}', '{"note":"\\u12g4"}', '{"note":"\x7f"}', '{"docs":1,}', '{docs:1}', "{'docs':1}",
                '{"docs" 1}', '{"docs":tru}', '{"docs":True}', '{"docs":1 2}', '{"note":"\\u0000"}', "[1]", "[1,]", '"s"'])
        elif how == "blank":
            return rng.choice([b"", b" ", b"\t \t", b" \r", b"\r\r", b"", b"  \t\r"])
        else:
            depth = rng.choice([98, 99, 100, 101, 500])     # the outermost object is one more
            key = rng.choice(["ext", "data"])
            nest = "[" * depth + "]" * depth if key == "ext" else '{"n":' * depth + "0" + "}" * depth
            raw[key] = nest
        return self.envelope(**raw).encode()

    def giant(self, at):
        """Bodies around the 64 KiB cut, and rarely a line around 8 MiB."""
        rng = self.rng
        size = rng.choice([65535, 65536, 65537, 65538, 70001])
        if rng.random() < 0.05:
            size = rng.choice([8 << 20, (8 << 20) + 1])
        start = b'{"note":"'
        filler = rng.choice(["x", "é", "日", "😀"]).encode()
        body = (start + filler * size)[:size]
        if rng.random() < 0.3:
            body = rng.choice([b" " * size, body[:-1] + b"\xff", b'{"a":1}' + b" " * (size - 7)])
        return body

    def moments(self, count):
        rng, out = self.rng, []
        for _ in range(count):
            if rng.random() < 0.45:
                at = rng.randrange(self.base, self.end)
            else:
                at = rng.choice(self.hot) + rng.choice([0, rng.choice(self.graces) * HOUR]) + rng.choice(
                    [0, -1, 1, rng.randrange(-3 * HOUR, 3 * HOUR), rng.randrange(-10 * MINUTE, 10 * MINUTE),
                     rng.randrange(0, DAY)])
            if rng.random() < 0.5:
                at -= at % rng.choice([1000, SECOND])
            out.append(min(max(at, self.base), self.end))
        out.sort()
        if self.near_wall:      # the last of them are ahead of a now that cannot follow
            tail = max(1, count // 8)
            out[-tail:] = [self.end + rng.randrange(-10 * MINUTE, 20 * MINUTE) for _ in range(tail)]
        return out

    def lines(self):
        rng = self.rng
        if rng.random() < 0.1:      # a very long sleep: more timers than one message may fire
            old = self.base - rng.choice([5, 22]) * 365 * DAY
            for n, customer in enumerate(self.customers):
                yield self.event(customer, "/console", self.fresh_id(), "purser.wallet.opened",
                                 self.object(self.opening()), old + n * HOUR).encode()
        if rng.random() < 0.3:
            yield self.event(self.customers[0], "/gw/1", self.fresh_id(), "ping", "{}", None).encode()
        for customer in self.customers[:len(self.customers) // 3]:
            yield self.open(self.base, customer, self.base, self.fresh_id()).encode()
        opening = int(self.count * 0.1)
        for n, at in enumerate(self.moments(self.count)):
            while self.later and self.later[0][0] <= at:
                when, _, _, line = heapq.heappop(self.later)
                yield line(when).encode()
            roll = rng.random()
            if roll < 0.09:
                yield self.broken(at)
            elif roll < 0.092:
                yield self.giant(at)
            elif roll < 0.18:
                yield self.again(at).encode()
            elif roll < (0.42 if n < opening else 0.34):
                yield self.command(at, n < opening).encode()
            else:
                yield self.usage(at).encode()

    def blob(self):
        rng = self.rng
        crlf = 1.0 if rng.random() < 0.1 else 0.05
        out = b"".join(line + (b"\r\n" if rng.random() < crlf else b"\n") for line in self.lines())
        end = rng.random()
        if end < 0.15:
            return out[:-1]
        return out[:-rng.randrange(2, 60)] if end < 0.3 else out


def main():
    args = argparse.ArgumentParser(description="random events and price tables, by seed")
    args.add_argument("--seed", type=int, required=True)
    args.add_argument("--out", type=pathlib.Path, required=True)
    args.add_argument("--events", type=int, default=1000)
    args = args.parse_args()
    maker = Maker(args.seed, args.events)
    (args.out / "prices").mkdir(parents=True, exist_ok=True)
    for old in (args.out / "prices").glob("*.toml"):
        old.unlink()
    for n, table in enumerate(maker.tables, 1):
        (args.out / "prices" / f"v{n}.toml").write_text(table, "utf-8")
    (args.out / "wall.txt").write_text(maker.wall + "\n")
    (args.out / "events.ndjson").write_bytes(maker.blob())


if __name__ == "__main__":
    main()
