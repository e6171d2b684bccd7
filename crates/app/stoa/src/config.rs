//! The server's configuration: flags over the file, checked as a whole, every problem told at once.
//!
//! ```toml
//! allow_tunnel = ["*.example.com:443"]      # hosts that are not AWS's which CONNECT may tunnel to
//!
//! [images]                                  # image URIs of this site: exact, or up to a final *
//! "123456789012.dkr.ecr.us-west-2.amazonaws.com/own:*" = "inference"
//! ```

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use stoa_types::Region;

use crate::images::INFERENCE;

/// The default when no `--region` is given.
const DEFAULT_REGION: &str = "us-west-2";

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawConfig {
    allow_tunnel: Vec<String>,
    images: BTreeMap<String, String>,
}

/// A configuration that holds together.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    pub listen: SocketAddr,
    pub regions: Vec<Region>,
    pub allow_tunnel: Vec<String>,
    pub images: BTreeMap<String, String>,
    pub sample_catalog: bool,
}

/// What is wrong with a configuration, all of it.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} problem(s):\n  - {}", .0.len(), .0.join("\n  - "))]
pub struct ConfigError(Vec<String>);

impl Config {
    /// From the flags of `stoa serve` and the file they name.
    pub fn load(
        data_dir: &Path,
        listen: &str,
        regions: &[String],
        file: Option<&Path>,
        sample_catalog: bool,
    ) -> Result<Config, ConfigError> {
        let mut problems = Vec::new();
        let raw = read(file, &mut problems);
        let address = listen.to_socket_addrs().ok().and_then(|mut found| found.next());
        if address.is_none() {
            problems.push(format!("--listen `{listen}` is no HOST:PORT"));
        }
        let mut served = Vec::new();
        for name in regions {
            match name.parse::<Region>() {
                Ok(region) if !served.contains(&region) => served.push(region),
                Ok(_) => {}
                Err(error) => problems.push(format!("--region: {error}")),
            }
        }
        if regions.is_empty() {
            served.extend(DEFAULT_REGION.parse::<Region>());
        }
        for (image, program) in &raw.images {
            if program != INFERENCE {
                problems
                    .push(format!("[images] `{image}`: there is no built-in image `{program}`; known: {INFERENCE}"));
            }
        }
        match address {
            Some(listen) if problems.is_empty() => Ok(Config {
                data_dir: data_dir.to_path_buf(),
                listen,
                regions: served,
                allow_tunnel: raw.allow_tunnel,
                images: raw.images,
                sample_catalog,
            }),
            _ => Err(ConfigError(problems)),
        }
    }
}

fn read(file: Option<&Path>, problems: &mut Vec<String>) -> RawConfig {
    let Some(path) = file else { return RawConfig::default() };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            problems.push(format!("{}: {error}", path.display()));
            return RawConfig::default();
        }
    };
    toml::from_str(&text).unwrap_or_else(|error| {
        problems.push(format!("{}: {}", path.display(), error.message()));
        RawConfig::default()
    })
}

#[cfg(test)]
mod tests {
    //! All problems at once, and what flags become.

    use super::*;

    #[test]
    fn every_problem_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("stoa.toml");
        std::fs::write(&file, "[images]\n\"a\" = \"nothing\"\n").unwrap();
        let error = Config::load(dir.path(), "nowhere", &["Mars".to_owned()], Some(&file), true).unwrap_err();
        let text = error.to_string();
        for part in ["3 problem", "--listen `nowhere`", "Mars", "no built-in image `nothing`"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn the_default_region_is_served_when_none_is_named() {
        let config = Config::load(Path::new("x"), "127.0.0.1:0", &[], None, true).unwrap();
        assert_eq!(config.regions[0].as_str(), DEFAULT_REGION);
    }
}
