//! Every kind of broken line, and a few that only look broken.
//!
//! Owns the lines and what becomes of each. Leaves running them to `broken`.

use crate::purser::usage;

/// What becomes of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// One row of the kind `usage`.
    Charged,
    /// One row of this other kind.
    Kind(&'static str),
    /// One row of the kind `rejected`, with this reason.
    Rejected(&'static str),
}

use Fate::{Charged, Kind, Rejected};

const MIB: usize = 1 << 20;
const TIME: &str = "2026-03-05T10:00:00Z";

/// The lines in order, each with a name for the failure that it may show.
pub(crate) struct Lines {
    pub(crate) lines: Vec<(String, Vec<u8>, Fate)>,
}

/// All of them. The last one is a half line without an end.
pub(crate) fn broken_lines() -> Lines {
    let mut lines = Lines { lines: Vec::new() };
    lines.add("opens the wallet", event("first"), Charged);
    lines.texts();
    lines.members();
    lines.times();
    lines.customers();
    lines.measures();
    lines.nesting();
    lines.sizes();
    lines.events();
    let half = event("half");
    lines.add("half", &half[..half.len() / 2], Rejected("malformed"));
    lines
}

fn event(id: &str) -> String {
    usage(id, "acme", "05T10:00:00Z")
}

/// The event with one piece replaced; the piece must be there.
fn with(id: &str, piece: &str, other: &str) -> String {
    let event = event(id);
    assert!(event.contains(piece), "{piece} in {event}");
    event.replacen(piece, other, 1)
}

impl Lines {
    fn add(&mut self, name: &str, line: impl AsRef<[u8]>, fate: Fate) {
        let line = line.as_ref().to_vec();
        self.lines.push((name.to_owned(), line, fate));
    }

    /// What is no JSON, no UTF-8, or nothing at all.
    fn texts(&mut self) {
        for (name, line, reason) in [
            ("blank", "", "empty"),
            ("spaces", "  \t ", "empty"),
            ("CR alone", "\r", "empty"),
            ("CRs", " \r \r", "empty"),
            ("no JSON", "not json, no", "malformed"),
            ("form feed is no JSON space", "\u{c}", "malformed"),
            ("number", "7", "malformed"),
            ("null", "null", "malformed"),
            ("string", "\"text\"", "malformed"),
            ("array: a line is one event", "[]", "malformed"),
            ("NULs", "\0\0\0\0", "malformed"),
            ("open brace", "{", "malformed"),
            ("empty object", "{}", "malformed"),
            ("unquoted", "{id: 1}", "malformed"),
        ] {
            self.add(name, line, Rejected(reason));
        }
        let good = event("text");
        for (name, line) in [
            ("after a BOM", format!("\u{feff}{good}")),
            ("two on a line", format!("{good}{good}")),
            ("trailing comma", good.replace("}}", "},}")),
            ("NUL in a string", with("text", "acme", "ac\0me")),
            ("tab in a string", with("text", "acme", "ac\tme")),
            ("bad escape", with("text", "acme", "ac\\xme")),
            ("surrogate in id", with("te\\ud800xt", "acme", "acme")),
            (
                "surrogate alone in data",
                with("t", "2,", "2,\"x\":\"\\udc00\","),
            ),
            (
                "surrogate in another member",
                with("t", "{", "{\"x\":\"\\ud800\","),
            ),
            (
                "surrogates the wrong way",
                with("\\udc00\\ud800", "acme", "acme"),
            ),
        ] {
            self.add(name, line, Rejected("malformed"));
        }
        let mut latin = event("latin").into_bytes();
        latin[30] = 0xe9;
        self.add("Latin-1", latin, Rejected("malformed"));
        self.add("overlong UTF-8", b"\xc0\xaf", Rejected("malformed"));
        self.add("bytes", b"\xff\xfe\0\x01", Rejected("malformed"));
        self.add(
            "cut character",
            b"{\"id\":\"\xe2\x82",
            Rejected("malformed"),
        );
        self.add("CRLF", event("crlf") + "\r", Charged);
        self.add("two CRs", event("crcr") + "\r\r", Charged);
        self.add("spaces around", format!(" \t{} ", event("spaces")), Charged);
        self.add("pair of surrogates", event("\\ud83d\\ude00"), Charged);
        self.add(
            "escapes in names",
            with("esc", "\"id\"", "\"\\u0069d\""),
            Charged,
        );
    }

    /// Members that are missing, or not what they must be.
    fn members(&mut self) {
        let long = "x".repeat(257);
        for (name, piece, other) in [
            ("no specversion", "\"specversion\":\"1.0\",", ""),
            ("specversion 2", "\"1.0\"", "\"2.0\""),
            ("specversion is a number", "\"1.0\"", "1.0"),
            ("no id", "\"id\":\"bad\",", ""),
            ("id is a number", "\"bad\"", "7"),
            ("id is null", "\"bad\"", "null"),
            ("empty id", "\"bad\"", "\"\""),
            ("over-long id", "bad", &long),
            ("no source", "\"source\":\"/gateway\",", ""),
            ("empty source", "/gateway", ""),
            ("source is a list", "\"/gateway\"", "[\"/gateway\"]"),
            ("over-long source", "/gateway", &long),
            ("no type", "\"type\":\"document.analyzed\",", ""),
            ("over-long type", "document.analyzed", &long),
            ("no subject", "\"subject\":\"acme\",", ""),
            ("data is null", "{\"documents\":2,\"tokens\":700}", "null"),
            ("data is a list", "{\"documents\":2,\"tokens\":700}", "[1]"),
            (
                "data is a string",
                "{\"documents\":2,\"tokens\":700}",
                "\"{}\"",
            ),
            (
                "the last id holds, and it is bad",
                "\"id\":\"bad\"",
                "\"id\":\"a\",\"id\":7",
            ),
        ] {
            self.add(name, with("bad", piece, other), Rejected("malformed"));
        }
        let data = ",\"data\":{\"documents\":2,\"tokens\":700}";
        self.add("no data", with("nodata", data, ""), Rejected("bad_measure"));
        self.add("longest id", event(&"x".repeat(256)), Charged);
        let twice = "\"subject\":\".\",\"subject\":\"acme\"";
        self.add(
            "the last subject holds",
            with("twice", "\"subject\":\"acme\"", twice),
            Charged,
        );
        let more = "{\"dataschema\":\"x\",\"ext\":[{}],";
        self.add(
            "members that we don't know",
            with("more", "{", more),
            Charged,
        );
    }

    fn times(&mut self) {
        for time in [
            "\"\"",
            "\"yesterday\"",
            "\"2026-03-05\"",
            "\"2026-03-05T10:00:00\"",
            "\"2026-03-05 10:00\"",
            "\"2026-03-05T10:00:60Z\"",
            "\"2026-03-05T24:00:00Z\"",
            "\"2026-02-29T10:00:00Z\"",
            "\"2026-13-05T10:00:00Z\"",
            "\"2026-03-05T10:00:00+24:00\"",
            "\"2026-03-05T10:00:00.Z\"",
            "\" 2026-03-05T10:00:00Z\"",
            "\"12026-03-05T10:00:00Z\"",
            "1772704800",
            "null",
        ] {
            let line = with("time", &format!("\"{TIME}\""), time);
            self.add(&format!("time {time}"), line, Rejected("malformed"));
        }
        for (id, time) in [
            ("lower", "2026-03-05t10:00:00z"),
            ("offset", "2026-03-05T12:00:00+02:00"),
            ("digits", "2026-03-05T10:00:00.123456789123456789Z"),
        ] {
            self.add(&format!("time {time}"), with(id, TIME, time), Charged);
        }
        self.add(
            "no time",
            with("notime", &format!("\"time\":\"{TIME}\","), ""),
            Charged,
        );
        let future = with("future", TIME, "9999-12-31T23:59:59Z");
        self.add("far ahead", future, Rejected("in_future"));
        let past = with("past", TIME, "0001-01-01T00:00:00Z");
        self.add("long ago", past, Rejected("too_old"));
        let past = with("past", TIME, "2026-01-29T09:59:59Z");
        self.add("35 days and a little", past, Rejected("too_old"));
    }

    fn customers(&mut self) {
        let long = format!("\"{}\"", "x".repeat(129));
        for subject in [
            "\"\"",
            "\"a b\"",
            "\"a.b\"",
            "\"*\"",
            "\"a>\"",
            "\"a\\u0001\"",
            "\"\\u0000\"",
            "\"a\u{3000}\"",
            "\"a\\u0085\"",
            "7",
            "null",
            "[]",
            &long,
        ] {
            let line = with("who", "\"acme\"", subject);
            self.add(
                &format!("subject {subject}"),
                line,
                Rejected("bad_customer"),
            );
        }
    }

    fn measures(&mut self) {
        let digits = "9".repeat(400);
        for value in [
            "1e400",
            "1E400",
            "1e999999999999999999999",
            &digits,
            "-5",
            "-0.000001",
            "-1e400",
            "1000000000000",
            "999999999999.9999995",
            "null",
            "true",
            "\"2\"",
            "[2]",
            "{}",
        ] {
            let line = with("measure", ":2,", &format!(":{value},"));
            self.add(&format!("measure {value}"), line, Rejected("bad_measure"));
        }
        for value in [
            "01", "+1", ".5", "1.", "1e", "0x10", "NaN", "Infinity", "-", "--1", "1_0",
        ] {
            let line = with("measure", ":2,", &format!(":{value},"));
            self.add(&format!("number {value}"), line, Rejected("malformed"));
        }
        for (id, value) in [
            ("zero", "-0"),
            ("zeros", "-0.0e7"),
            ("tiny", "1e-400"),
            ("exponent", "1E1"),
        ] {
            let line = with(id, ":2,", &format!(":{value},"));
            self.add(&format!("measure {value}"), line, Charged);
        }
        let line = with("over", ":2,", ":999999999999.999999,");
        self.add("too dear", line, Rejected("overflow"));
        let line = with("huge", ":2,", ":2,\"other\":1e400,");
        self.add("huge, and of no concern", line, Charged);
        let line = with("cost", ":700", ":1e400");
        self.add("huge measure of a cost", line, Rejected("bad_measure"));
    }

    fn nesting(&mut self) {
        // The event and its `data` are two of the hundred levels.
        for (levels, fate) in [(98, Charged), (99, Rejected("malformed"))] {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            let line = with("deep", ":2,", &format!(":2,\"x\":{open}{close},"));
            self.add(&format!("{levels} levels"), line, fate);
        }
        let line = with("deep", ":2,", &format!(":2,\"x\":{},", "[".repeat(MIB)));
        self.add("a million levels", line, Rejected("malformed"));
        self.add(
            "objects all the way",
            "{\"a\":".repeat(MIB / 5),
            Rejected("malformed"),
        );
    }

    fn sizes(&mut self) {
        let long = "é".repeat(MIB / 2);
        let wide = with("wide", ":2,", &format!(":2,\"x\":\"{long}\","));
        self.add("1 MiB in data", wide, Charged);
        self.add("1 MiB in id", event(&long), Rejected("malformed"));
        let line = with("wide", "acme", &long);
        self.add("1 MiB in subject", line, Rejected("bad_customer"));
        let line = with("name", "{", &format!("{{\"{long}\":1,"));
        self.add("1 MiB in a name", line, Charged);
        let nine = "x".repeat(9 * MIB);
        let line = with("nine", ":2,", &format!(":2,\"x\":\"{nine}\","));
        self.add("9 MiB", line, Rejected("malformed"));
        self.add("9 MiB of bytes", vec![0xff; 9 * MIB], Rejected("malformed"));
        let fill = 8 * MIB - event("eight").len() - ",\"x\":\"\"".len();
        let eight = "x".repeat(fill);
        let whole = with("eight", ":2,", &format!(":2,\"x\":\"{eight}\","));
        self.add("exactly 8 MiB", &whole, Charged);
        self.add("8 MiB and one", whole + " ", Rejected("malformed"));
    }

    /// What is an event or a command, but none that can be done.
    fn events(&mut self) {
        self.add("again", event("first"), Kind("duplicate"));
        let later = with("first", TIME, "2026-03-05T10:00:01Z");
        self.add("again, at another time", later, Kind("duplicate"));
        self.add(
            "again, with other data",
            with("first", ":2,", ":3,"),
            Kind("conflict"),
        );
        let line = with("unpriced", "document.analyzed", "nobody.prices.this");
        self.add("no price", line, Rejected("no_price"));
        let command = |name: &str, data: &str| {
            let line = with(name, "document.analyzed", &format!("purser.{name}"));
            line.replacen("{\"documents\":2,\"tokens\":700}", data, 1)
        };
        let plan = "{\"plan\":\"starter\"}";
        for (name, data, reason) in [
            ("wallet.shredded", "{}", "unknown_command"),
            ("wallet.opened", "{}", "bad_command"),
            ("wallet.opened", "{\"plan\":\"none\"}", "bad_command"),
            ("wallet.opened", plan, "already_open"),
            (
                "wallet.granted",
                "{\"credits\":-1,\"basis\":\"purchased\"}",
                "bad_command",
            ),
            (
                "wallet.granted",
                "{\"credits\":1e400,\"basis\":\"purchased\"}",
                "bad_command",
            ),
        ] {
            self.add(
                &format!("{name} {data}"),
                command(name, data),
                Rejected(reason),
            );
        }
        let data = "{\"credits\":\"1\",\"basis\":\"purchased\"}";
        let line = command("wallet.granted", data).replace("acme", "nobody");
        self.add("a grant for nobody", line, Rejected("unknown_wallet"));
    }
}
