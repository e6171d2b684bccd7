//! The command line, kept stable because scripts stand on it.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    access_matrix, account, audit, blobs, catalog, doctor, env, eula, explain, hf, hub, keys, model, policy, who_can,
};
use crate::serve;

/// What every command returns: its exit status, or an error for the person at the terminal.
pub type Outcome = Result<ExitCode, Box<dyn Error>>;

#[derive(Parser)]
#[command(name = "stoa", version, about = "A self-hosted ML platform that speaks Amazon SageMaker AI")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server.
    Serve(ServeArgs),
    /// Prints the exports that point AWS clients at the server.
    Env(env::EnvArgs),
    /// Adds and removes accounts.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// The public hub's models.
    #[command(subcommand)]
    Catalog(catalog::CatalogCommand),
    /// Private hubs.
    #[command(subcommand)]
    Hub(hub::HubCommand),
    /// Licences of gated models.
    #[command(subcommand)]
    Eula(eula::EulaCommand),
    /// Models in hubs.
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// The Hugging Face read API of a hub.
    #[command(subcommand)]
    Hf(hf::HfCommand),
    /// Policies.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Says why a call was decided as it was, and what would allow it.
    Explain(explain::ExplainArgs),
    /// Lists who may do something, and why.
    WhoCan(who_can::WhoCanArgs),
    /// Prints who may see, download, deploy and train which model of a hub.
    AccessMatrix(access_matrix::AccessMatrixArgs),
    /// The audit journal.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// The master key.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// The bytes of objects and models.
    #[command(subcommand)]
    Blobs(blobs::BlobsCommand),
    /// Says what on this machine would keep Stoa from doing its work.
    Doctor(DataDirArgs),
}

/// Where the server's data is.
#[derive(Args, Clone)]
pub struct DataDirArgs {
    /// The data folder.
    #[arg(long, env = "STOA_DATA_DIR", default_value = ".stoa")]
    pub data_dir: PathBuf,
}

/// `stoa serve`.
#[derive(Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub data: DataDirArgs,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:4566")]
    pub listen: String,
    /// A region to serve; the first is the default. Again for more.
    #[arg(long = "region")]
    pub regions: Vec<String>,
    /// A configuration file (TOML).
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Leave the sample models out of the public hub at the first start.
    #[arg(long)]
    pub no_sample_catalog: bool,
}

/// Parses and runs.
pub fn run() -> Outcome {
    match Cli::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Env(arguments) => env::run(&arguments),
        Command::Account(command) => account::run(&command),
        Command::Catalog(command) => catalog::run(&command),
        Command::Hub(command) => hub::run(&command),
        Command::Eula(command) => eula::run(&command),
        Command::Model(command) => model::run(&command),
        Command::Hf(command) => hf::run(&command),
        Command::Policy(command) => policy::run(&command),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::WhoCan(arguments) => who_can::run(&arguments),
        Command::AccessMatrix(arguments) => access_matrix::run(&arguments),
        Command::Audit(command) => audit::run(&command),
        Command::Keys(command) => keys::run(&command),
        Command::Blobs(command) => blobs::run(&command),
        Command::Doctor(arguments) => doctor::run(&arguments),
    }
}
