//! The file of webhooks: what it may say, and what is told of each fault.

use super::*;

const GOOD: &str = r#"
[[webhook]]
name = "crm"
url = "https://crm.example.com/hooks"
secret_env = "CRM_SECRET"
kinds = ["used", "run_out"]
customers = ["acme", "ünï"]
timeout_seconds = 5

[[webhook]]
name = "sales"
format = "slack"
url_file = "slack-url"
"#;

#[test]
fn a_file_is_read_in_its_order() {
    let entries = parse(GOOD).unwrap();
    let [crm, sales] = &entries[..] else {
        panic!("{} webhooks", entries.len());
    };
    assert_eq!((crm.name.as_str(), crm.format), ("crm", Format::Standard));
    assert_eq!(crm.address.line, 4);
    assert!(crm.address.value == Source::Text("https://crm.example.com/hooks".to_owned()));
    let secret = crm.secret.as_ref().unwrap();
    assert_eq!(secret.line, 5);
    assert!(secret.value == Source::Variable("CRM_SECRET".to_owned()));
    assert_eq!((crm.kinds.line, crm.customers.line), (6, 7));
    assert_eq!(crm.kinds.value, ["used", "run_out"]);
    assert_eq!(crm.customers.value, ["acme", "ünï"]);
    assert_eq!(crm.timeout, Duration::from_secs(5));
    assert_eq!((sales.format, sales.timeout), (Format::Slack, TIMEOUT));
    assert!(sales.address.value == Source::File(PathBuf::from("slack-url")));
    assert!(sales.secret.is_none() && sales.kinds.value.is_empty());
}

/// Rows of `what is added to a good webhook => line: words of the only fault`.
#[test]
fn every_fault_is_told_with_its_line_and_what_to_write() {
    for (added, line, words) in [
        (
            "colour = 1",
            5,
            "`colour` is no key of a webhook; it may have name, url",
        ),
        (
            "secret = \"whsec_x\"",
            5,
            "a secret does not stand in this file; write secret_env",
        ),
        ("secret_file = \"x\"", 5, "the secret is given twice"),
        ("url_env = \"x\"", 5, "the url is given twice"),
        (
            "format = \"xml\"",
            5,
            "`format` must be \"standard\" or \"slack\"",
        ),
        ("format = 1", 5, "`format` must be a string"),
        (
            "kinds = []",
            5,
            "`kinds` must be a list of strings that is not empty",
        ),
        (
            "kinds = \"used\"",
            5,
            "write e.g. kinds = [\"used\", \"run_out\"], or nothing for all",
        ),
        (
            "customers = [1]",
            5,
            "`customers` must be a list of strings",
        ),
        ("timeout_seconds = 0", 5, "an integer from 1 to 300"),
        ("timeout_seconds = 301", 5, "an integer from 1 to 300"),
        ("timeout_seconds = 1.5", 5, "an integer from 1 to 300"),
        (
            "[other]",
            5,
            "`other` is no key of this file; write [[webhook]]",
        ),
    ] {
        check(&format!("{START}{added}\n"), line, words);
    }
}

const START: &str = "[[webhook]]\nname = \"crm\"\nurl = \"https://h/TOKEN\"\nsecret_env = \"S\"\n";

#[test]
fn what_is_missing_or_wrong_in_a_whole_file_is_told() {
    for (text, line, words) in [
        ("", 1, "no webhook is named; write [[webhook]]"),
        ("webhook = 1", 1, "no webhook is named"),
        (
            "[webhook]\nname = \"crm\"",
            1,
            "no webhook is named; write [[webhook]]",
        ),
        ("webhook = ?", 1, "this is not TOML"),
        (
            "[[webhook]]\nname = \"a\"\nname = \"b\"\n",
            3,
            "this is not TOML",
        ),
        (
            "\n[[webhook]]\nurl = \"https://h\"\nsecret_env = \"S\"",
            2,
            "`name` is missing from this webhook; write e.g. name = \"crm\"",
        ),
        (
            "[[webhook]]\nname = \"crm\"\nsecret_env = \"S\"",
            1,
            "`url` is missing",
        ),
        (
            "[[webhook]]\nname = \"crm\"\nurl = \"https://h\"",
            1,
            "`secret_env` is missing from this webhook; write e.g. secret_env = \"CRM_SECRET\", or format = \"slack\"",
        ),
        (
            "[[webhook]]\nname = \"c.m\"\nurl = \"https://h\"\nsecret_env = \"S\"",
            2,
            "`name` must be 1 to 64 letters",
        ),
        (
            "[[webhook]]\nname = 1\nurl = \"https://h\"\nsecret_env = \"S\"",
            2,
            "`name` must be a string",
        ),
        (
            "[[webhook]]\nname = \"crm\"\nurl_env = \"https://h/TOKEN\"\nsecret_env = \"S\"",
            3,
            "`url_env` must be the NAME of an environment variable; write e.g. url_env = \"SLACK_URL\"",
        ),
        (
            "[[webhook]]\nname = \"crm\"\nurl_file = \"https://h/TOKEN\"\nsecret_env = \"S\"",
            3,
            "`url_file` must be the PATH of a file; write e.g. url_file = \"/run/secrets/slack-url\"",
        ),
        (
            "[[webhook]]\nname = \"crm\"\nurl = \"https://h\"\nsecret_env = \"whsec_TOKEN\"",
            4,
            "`secret_env` must be the NAME of an environment variable",
        ),
        (
            "[[webhook]]\nname = \"crm\"\nurl = \"https://h\"\nsecret_env = \"TOKEN+/=\"",
            4,
            "`secret_env` must be the NAME of an environment variable",
        ),
        (
            "[[webhook]]\nname = \"crm\"\nurl = \"https://h\"\nsecret_file = \"whsec_TOKEN\"",
            4,
            "`secret_file` must be the PATH of a file; write e.g. secret_file = \"/run/secrets/crm\"",
        ),
        (
            "[[webhook]]\nname = \"crm\"\nurl = 1\nsecret_env = \"S\"",
            3,
            "`url` must be a string",
        ),
    ] {
        check(text, line, words);
    }
    let twice = format!("{START}\n{START}");
    check(&twice, 7, "`crm` is the name of the webhook on line 2 too");
}

/// That a text has one fault, on this line and with these words, and without any address.
fn check(text: &str, line: usize, words: &str) {
    let Err(faults) = parse(text) else {
        panic!("no fault in {text}");
    };
    assert!(
        matches!(&faults[..], [(at, told)] if *at == line && told.contains(words)),
        "{text}: {faults:?}"
    );
    assert!(faults.iter().all(|(_, told)| !told.contains("TOKEN")));
}

#[test]
fn names_are_parts_of_subjects() {
    let (longest, too_long) = ("x".repeat(64), "x".repeat(65));
    for good in ["a", "crm-2", "A_b", longest.as_str()] {
        assert!(is_name(good), "{good}");
    }
    for bad in ["", "a.b", "a b", "ä", "*", ">", "a/b", too_long.as_str()] {
        assert!(!is_name(bad), "{bad}");
    }
}
