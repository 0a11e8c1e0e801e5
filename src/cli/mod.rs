//! The command line: words, colours, exit codes; the only floor that prints.
//!
//! Owns what a person or a script sees. Leaves the work to `jobs`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the command line prints"
)]

mod args;
mod balance;
mod bench;
mod clock;
mod demo;
mod explain;
mod failure;
mod invoice;
mod logging;
mod maintain;
mod nats;
mod notify;
mod prices;
mod progress;
mod prompt;
mod publish;
mod query;
mod replay;
mod report;
mod run;
mod secret;
mod serve;
mod signals;
mod stop;
mod verify;

use std::process::ExitCode;

pub use args::Args;
use args::Command;
use failure::{FENCED, Failure, NO, UNABLE};

/// The stack of a thread that parses and plans what strangers send: the longest statement that is
/// taken, nested as deep as it is long, fits. What is not used costs nothing.
const SERVE_STACK_BYTES: usize = 1 << 30;

/// Runs the command that was asked for; its exit code is that of the process.
pub fn run(args: Args) -> ExitCode {
    logging::start(&args.common);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if matches!(args.command, Command::Serve(_)) {
        builder.thread_stack_size(SERVE_STACK_BYTES);
    }
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Failure::from(anyhow::Error::from(error))),
    };
    let common = &args.common;
    let outcome = runtime.block_on(async {
        match args.command {
            Command::Demo(args) => demo::run(common, args).await,
            Command::Replay(args) => replay::run(common, args).await,
            Command::Run(args) => run::run(common, args).await,
            Command::Publish(args) => publish::run(common, args).await,
            Command::Notify(args) => notify::run(common, args).await,
            Command::Query(args) => query::run(common, args).await,
            Command::Invoice(args) => invoice::run(common, args).await,
            Command::Signals(args) => signals::run(common, args).await,
            Command::Report(args) => report::run(common, args).await,
            Command::Balance(args) => balance::run(common, args).await,
            Command::Explain(args) => explain::run(common, args).await,
            Command::Serve(args) => serve::run(common, args).await,
            Command::Maintain(args) => maintain::run(common, args).await,
            Command::Bench(args) => bench::run(args).await,
            Command::Verify => verify::run(common).await,
            Command::Prices(args) => prices::run(common, args).await,
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> ExitCode {
    match failure {
        Failure::No(answer) => {
            eprintln!("{answer}");
            ExitCode::from(NO)
        }
        Failure::Unable(error) => {
            eprintln!("purser: {}", with_causes(error));
            ExitCode::from(UNABLE)
        }
        Failure::Fenced(error) => {
            eprintln!("purser: {}", with_causes(error));
            ExitCode::from(FENCED)
        }
    }
}

/// The error and its causes, but for those that it has told already.
fn with_causes(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
}
