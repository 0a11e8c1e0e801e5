//! What is refused before anything is sent, and secrets that show nowhere.

use std::process::Command;
use std::time::Duration;

use crate::nats::free_port;
use crate::webhook::{Reply, Webhook};
use crate::world::{SECRET, World, bare};

/// A command that must end with 2; gives what it said.
fn refused(mut command: Command) -> String {
    let output = command.output().expect("a run");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(output.stdout.is_empty(), "{:?}", output.stdout);
    told
}

fn told_of(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = bare(&[&["notify"][..], arguments].concat());
    command.envs(variables.iter().copied());
    refused(command)
}

/// Arguments, variables, and words of the refusal.
type Refused<'a> = (Vec<&'a str>, &'a [(&'a str, &'a str)], &'a str);

#[test]
fn flags_that_can_not_be_are_refused_with_what_to_write() {
    let secret = ("PURSER_WEBHOOK_SECRET", SECRET);
    let file = ("PURSER_WEBHOOK_SECRET_FILE", "/nowhere/secret");
    let no_file = ("PURSER_WEBHOOK_SECRET_FILE", "whsec_hunter2");
    let kinds = ("PURSER_NOTIFY_KIND", "used,use");
    let to = ["--to", "https://h/T0KEN"];
    let with = |more: &[&'static str]| [&to[..], more].concat();
    let rows: [Refused<'_>; 16] = [
        (vec![], &[], "give --to URL, --to stdout or --config FILE"),
        (
            with(&[]),
            &[],
            "set PURSER_WEBHOOK_SECRET, or PURSER_WEBHOOK_SECRET_FILE",
        ),
        (with(&[]), &[secret, file], "are both set"),
        (with(&[]), &[file], "read /nowhere/secret"),
        (
            with(&[]),
            &[no_file],
            "PURSER_WEBHOOK_SECRET_FILE must be the PATH of a file",
        ),
        (
            with(&["--kind", "used,use"]),
            &[secret],
            "\"use\" is no kind",
        ),
        (with(&[]), &[secret, kinds], "\"use\" is no kind"),
        (
            with(&[]),
            &[("PURSER_WEBHOOK_SECRET", "hunter2hunter2")],
            "PURSER_WEBHOOK_SECRET is no good",
        ),
        (
            with(&["--kind", "use"]),
            &[secret],
            "\"use\" is no kind of alert; write one of used",
        ),
        (
            with(&["--customer", "a.b"]),
            &[secret],
            "\"a.b\" can't be a customer",
        ),
        (
            with(&["--name", "a.b"]),
            &[secret],
            "--name \"a.b\" must be 1 to 64 letters",
        ),
        (
            with(&["--to", "stdout", "--name", "a"]),
            &[secret],
            "--name names one receiver",
        ),
        (
            with(&["--to", "https://h/T0KEN"]),
            &[secret],
            "two receivers are called h-",
        ),
        (
            with(&["--first-pause", "10"]),
            &[secret],
            "write a number and its unit",
        ),
        (
            vec!["--to", "h/T0KEN"],
            &[secret],
            "--to: this is no address of a webhook; write e.g. https://",
        ),
        (vec!["--kind", "used"], &[secret], "--to"),
    ];
    for (arguments, variables, words) in rows {
        let told = told_of(&arguments, variables);
        assert!(told.contains(words), "{arguments:?}: {told}");
        let is_secret = told.contains("T0KEN") || told.contains("hunter2");
        assert!(!is_secret, "{arguments:?}: {told}");
    }
}

#[test]
fn faults_of_the_file_are_told_with_their_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify.toml");
    let start = "[[webhook]]\nname = \"crm\"\n";
    for (text, words) in [
        ("", "notify.toml:1: no webhook is named"),
        (
            "\n[[webhook]]\nnom = 1\n",
            "notify.toml:3: `nom` is no key of a webhook",
        ),
        (
            "url = \"T0KEN\"\nsecret_env = \"S\"",
            "notify.toml:3: this is no address of a webhook",
        ),
        (
            "url_env = \"NONE\"\nsecret_env = \"S\"",
            "notify.toml:3: the environment variable NONE is not set",
        ),
        (
            "url = \"https://h/T0KEN\"\nsecret_env = \"NONE\"",
            "notify.toml:4: the environment variable NONE is not set",
        ),
        (
            "url = \"https://h/T0KEN\"\nsecret_file = \"none\"",
            "notify.toml:4: read ",
        ),
        (
            "url_env = \"https://h/T0KEN\"\nsecret_env = \"S\"",
            "notify.toml:3: `url_env` must be the NAME of an environment variable",
        ),
        (
            "url_file = \"https://h/T0KEN\"\nsecret_env = \"S\"",
            "notify.toml:3: `url_file` must be the PATH of a file",
        ),
        (
            "url = \"https://h/T0KEN\"\nsecret_env = \"whsec_hunter2\"",
            "notify.toml:4: `secret_env` must be the NAME of an environment variable",
        ),
        (
            "url = \"https://h/T0KEN\"\nsecret_file = \"whsec_hunter2\"",
            "notify.toml:4: `secret_file` must be the PATH of a file",
        ),
        (
            "url = \"https://h/T0KEN\"\nsecret_env = \"BAD\"",
            "notify.toml:4: the secret is not base64",
        ),
        (
            "url = \"https://h/T0KEN\"\nsecret_env = \"S\"\nkinds = [\"use\"]",
            "notify.toml:5: \"use\" is no kind of alert",
        ),
        (
            "url = \"https://h/T0KEN\"\nsecret_env = \"S\"\ncustomers = [\"*\"]",
            "notify.toml:5: \"*\" can't be a customer",
        ),
    ] {
        let is_whole = text.is_empty() || text.starts_with('\n');
        let text = if is_whole {
            text.to_owned()
        } else {
            format!("{start}{text}\n")
        };
        std::fs::write(&path, &text).expect("a written file");
        let path = path.to_str().expect("UTF-8");
        let told = told_of(&["--config", path], &[("S", SECRET), ("BAD", "hunter2")]);
        assert!(told.contains(words), "{text}: {told}");
        assert!(
            !told.contains("T0KEN") && !told.contains("hunter2"),
            "{text}: {told}"
        );
    }
    let told = told_of(&["--config", "/nowhere/notify.toml"], &[]);
    assert!(
        told.contains("read the file of webhooks /nowhere/notify.toml"),
        "{told}"
    );
}

#[test]
fn secrets_show_nowhere() {
    let world = World::new();
    let crm = Webhook::start(|number, _| match number {
        1 => Reply::Status(500),
        _ => Reply::Status(200),
    });
    let with_password = |port: u16| format!("http://me:hunter2@127.0.0.1:{port}/T0KEN");
    let (reached, unreached) = (with_password(crm.port()), with_password(free_port()));
    let process = world.notify(&["--to", &reached, "--to", &unreached]);
    world.publish(&[("acme", "used", "0f")]);
    let calls = crm.wait_for(2, || process.log());
    let mut process = process;
    process.wait_for("onnection refused", 1);
    let ended = process.stop();
    // The password is of use all the same: `me:hunter2` in base64.
    assert_eq!(calls[0].header("authorization"), "Basic bWU6aHVudGVyMg==");
    assert_eq!(calls[0].path, "/T0KEN");
    let key = SECRET.trim_start_matches("whsec_");
    for secret in ["hunter2", "T0KEN", key] {
        assert!(!ended.log.contains(secret), "{secret} in {}", ended.log);
        assert!(!ended.out.contains(secret), "{secret} in {}", ended.out);
    }
}

#[test]
fn an_answer_that_repeats_the_address_is_not_told() {
    let world = World::new();
    let crm = Webhook::start(|number, call| {
        let echo = format!("<pre>Cannot POST {}</pre>", call.path);
        let echo: &'static str = Box::leak(echo.into_boxed_str());
        Reply::Full(if number == 1 { 404 } else { 410 }, "", echo)
    });
    let url = format!("http://127.0.0.1:{}/T0KEN?key=hunter2", crm.port());
    let process = world.notify(&["--to", &url, "--name", "crm"]);
    world.publish(&[("acme", "used", "0f")]);
    let letters = world.wait_for_letters(1, || process.log());
    let ended = process.stop();
    assert_eq!(crm.calls()[0].path, "/T0KEN?key=hunter2");
    assert_eq!(letters[0].header("Purser-Reason"), "answered 410");
    assert!(ended.log.contains("answered 404"), "{}", ended.log);
    for secret in ["T0KEN", "hunter2"] {
        assert!(!ended.log.contains(secret), "{secret} in {}", ended.log);
    }
}

#[test]
fn a_stream_that_drops_alerts_before_they_are_given_up_is_refused() {
    let world = World::new();
    world.limit_age(Duration::from_secs(3_600));
    let to = ["--to", "http://127.0.0.1:1/"];
    let given_up_late = [&to[..], &["--give-up-after", "1h"]].concat();
    let told = refused(world.command(&given_up_late));
    for words in [
        "stream ALERTS drops an alert after 3600s",
        "--give-up-after (3600s)",
        "--longest-pause (200ms)",
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
    // Lines are never given up, so that nothing of them is lost later.
    world.notify(&["--to", "stdout"]).stop();
}

#[test]
fn help_shows_no_value_of_the_environment() {
    let mut command = bare(&["notify", "--help"]);
    command
        .env("PURSER_NOTIFY_TO", "https://me:hunter2@h/T0KEN")
        .env("PURSER_WEBHOOK_SECRET", SECRET);
    let output = command.output().expect("a run");
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    for word in [
        "--to",
        "PURSER_NOTIFY_TO",
        "PURSER_WEBHOOK_SECRET",
        "--give-up-after",
        "24h",
    ] {
        assert!(help.contains(word), "{word} in {help}");
    }
    for secret in ["hunter2", "T0KEN", SECRET] {
        assert!(!help.contains(secret), "{secret} in {help}");
    }
    assert!(!help.contains("--stream"), "{help}");
}
