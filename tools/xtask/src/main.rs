//! One entry point for developers and CI: demo, test, check, bench, codegen.
//!
//! Each command sets up what it needs below `target/` and names what is missing with the command that installs it.

mod bench;
mod check;
mod demo;
mod layers;
mod process;
mod python;
mod test;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Stoa's developer commands")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds Stoa, starts it and does the main job with the real clients.
    Demo {
        /// Stop the server again at the end.
        #[arg(long)]
        once: bool,
        /// The address to listen on.
        #[arg(long, default_value = "127.0.0.1:4566")]
        listen: String,
    },
    /// Sets up all it needs and runs every check and test.
    Test,
    /// What CI runs before the tests: fmt, clippy, layers, generated code, cargo deny.
    Check,
    /// Measures, and prints ratios taken in one run.
    Bench {
        /// `front`, `objects`, `policy` or `hubs`.
        what: bench::What,
    },
    /// Generates code from facts, or checks that it is what a fresh run would write.
    Codegen {
        /// Change nothing; fail when something would change.
        #[arg(long)]
        check: bool,
    },
    /// Checks that dependencies between crates follow the layers.
    Deps,
}

fn main() {
    let outcome = match Cli::parse().command {
        Command::Demo { once, listen } => demo::run(once, &listen),
        Command::Test => test::run(),
        Command::Check => check::run(),
        Command::Bench { what } => bench::run(what),
        Command::Codegen { check } => check::codegen(check),
        Command::Deps => layers::check(),
    };
    if let Err(message) = outcome {
        eprintln!("error: {message}");
        std::process::exit(1);
    }
}
