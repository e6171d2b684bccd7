//! `stoa catalog import|list`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use stoa_sagemaker_hub::CatalogEntry;

use crate::admin::{AdminCommand, call};
use crate::cli::{DataDirArgs, Outcome};
use crate::data_dir::DataDir;

#[derive(Subcommand)]
pub enum CatalogCommand {
    /// Puts the models of a folder into the public hub (see catalog/README.md for its form).
    Import {
        /// A model version's folder, or a folder of such folders.
        dir: PathBuf,
        #[command(flatten)]
        data: DataDirArgs,
    },
    /// Lists the public hub's models.
    List {
        /// As JSON, with every file's SHA-256.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataDirArgs,
    },
}

pub fn run(command: &CatalogCommand) -> Outcome {
    match command {
        CatalogCommand::Import { dir, data } => {
            let path = std::path::absolute(dir)?;
            let answer = call(&DataDir::new(&data.data_dir)?, &AdminCommand::ImportCatalog { path })?;
            println!("{}", serde_json::to_string_pretty(&answer)?);
        }
        CatalogCommand::List { json, data } => {
            let answer = call(&DataDir::new(&data.data_dir)?, &AdminCommand::ListCatalog {})?;
            if *json {
                println!("{}", serde_json::to_string_pretty(&answer)?);
            } else {
                print_table(&serde_json::from_value::<Vec<CatalogEntry>>(answer)?);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_table(entries: &[CatalogEntry]) {
    let widest = entries.iter().map(|entry| entry.id.len()).max().unwrap_or(2).max(2);
    println!("{:widest$}  {:8}  {:24}  {:10}  {:>10}  GATED, MARKS", "ID", "VERSION", "TASK", "FRAMEWORK", "BYTES");
    for entry in entries {
        let mut gated = if entry.gated { "yes" } else { "no" }.to_owned();
        for (marked, what) in
            [(entry.deprecated.is_some(), "deprecated"), (!entry.vulnerabilities.is_empty(), "vulnerable")]
        {
            if marked {
                gated = format!("{gated}, {what}");
            }
        }
        println!(
            "{:widest$}  {:8}  {:24}  {:10}  {:>10}  {gated}",
            entry.id, entry.version, entry.task, entry.framework, entry.size_bytes
        );
    }
}
