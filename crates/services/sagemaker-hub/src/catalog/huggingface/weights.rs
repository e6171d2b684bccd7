//! Weights and configuration: parameters counted in the headers of safetensors files, shards that an index names,
//! `config.json`. The weights themselves are not read here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;

use serde::Deserialize;
use serde_json::Value;

use super::super::folder::Problems;
use super::{Config, RepositoryPath, find, text_of};

/// The format's own limit.
const LONGEST_HEADER: u64 = 100_000_000;
const LONGEST_CONFIG: u64 = 4 << 20;
const LONGEST_INDEX: u64 = 64 << 20;
const INDEX_END: &str = ".safetensors.index.json";
/// Files whose loading runs what is in them.
const PICKLES: [&str; 6] = [".bin", ".pt", ".pth", ".pkl", ".ckpt", ".pickle"];

/// What there is of weights.
#[derive(Debug, Default)]
pub(super) struct Weights {
    /// By type, as safetensors call them: `F32`, `BF16`.
    pub parameters: BTreeMap<String, u64>,
    /// Of all files.
    pub bytes: u64,
    pub pickles: usize,
}

#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl Weights {
    pub fn read(files: &[RepositoryPath], problems: &mut Problems) -> Weights {
        let bytes = files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
        let mut found = Weights { bytes, ..Weights::default() };
        found.pickles = files.iter().filter(|file| PICKLES.iter().any(|end| file.path.ends_with(end))).count();
        let counted = counted(files, problems);
        for file in files.iter().filter(|file| file.path.ends_with(".safetensors")) {
            match header(file) {
                Ok(tensors) if counted.contains(&file.path) => found.count(&tensors),
                Ok(_) => {}
                Err(problem) => problems.push(format!("{}: {problem}", file.path)),
            }
        }
        found
    }

    fn count(&mut self, tensors: &[Tensor]) {
        for tensor in tensors {
            let elements = tensor.shape.iter().fold(1_u64, |product, size| product.saturating_mul(*size));
            let total = self.parameters.entry(tensor.dtype.clone()).or_default();
            *total = total.saturating_add(elements);
        }
    }
}

/// The files whose tensors are the model's: an index's shards, or `model.safetensors`, or all there are. Beside them
/// there may be the same weights once more in another arrangement.
fn counted(files: &[RepositoryPath], problems: &mut Problems) -> BTreeSet<String> {
    let mut shards = BTreeSet::new();
    for file in files.iter().filter(|file| file.path.ends_with(INDEX_END)) {
        match index(file) {
            Ok(named) => {
                let folder = file.path.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
                for shard in named {
                    let shard = format!("{folder}{shard}");
                    if find(files, &shard).is_none() {
                        problems.push(format!("{}: its shard {} is not there", file.path, shard.escape_default()));
                    }
                    shards.insert(shard);
                }
            }
            Err(problem) => problems.push(format!("{}: {problem}", file.path)),
        }
    }
    if !shards.is_empty() {
        return shards;
    }
    let all = files.iter().map(|file| file.path.clone()).filter(|path| path.ends_with(".safetensors"));
    match find(files, "model.safetensors") {
        Some(file) => BTreeSet::from([file.path.clone()]),
        None => all.collect(),
    }
}

fn index(file: &RepositoryPath) -> Result<BTreeSet<String>, String> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let text = text_of(&file.on_disk, LONGEST_INDEX)?;
    let index: Index = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(index.weight_map.into_values().collect())
}

/// The tensors of a safetensors file: eight bytes of length, a JSON header, and bytes that the header gives away whole.
fn header(file: &RepositoryPath) -> Result<Vec<Tensor>, String> {
    let broken = |error: std::io::Error| format!("no safetensors file: {error}");
    let mut opened = File::open(&file.on_disk).map_err(broken)?;
    let mut length = [0; 8];
    opened.read_exact(&mut length).map_err(broken)?;
    let length = u64::from_le_bytes(length);
    let room = file.size.saturating_sub(8);
    if length > LONGEST_HEADER || length > room {
        return Err(format!("no safetensors file: a header of {length} bytes"));
    }
    let mut bytes = Vec::new();
    opened.take(length).read_to_end(&mut bytes).map_err(broken)?;
    let mut members: BTreeMap<String, Value> =
        serde_json::from_slice(&bytes).map_err(|error| format!("the safetensors header: {error}"))?;
    members.remove("__metadata__");
    let (mut tensors, mut end) = (Vec::with_capacity(members.len()), 0);
    for (name, value) in members {
        let tensor: Tensor =
            serde_json::from_value(value).map_err(|error| format!("the tensor {}: {error}", name.escape_default()))?;
        let [begin, last] = tensor.data_offsets;
        if begin > last || last > room - length {
            return Err(format!("the tensor {} lies outside of the file, which may be cut off", name.escape_default()));
        }
        end = end.max(last);
        tensors.push(tensor);
    }
    match end == room - length {
        true => Ok(tensors),
        false => Err(format!("{} bytes belong to no tensor", room - length - end)),
    }
}

/// `config.json`, where there is one.
pub(super) fn config(files: &[RepositoryPath]) -> Result<Config, String> {
    let Some(file) = find(files, "config.json") else { return Ok(Config::default()) };
    let text = text_of(&file.on_disk, LONGEST_CONFIG)?;
    let found: Value = serde_json::from_str(&text).map_err(|error| format!("config.json: {error}"))?;
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let list = found.get("architectures").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(Config {
        architectures: list.iter().filter_map(word).collect(),
        model_type: found.get("model_type").and_then(word),
    })
}
