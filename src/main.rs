//! Parses the command line, runs the command, prints its error, and exits.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use purser::cli::{self, Args};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::run(Args::parse())
}
