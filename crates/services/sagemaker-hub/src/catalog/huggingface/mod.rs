//! Importing a Hugging Face repository that lies on this machine's disk: what its card, its configuration and the
//! headers of its weights say becomes the manifest; its files, README.md included, become the artifact.
//!
//! Nothing is asked of any network. What the repository does not say and the operator did not either is a problem, and
//! all problems are told at once; nothing is guessed but the display name, the description and the instance types.

mod card;
mod layout;
mod weights;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stoa_kernel::ApiError;
use stoa_sagemaker_common::{Version, instance_type};
use stoa_store::Transaction;

use super::folder::{self, Problems};
use super::import::{Imported, Source};
use super::manifest::{LONGEST_KEYWORD, MOST_KEYWORDS};
use super::model::{FileSource, ModelFolder};
use super::{Catalog, HuggingFace, Manifest};
use card::Card;
pub(crate) use card::front_matter;
use layout::Layout;
use weights::Weights;

/// The image that is built in; it serves ONNX graphs.
const BUILT_IN_IMAGE: &str = "stoa/inference:1";
/// Where a model goes when nothing is said: the ones of these that have the memory.
const INSTANCE_TYPES: [&str; 6] =
    ["ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge", "ml.m5.4xlarge", "ml.m5.12xlarge", "ml.m5.24xlarge"];
const MEBIBYTE: u64 = 1 << 20;
/// Beside the weights.
const LEAST_MEMORY_MB: u64 = 512;

/// What the operator says of a repository to import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HuggingFaceImport {
    /// A folder as `snapshot_download(local_dir=…)` makes it, a cache's `models--org--name`, or a snapshot in that.
    pub path: PathBuf,
    /// The model's id in the public hub.
    pub id: String,
    /// 1.0.0 otherwise.
    pub version: Option<String>,
    /// `org/name`; a cache's folder says it otherwise.
    pub repository: Option<String>,
    /// Which snapshot of a cache: a branch, tag or commit; `main` otherwise.
    pub revision: Option<String>,
    /// Instead of the repository's name.
    pub display_name: Option<String>,
    /// Instead of the card's first paragraph.
    pub description: Option<String>,
    /// Instead of the card's `pipeline_tag`.
    pub task: Option<String>,
    /// Instead of the repository's owner.
    pub provider: Option<String>,
    /// Instead of the card's `license`.
    pub licence: Option<String>,
    /// The container image that serves it.
    pub image: Option<String>,
    /// What it can be deployed on; the first is the default.
    pub instance_types: Vec<String>,
    /// The file with the licence that use needs consent to.
    pub eula: Option<PathBuf>,
    /// Whether a repository that is gated where it comes from is to be free here.
    pub ungated: bool,
}

/// What an import of a repository did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HuggingFaceImported {
    /// As of any import.
    #[serde(flatten)]
    pub imported: Imported,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

impl Catalog {
    /// Imports a repository from disk. Nothing is imported when anything is wrong.
    pub async fn import_huggingface(&self, asked: HuggingFaceImport) -> Result<HuggingFaceImported, ApiError> {
        let path = asked.path.clone();
        let read = tokio::task::spawn_blocking(move || read(&asked)).await.map_err(ApiError::internal)?;
        let (folder, warnings) = read.map_err(|problems| super::import::refused(&path, &problems))?;
        let imported = self.import(vec![folder], Source::Repository, Transaction::new()).await?;
        Ok(HuggingFaceImported { imported, warnings })
    }
}

/// Reads and judges a repository. Blocking; nothing is written.
fn read(asked: &HuggingFaceImport) -> Result<(ModelFolder, Vec<String>), Problems> {
    let layout = Layout::find(&asked.path, asked.revision.as_deref()).map_err(|problem| vec![problem])?;
    let mut problems = Problems::new();
    let files = layout.files(&mut problems);
    let card = match Card::read(&layout, &files) {
        Ok(card) => card,
        // What a card that cannot be read does not say is no problem of its own.
        Err(problem) => {
            problems.push(problem);
            return Err(problems);
        }
    };
    let config = weights::config(&files).map_err(|problem| problems.push(problem)).unwrap_or_default();
    let weights = Weights::read(&files, &mut problems);
    let manifest = manifest(asked, &layout, &card, config, &weights, &mut problems);
    let eula = eula(asked, &card, &mut problems);
    problems.extend(manifest.problems());
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut warnings = Vec::new();
    if asked.image.is_none() && !files.iter().any(|file| file.path.ends_with(".onnx")) {
        warnings.push(format!(
            "{BUILT_IN_IMAGE} serves ONNX graphs and there is none: the model can be downloaded, and deployed with an \
             --image of this site's"
        ));
    }
    if weights.pickles > 0 {
        warnings.push(format!("{} files are pickles, which run code where they are loaded", weights.pickles));
    }
    let origin = layout.root.display().to_string();
    let files = files.into_iter().map(|file| (file.path, FileSource::Disk(file.on_disk))).collect();
    Ok((ModelFolder { origin, card: card.markdown(&manifest.display_name), manifest, eula, files }, warnings))
}

/// What is told of the model's kind: `architectures`, `model_type`.
#[derive(Debug, Default)]
struct Config {
    architectures: Vec<String>,
    model_type: Option<String>,
}

fn manifest(
    asked: &HuggingFaceImport,
    layout: &Layout,
    card: &Card,
    config: Config,
    weights: &Weights,
    problems: &mut Problems,
) -> Manifest {
    let repository = asked.repository.clone().or_else(|| layout.repository.clone());
    let owner = repository.as_deref().and_then(|repository| repository.split_once('/'));
    let mut said = |given: Option<String>, what: &str| {
        given.unwrap_or_else(|| {
            problems.push(what.to_owned());
            // Never seen: there is a problem now.
            "-".to_owned()
        })
    };
    let task = asked.task.clone().or_else(|| card.pipeline_tag.as_deref().map(title));
    let task = said(task, "task: the card has no pipeline_tag, name one with --task");
    let licence = asked.licence.clone().or_else(|| card.licence.clone());
    let licence = said(licence, "licence: the card has no license, name one with --licence");
    let provider = asked.provider.clone().or_else(|| owner.map(|(owner, _)| owner.to_owned()));
    let provider = said(provider, "provider: name who made the model with --provider, or --repository org/name");
    let version = match asked.version.as_deref().map(str::parse::<Version>) {
        None => Version::FIRST,
        Some(Ok(version)) => version,
        Some(Err(error)) => {
            problems.push(format!("version: {error}"));
            Version::FIRST
        }
    };
    let min_memory_mb = weights.bytes.saturating_add(weights.bytes / 5).div_ceil(MEBIBYTE) + LEAST_MEMORY_MB;
    let mut supported = instance_types(asked, min_memory_mb);
    if supported.is_empty() {
        problems.push(format!("no ml.m5 type has {min_memory_mb} MB: name one with --instance-type"));
        // Never seen either.
        supported.extend(INSTANCE_TYPES.last().map(|name| (*name).to_owned()));
    }
    let name = owner.map(|(_, name)| name.to_owned()).unwrap_or_else(|| asked.id.clone());
    let display_name = asked.display_name.clone().unwrap_or(name);
    let description = asked.description.clone().or_else(|| card.first_paragraph());
    Manifest {
        id: asked.id.clone(),
        version,
        description: description.unwrap_or_else(|| display_name.clone()),
        display_name,
        task,
        framework: asked.id.split('-').next().unwrap_or_default().to_owned(),
        provider,
        licence,
        gated: asked.eula.is_some(),
        eula: asked.eula.as_ref().map(|_| "EULA.txt".to_owned()),
        keywords: keywords(card, &config),
        default_instance_type: supported.first().cloned().unwrap_or_default(),
        supported_instance_types: supported,
        image: asked.image.clone().unwrap_or_else(|| BUILT_IN_IMAGE.to_owned()),
        environment: Default::default(),
        content_types: vec!["application/json".to_owned()],
        accept_types: vec!["application/json".to_owned()],
        example_payloads: Default::default(),
        min_memory_mb,
        deprecated: None,
        vulnerabilities: Vec::new(),
        huggingface: Some(HuggingFace {
            repository,
            revision: layout.commit.clone(),
            pipeline_tag: card.pipeline_tag.clone(),
            library_name: card.library_name.clone(),
            architectures: config.architectures,
            model_type: config.model_type,
            tags: card.tags.clone(),
            languages: card.languages.clone(),
            base_models: card.base_models.clone(),
            parameters: weights.parameters.clone(),
        }),
    }
}

fn instance_types(asked: &HuggingFaceImport, min_memory_mb: u64) -> Vec<String> {
    if !asked.instance_types.is_empty() {
        return asked.instance_types.clone();
    }
    let roomy = |name: &&str| instance_type(name).is_some_and(|found| found.memory_mib() >= min_memory_mb);
    INSTANCE_TYPES.iter().filter(|name| roomy(name)).map(|name| (*name).to_owned()).collect()
}

/// `text-generation` in JumpStart's words: `Text Generation`.
fn title(tag: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    };
    tag.split('-').map(word).collect::<Vec<_>>().join(" ")
}

fn keywords(card: &Card, config: &Config) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let languages = card.languages.iter().map(|language| format!("@language:{language}"));
    let kinds = config.model_type.iter().chain(&card.library_name).cloned();
    for keyword in card.tags.iter().cloned().chain(languages).chain(kinds) {
        let fits = keyword.chars().count() <= LONGEST_KEYWORD && found.len() < MOST_KEYWORDS;
        if fits && !found.contains(&keyword) {
            found.push(keyword);
        }
    }
    found
}

/// The licence's file where consent is asked for. A repository that is gated at its source is not made free by omission.
fn eula(asked: &HuggingFaceImport, card: &Card, problems: &mut Problems) -> Option<(String, FileSource)> {
    let Some(path) = &asked.eula else {
        if card.gated && !asked.ungated {
            problems.push(
                "the repository is gated where it comes from: give its licence with --eula FILE, or say --ungated"
                    .to_owned(),
            );
        }
        return None;
    };
    match folder::text(path, folder::LONGEST_EULA) {
        Ok(text) if text.trim().is_empty() => problems.push(format!("{}: the eula is empty", path.display())),
        Ok(_) => {}
        Err(problem) => problems.push(problem),
    }
    Some(("EULA.txt".to_owned(), FileSource::Disk(path.clone())))
}

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RepositoryPath {
    /// With `/`, in the repository.
    pub path: String,
    pub on_disk: PathBuf,
    pub size: u64,
}

fn find<'f>(files: &'f [RepositoryPath], path: &str) -> Option<&'f RepositoryPath> {
    files.iter().find(|file| file.path == path)
}

/// The text of a file of at most so many bytes.
fn text_of(on_disk: &Path, most: u64) -> Result<String, String> {
    folder::text(on_disk, most)
}
