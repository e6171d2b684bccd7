//! `stoa catalog import|import-hf|export|verify|keygen|list`.
//!
//! Verifying needs no server and no data folder: it is for the machine where a bundle is taken over.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use stoa_sagemaker_hub::{BundleImported, CatalogEntry, HuggingFaceImport, SecretKey, TrustedKey, verify_bundle};
use stoa_types::IdSource;
use zeroize::Zeroizing;

use super::report::{print, print_json, table};
use crate::admin::{AdminCommand, call};
use crate::cli::{DataDirArgs, Outcome};
use crate::clock::SystemIds;
use crate::data_dir::DataDir;

#[derive(Subcommand)]
pub enum CatalogCommand {
    /// Puts the models of a folder (see catalog/README.md for its form) or of a bundle into the public hub.
    Import {
        /// A model version's folder, a folder of such folders, or a bundle.
        path: PathBuf,
        /// A bundle must be signed by this key: a PEM file, or `ed25519:…`. Again for more.
        #[arg(long)]
        trust: Vec<String>,
        #[command(flatten)]
        data: DataDirArgs,
    },
    /// Puts a Hugging Face repository that is on this machine into the public hub. Nothing is fetched.
    ImportHf(Box<ImportHfArgs>),
    /// Writes models of the public hub into one file, to be carried where no network goes.
    Export {
        /// The bundle to write; it must not be there.
        #[arg(long)]
        out: PathBuf,
        /// A model, `ID` or `ID@VERSION`; all of them when none is named. Again for more.
        #[arg(long = "model")]
        models: Vec<String>,
        /// Sign with the key in this file.
        #[arg(long)]
        sign: Option<PathBuf>,
        #[command(flatten)]
        data: DataDirArgs,
    },
    /// Checks a bundle's signature and every digest in it. Needs no server.
    Verify {
        /// The bundle.
        file: PathBuf,
        /// It must be signed by this key: a PEM file, or `ed25519:…`. Again for more.
        #[arg(long)]
        trust: Vec<String>,
    },
    /// Makes a key to sign bundles with: the file, and beside it one with `.pub` for those who import.
    Keygen {
        /// The file to write; it must not be there.
        #[arg(long)]
        out: PathBuf,
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

#[derive(Args)]
pub struct ImportHfArgs {
    /// A folder as `snapshot_download(local_dir=...)` makes it, a cache's `models--org--name`, or a snapshot in that.
    dir: PathBuf,
    /// The model's id: framework-task-name.
    #[arg(long)]
    id: String,
    /// The version; 1.0.0 otherwise.
    #[arg(long)]
    version: Option<String>,
    /// `org/name`, by which Hugging Face's clients know it; a cache's folder says it otherwise.
    #[arg(long)]
    repository: Option<String>,
    /// Which snapshot of a cache: a branch, tag or commit; `main` otherwise.
    #[arg(long)]
    revision: Option<String>,
    /// Instead of the repository's name.
    #[arg(long)]
    display_name: Option<String>,
    /// Instead of the card's first paragraph.
    #[arg(long)]
    description: Option<String>,
    /// Instead of the card's `pipeline_tag`, in JumpStart's words: `Text Generation`.
    #[arg(long)]
    task: Option<String>,
    /// Instead of the repository's owner.
    #[arg(long)]
    provider: Option<String>,
    /// Instead of the card's `license`.
    #[arg(long)]
    licence: Option<String>,
    /// The container image that serves it; the built-in one, which serves ONNX graphs, otherwise.
    #[arg(long)]
    image: Option<String>,
    /// What it can be deployed on; the first is the default. Again for more.
    #[arg(long = "instance-type")]
    instance_types: Vec<String>,
    /// The file with the licence that use needs consent to: the model becomes gated.
    #[arg(long)]
    eula: Option<PathBuf>,
    /// Let a repository that is gated where it comes from be free here.
    #[arg(long, conflicts_with = "eula")]
    ungated: bool,
    #[command(flatten)]
    data: DataDirArgs,
}

pub fn run(command: &CatalogCommand) -> Outcome {
    match command {
        CatalogCommand::Import { path, trust, data } => import(path, trust, data)?,
        CatalogCommand::ImportHf(arguments) => import_hf(arguments)?,
        CatalogCommand::Export { out, models, sign, data } => {
            let key_file = sign.as_deref().map(std::path::absolute).transpose()?;
            let command =
                AdminCommand::ExportCatalog { path: std::path::absolute(out)?, models: models.clone(), key_file };
            let answer = call(&DataDir::new(&data.data_dir)?, &command)?;
            print_json(&answer)?;
        }
        CatalogCommand::Verify { file, trust } => {
            let trusted = trusted(trust)?;
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            let report = runtime.block_on(verify_bundle(file, &trusted)).map_err(|error| error.message().to_owned())?;
            print_json(&report)?;
            warn_of(report.signer.trusted);
        }
        CatalogCommand::Keygen { out } => keygen(out)?,
        CatalogCommand::List { json, data } => {
            let answer = call(&DataDir::new(&data.data_dir)?, &AdminCommand::ListCatalog {})?;
            if *json {
                print_json(&answer)?;
            } else {
                print(&listed(&serde_json::from_value::<Vec<CatalogEntry>>(answer)?))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn import(path: &Path, trust: &[String], data: &DataDirArgs) -> Result<(), Box<dyn std::error::Error>> {
    let data_dir = DataDir::new(&data.data_dir)?;
    let path = std::path::absolute(path)?;
    let found = std::fs::metadata(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if !found.is_file() {
        if !trust.is_empty() {
            return Err("--trust is for bundles: a folder has no signature".into());
        }
        let answer = call(&data_dir, &AdminCommand::ImportCatalog { path })?;
        print_json(&answer)?;
        return Ok(());
    }
    let trusted = trusted(trust)?.iter().map(ToString::to_string).collect();
    let answer = call(&data_dir, &AdminCommand::ImportBundle { path, trusted })?;
    print_json(&answer)?;
    warn_of(serde_json::from_value::<BundleImported>(answer)?.signer.trusted);
    Ok(())
}

fn import_hf(arguments: &ImportHfArgs) -> Result<(), Box<dyn std::error::Error>> {
    let asked = HuggingFaceImport {
        path: std::path::absolute(&arguments.dir)?,
        id: arguments.id.clone(),
        version: arguments.version.clone(),
        repository: arguments.repository.clone(),
        revision: arguments.revision.clone(),
        display_name: arguments.display_name.clone(),
        description: arguments.description.clone(),
        task: arguments.task.clone(),
        provider: arguments.provider.clone(),
        licence: arguments.licence.clone(),
        image: arguments.image.clone(),
        instance_types: arguments.instance_types.clone(),
        eula: arguments.eula.as_deref().map(std::path::absolute).transpose()?,
        ungated: arguments.ungated,
    };
    let answer = call(&DataDir::new(&arguments.data.data_dir)?, &AdminCommand::ImportHuggingFace(asked))?;
    print_json(&answer)?;
    for warning in answer.get("warnings").and_then(|warnings| warnings.as_array()).into_iter().flatten() {
        eprintln!("warning: {}", warning.as_str().unwrap_or_default());
    }
    Ok(())
}

/// Digests show that a bundle is whole, not whose it is.
fn warn_of(trusted: bool) {
    if !trusted {
        eprintln!("warning: no trusted key was named, so only digests were checked; see --trust");
    }
}

/// The keys that `--trust` names.
fn trusted(named: &[String]) -> Result<Vec<TrustedKey>, String> {
    let read = |name: &String| {
        let text = match name.starts_with("ed25519:") {
            true => name.clone(),
            false => std::fs::read_to_string(name).map_err(|error| format!("--trust {name}: {error}"))?,
        };
        TrustedKey::parse(&text).map_err(|error| format!("--trust {name}: {}", error.message()))
    };
    named.iter().map(read).collect()
}

/// Makes a file that is not there.
fn create(path: &Path, mode: u32) -> Result<File, String> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.map_err(|error| format!("{}: {error}", path.display()))
}

fn keygen(out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut random = Zeroizing::new([0; 32]);
    SystemIds.fill(&mut *random);
    let secret = Zeroizing::new(SecretKey::new_pem(&random));
    let public = SecretKey::parse(&secret).map_err(|error| error.message().to_owned())?.public();
    let mut public_file = out.as_os_str().to_owned();
    public_file.push(".pub");
    let public_file = PathBuf::from(public_file);
    // Both are made before either is written: a secret key is of no use without its public one.
    let secret_made = create(out, 0o600)?;
    let public_made = match create(&public_file, 0o644) {
        Ok(made) => made,
        Err(error) => {
            let _ = std::fs::remove_file(out);
            return Err(error.into());
        }
    };
    let files = [(out, secret_made, secret.to_string()), (&public_file, public_made, public.pem())];
    for (path, mut file, text) in files {
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        if let Err(error) = written {
            let _ = (std::fs::remove_file(out), std::fs::remove_file(&public_file));
            return Err(format!("{}: {error}", path.display()).into());
        }
    }
    print(&format!("{public}\n"))?;
    Ok(())
}

fn listed(entries: &[CatalogEntry]) -> String {
    let row = |entry: &CatalogEntry| {
        let marks = [(entry.deprecated.is_some(), "deprecated"), (!entry.vulnerabilities.is_empty(), "vulnerable")];
        let shown = marks.iter().filter(|(marked, _)| *marked).map(|(_, what)| *what);
        let gated = if entry.gated { "yes" } else { "no" };
        let last = std::iter::once(gated).chain(shown).collect::<Vec<_>>().join(", ");
        let size = entry.size_bytes.to_string();
        vec![entry.id.clone(), entry.version.clone(), entry.task.clone(), entry.framework.clone(), size, last]
    };
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    table(&["ID", "VERSION", "TASK", "FRAMEWORK", "BYTES", "GATED, MARKS"], &rows)
}
