//! The image map: from image URIs, also AWS's own ECR names, to what this site can run; and the built-in programs.

use std::collections::BTreeMap;

use stoa_image_inference::ContainerConfig;
use stoa_kernel::ports::{ImageCommand, ResolveImage};

/// The program of the built-in inference image.
pub const INFERENCE: &str = "inference";
/// Repository names that mean the built-in inference image, in any registry and with any tag.
const INFERENCE_REPOSITORIES: &[&str] = &["stoa/inference", "stoa-inference"];

/// The built-in images and the operator's own names for them.
#[derive(Debug, Clone, Default)]
pub struct ImageMap {
    /// Image URI (exactly, or up to a final `*`) to a built-in program.
    aliases: BTreeMap<String, String>,
}

impl ImageMap {
    /// The built-in images and these aliases from the configuration's `[images]` table.
    pub fn new(aliases: BTreeMap<String, String>) -> ImageMap {
        ImageMap { aliases }
    }
}

impl ResolveImage for ImageMap {
    fn resolve(&self, image_uri: &str) -> Option<ImageCommand> {
        let matches = |pattern: &str| match pattern.strip_suffix('*') {
            Some(start) => image_uri.starts_with(start),
            None => image_uri == pattern,
        };
        let alias = self.aliases.iter().find(|(pattern, _)| matches(pattern)).map(|(_, program)| program.clone());
        let built_in = INFERENCE_REPOSITORIES.contains(&repository(image_uri)).then(|| INFERENCE.to_owned());
        alias.or(built_in).map(|program| ImageCommand::BuiltIn { program })
    }

    fn known(&self) -> Vec<String> {
        let built_in = INFERENCE_REPOSITORIES.iter().map(|name| (*name).to_owned());
        built_in.chain(self.aliases.keys().cloned()).collect()
    }
}

/// The repository of an image URI: without registry host, tag and digest.
fn repository(uri: &str) -> &str {
    let uri = uri.split('@').next().unwrap_or(uri);
    let path = match uri.split_once('/') {
        Some((host, path)) if host.contains('.') || host.contains(':') || host == "localhost" => path,
        _ => uri,
    };
    path.rsplit_once(':').map_or(path, |(path, _)| path)
}

/// Runs a built-in program to its end, inside a container. Gives the exit status.
pub fn run_program(name: &str) -> i32 {
    if name != INFERENCE {
        eprintln!("there is no built-in image `{name}`");
        return 127;
    }
    let outcome = ContainerConfig::from_env().map_err(|error| error.to_string()).and_then(|config| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime
            .map_err(|error| error.to_string())?
            .block_on(stoa_image_inference::run(config))
            .map_err(|e| e.to_string())
    });
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("the inference container ended: {error}");
            1
        }
    }
}

#[cfg(test)]
mod tests {
    //! Names that are understood, and names that are not.

    use super::*;

    #[test]
    fn registries_and_tags_do_not_matter() {
        let map = ImageMap::new(BTreeMap::from([(
            "123.dkr.ecr.us-west-2.amazonaws.com/own:*".to_owned(),
            INFERENCE.to_owned(),
        )]));
        for uri in [
            "stoa/inference",
            "stoa/inference:1",
            "127.0.0.1:5000/stoa/inference:1",
            "763104351884.dkr.ecr.us-west-2.amazonaws.com/stoa-inference:1.0",
            "stoa-inference@sha256:abc",
            "123.dkr.ecr.us-west-2.amazonaws.com/own:7",
        ] {
            assert_eq!(map.resolve(uri), Some(ImageCommand::BuiltIn { program: INFERENCE.to_owned() }), "{uri}");
        }
        for uri in ["", "djl-inference:0.27", "other/stoa/inference:1", "123.dkr.ecr.us-west-2.amazonaws.com/other:7"] {
            assert_eq!(map.resolve(uri), None, "{uri}");
        }
    }
}
