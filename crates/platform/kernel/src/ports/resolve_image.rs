//! From an image URI (also AWS's own ECR names) to something this site can run. Wired in `app` from the image map.

/// What an image is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageCommand {
    /// A built-in image: the program's name, run by the process runtime as a re-execution of the binary.
    BuiltIn {
        /// Such as `inference`.
        program: String,
    },
    /// A container image for the Docker driver, by its local name.
    Container {
        /// The name the container engine knows.
        reference: String,
    },
}

/// The image map.
pub trait ResolveImage: Send + Sync {
    /// What the URI is here; none when this site has nothing for it.
    fn resolve(&self, image_uri: &str) -> Option<ImageCommand>;
    /// What could be used instead, for the error message.
    fn known(&self) -> Vec<String>;
}
