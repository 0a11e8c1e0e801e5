//! `purser notify`

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use siphasher::sip::SipHasher24;

use super::args::{Common, Notify, NotifyFormat};
use super::clock::wall_clock;
use super::failure::Failure;
use super::nats::access;
use super::secret::{from_environment, text_of, variable};
use super::stop::told_to_stop;
use crate::adapters::notify_file::{self, Entry, Format, Placed, Source, TIMEOUT, is_name};
use crate::adapters::webhook::{Secret, Target, address};
use crate::jobs::notify::{self, Begin, Filter, Receiver, Terms, Via, notify};

/// Where the secret of `--to` comes from: a flag would show in the list of processes.
const SECRET: &str = "PURSER_WEBHOOK_SECRET";
const SECRET_FILE: &str = "PURSER_WEBHOOK_SECRET_FILE";
/// What `--to` may be but an address.
const STDOUT: &str = "stdout";
/// So much of a host's name goes into a receiver's.
const HOST_CHARS_MAX: usize = 40;

pub(super) async fn run(_common: &Common, args: Notify) -> Result<(), Failure> {
    let stop = told_to_stop()?;
    let job = notify::Notify {
        access: access(&args.nats, "purser notify"),
        receivers: receivers(&args)?,
        begin: if args.from_start {
            Begin::Oldest
        } else {
            Begin::New
        },
        terms: Terms {
            first_pause: args.first_pause,
            longest_pause: args.longest_pause,
            give_up_after: args.give_up_after,
        },
        clock: wall_clock,
        print,
    };
    let notified = notify(job, stop).await?;
    // Not on standard output, which may be a receiver's.
    let (delivered, dead) = (notified.delivered, notified.dead);
    tracing::info!(delivered, dead, "stopped");
    Ok(())
}

/// Prints one line, for whoever reads along.
fn print(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// The receivers of the file and of the flags.
fn receivers(args: &Notify) -> anyhow::Result<Vec<Receiver>> {
    let mut receivers = Vec::new();
    if let Some(file) = &args.config {
        for entry in notify_file::read(file)? {
            receivers.push(from_file(file, entry)?);
        }
    }
    if args.name.is_some() && args.to.len() > 1 {
        bail!("--name names one receiver; write several into a file and give it with --config");
    }
    for to in &args.to {
        receivers.push(from_flags(to, args)?);
    }
    if receivers.is_empty() {
        bail!("nobody to tell; give --to URL, --to stdout or --config FILE");
    }
    let mut names = BTreeSet::new();
    for Receiver { name, .. } in &receivers {
        if !names.insert(name.clone()) {
            bail!("two receivers are called {name}; give each a name of its own");
        }
    }
    Ok(receivers)
}

fn from_flags(to: &str, args: &Notify) -> anyhow::Result<Receiver> {
    let filter = Filter::new(&args.kinds, &args.customers)?;
    let given = args.name.clone();
    if let Some(name) = given.as_deref().filter(|name| !is_name(name)) {
        bail!("--name {name:?} must be 1 to 64 letters, digits, `-` and `_`");
    }
    if to == STDOUT {
        if args.format.is_some() {
            bail!("--format is for webhooks; --to stdout prints lines");
        }
        return Ok(Receiver {
            name: given.unwrap_or_else(|| STDOUT.to_owned()),
            filter,
            via: Via::Stdout,
        });
    }
    let address = address(to).context("--to")?;
    let format = match args.format {
        None | Some(NotifyFormat::Standard) => Format::Standard,
        Some(NotifyFormat::Slack) => Format::Slack,
    };
    let secret = secret_of_flags()?;
    if format == Format::Standard && secret.is_none() {
        bail!(
            "no secret to sign with: set {SECRET}, or {SECRET_FILE} to the path of a file with it; \
             make one with `echo whsec_$(openssl rand -base64 24)`"
        );
    }
    let host = address.host_str().unwrap_or_default();
    let name = given.unwrap_or_else(|| name_of(host, to));
    let timeout = args.timeout.unwrap_or(TIMEOUT);
    let target = Target {
        address,
        secret,
        timeout,
    };
    Ok(Receiver {
        name,
        filter,
        via: Via::Webhook { target, format },
    })
}

/// The secret of the environment, if there is one.
fn secret_of_flags() -> anyhow::Result<Option<Secret>> {
    let Some((place, text)) = from_environment(SECRET)? else {
        return Ok(None);
    };
    let secret = Secret::read(&text).with_context(|| format!("{place} is no good"))?;
    Ok(Some(secret))
}

/// A name that stays the same as long as the address does, and does not show it.
fn name_of(host: &str, address: &str) -> String {
    let host: String = host.chars().take(HOST_CHARS_MAX).collect();
    let host = host.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let mut hasher = SipHasher24::new();
    hasher.write(address.as_bytes());
    format!("{host}-{:08x}", hasher.finish() >> 32)
}

fn from_file(file: &Path, entry: Entry) -> anyhow::Result<Receiver> {
    let place = |line: usize| format!("{}:{line}", file.display());
    let Entry {
        kinds, customers, ..
    } = &entry;
    // Both in one check; the line is that of what is wrong.
    Filter::new(&kinds.value, &[]).with_context(|| place(kinds.line))?;
    let filter = Filter::new(&kinds.value, &customers.value);
    let filter = filter.with_context(|| place(customers.line))?;
    let line = entry.address.line;
    let text = found(file, entry.address)?;
    let address = address(&text).with_context(|| place(line))?;
    let secret = match entry.secret {
        Some(secret) => {
            let line = secret.line;
            let text = found(file, secret)?;
            Some(Secret::read(&text).with_context(|| place(line))?)
        }
        None => None,
    };
    let target = Target {
        address,
        secret,
        timeout: entry.timeout,
    };
    Ok(Receiver {
        name: entry.name,
        filter,
        via: Via::Webhook {
            target,
            format: entry.format,
        },
    })
}

/// The text that stands where the file of webhooks says; paths begin at that file's folder.
fn found(file: &Path, placed: Placed<Source>) -> anyhow::Result<String> {
    let Placed { line, value } = placed;
    let place = || format!("{}:{line}", file.display());
    match value {
        Source::Text(text) => Ok(text),
        Source::Variable(name) => variable(&name)
            .ok_or_else(|| anyhow!("the environment variable {name} is not set"))
            .with_context(place),
        Source::File(path) => {
            let folder = file.parent().unwrap_or(Path::new(""));
            text_of(&folder.join(path)).with_context(place)
        }
    }
}
