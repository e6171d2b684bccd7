//! What a request asks for, from its method and path alone. Pure.

use percent_encoding::percent_decode_str;

/// Where this API begins.
pub(crate) const ROOT: &str = "/hf/";

/// A hub in a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HubPath {
    pub account: String,
    pub region: String,
    pub name: String,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `GET /api/models`.
    Models,
    /// `GET /api/models/{repo}` and `…/revision/{revision}`.
    Model { repository: String, revision: String },
    /// `GET /api/models/{repo}/tree/{revision}/{path}`.
    Tree { repository: String, revision: String, path: String },
    /// `GET /api/models/{repo}/refs`.
    Refs { repository: String },
    /// `GET` and `HEAD /{repo}/resolve/{revision}/{path}`.
    File { repository: String, revision: String, path: String },
    /// `GET /api/whoami-v2`.
    WhoAmI,
    /// Nothing that is served here.
    Other,
}

/// Takes a path apart; none without a hub in it.
pub(crate) fn parse(path: &str) -> Option<(HubPath, Asked)> {
    let mut parts = path.strip_prefix(ROOT)?.splitn(4, '/');
    let hub =
        HubPath { account: decoded(parts.next()?)?, region: decoded(parts.next()?)?, name: decoded(parts.next()?)? };
    let rest: Option<Vec<String>> = parts.next().unwrap_or_default().split('/').map(decoded).collect();
    Some((hub, rest.map_or(Asked::Other, |rest| asked(&rest))))
}

fn decoded(part: &str) -> Option<String> {
    percent_decode_str(part).decode_utf8().ok().map(|text| text.into_owned())
}

fn asked(parts: &[String]) -> Asked {
    let words: Vec<&str> = parts.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["api", "models"] | ["api", "models", ""] => Asked::Models,
        ["api", "models", rest @ ..] => of_model(rest),
        ["api", "whoami-v2"] => Asked::WhoAmI,
        ["api", ..] => Asked::Other,
        rest => of_file(rest),
    }
}

/// A repository's id is one word or two; a word that the API knows ends it.
fn of_model(words: &[&str]) -> Asked {
    let end = (1..=2).find(|at| matches!(words.get(*at).copied(), Some("revision" | "tree" | "refs")));
    let (repository, rest) = words.split_at(end.unwrap_or(words.len()));
    if repository.is_empty() || repository.len() > 2 || repository.iter().any(|word| word.is_empty()) {
        return Asked::Other;
    }
    let repository = repository.join("/");
    match rest {
        [] => Asked::Model { repository, revision: "main".to_owned() },
        ["revision", revision] => Asked::Model { repository, revision: (*revision).to_owned() },
        ["tree", revision, path @ ..] => {
            Asked::Tree { repository, revision: (*revision).to_owned(), path: path.join("/") }
        }
        ["refs"] => Asked::Refs { repository },
        _ => Asked::Other,
    }
}

fn of_file(words: &[&str]) -> Asked {
    let Some(end) = (1..=2).find(|at| words.get(*at) == Some(&"resolve")) else { return Asked::Other };
    match words.split_at(end) {
        (repository, ["resolve", revision, path @ ..]) if !path.is_empty() => {
            let (repository, revision) = (repository.join("/"), (*revision).to_owned());
            Asked::File { repository, revision, path: path.join("/") }
        }
        _ => Asked::Other,
    }
}

/// The values of a query parameter.
pub(crate) fn query_values<'q>(query: &'q str, name: &'q str) -> impl Iterator<Item = String> + 'q {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let values = pairs.filter(move |(key, _)| *key == name);
    values.filter_map(|(_, value)| decoded(&value.replace('+', " ")))
}

#[cfg(test)]
mod tests {
    //! Paths as `huggingface_hub` makes them.

    use super::*;

    fn asked_for(path: &str) -> Asked {
        parse(&format!("/hf/111122223333/us-west-2/h{path}")).unwrap().1
    }

    fn file(repository: &str, revision: &str, path: &str) -> Asked {
        Asked::File { repository: repository.into(), revision: revision.into(), path: path.into() }
    }

    #[test]
    fn every_path_of_the_clients() {
        let (hub, asked) = parse("/hf/111122223333/us-west-2/my-hub").unwrap();
        assert_eq!(
            (hub.account.as_str(), hub.region.as_str(), hub.name.as_str()),
            ("111122223333", "us-west-2", "my-hub")
        );
        assert_eq!(asked, Asked::Other);
        assert_eq!(asked_for("/api/models"), Asked::Models);
        let model = |repository: &str, revision: &str| Asked::Model {
            repository: repository.into(),
            revision: revision.into(),
        };
        assert_eq!(asked_for("/api/models/a-b-c"), model("a-b-c", "main"));
        assert_eq!(asked_for("/api/models/org/name"), model("org/name", "main"));
        assert_eq!(asked_for("/api/models/org/name/revision/1.0.0"), model("org/name", "1.0.0"));
        assert_eq!(asked_for("/api/models/a/revision/refs%2Fpr%2F1"), model("a", "refs/pr/1"));
        let tree = |repository: &str, path: &str| Asked::Tree {
            repository: repository.into(),
            revision: "main".into(),
            path: path.into(),
        };
        assert_eq!(asked_for("/api/models/org/name/tree/main"), tree("org/name", ""));
        assert_eq!(asked_for("/api/models/a/tree/main/sub%2Fdir"), tree("a", "sub/dir"));
        assert_eq!(asked_for("/api/models/a/refs"), Asked::Refs { repository: "a".into() });
        assert_eq!(asked_for("/org/name/resolve/main/sub/x.json"), file("org/name", "main", "sub/x.json"));
        assert_eq!(asked_for("/a/resolve/1.0.0/caf%C3%A9.txt"), file("a", "1.0.0", "café.txt"));
        assert_eq!(asked_for("/a/resolve/main/..%2F..%2Fetc/passwd"), file("a", "main", "../../etc/passwd"));
        assert_eq!(asked_for("/api/whoami-v2"), Asked::WhoAmI);
        for other in [
            "/",
            "/api",
            "/api/datasets/a",
            "/a/b/c/resolve/main/x",
            "/a/resolve/main",
            "/a/blob/main/x",
            "/api/models//x",
            "/a/resolve/main/%FF",
        ] {
            assert_eq!(asked_for(other), Asked::Other, "{other}");
        }
        assert_eq!(parse("/hf/111122223333/us-west-2"), None);
        assert_eq!(parse("/hf/"), None);
        let values: Vec<String> = query_values("a=1&b=x%20y&a=2+3&c", "a").collect();
        assert_eq!(values, ["1", "2 3"]);
    }
}
