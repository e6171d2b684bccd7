//! The folder a crate sits in is its layer; the layer says what it may depend on (house rule 1).

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Outcome, cargo};

/// What a layer may use. Platform crates and services may use named crates of their own layer; see `SIDEWAYS`.
const ALLOWED: &[(&str, &[&str])] = &[
    ("base", &["types"]),
    ("wire", &["base"]),
    ("models", &["wire", "base"]),
    ("platform", &["base", "wire"]),
    ("drivers", &["platform", "base"]),
    ("services", &["platform", "models", "wire", "base"]),
    ("images", &["base"]),
    ("edge", &["platform", "wire", "base"]),
];

/// Edges inside a layer that are allowed, with the reason.
const SIDEWAYS: &[(&str, &str, &str)] = &[
    ("stoa-codecs", "stoa-schema", "codecs walk schemas"),
    ("stoa-sagemaker-hub", "stoa-sagemaker-common", "shared by SageMaker's service crates only"),
    ("stoa-sagemaker-hosting", "stoa-sagemaker-common", "shared by SageMaker's service crates only"),
];

/// Services speak to no wire and no socket.
const FORBIDDEN_IN_SERVICES: &[&str] = &["stoa-codecs", "hyper", "axum", "rusqlite"];

/// Pure layers have no runtime, sockets or clock (house rule 2).
const FORBIDDEN_IN_PURE: &[&str] = &["tokio", "hyper", "rusqlite", "rand"];

struct Member {
    layer: String,
    dependencies: Vec<String>,
}

/// Refuses upward and sideways edges.
pub fn check() -> Outcome {
    println!("── layers");
    let members = members()?;
    let mut wrong = Vec::new();
    for (name, member) in &members {
        for dependency in &member.dependencies {
            if let Some(reason) = refusal(name, member, dependency, &members) {
                wrong.push(format!("{name} must not depend on {dependency}: {reason}"));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn refusal(name: &str, member: &Member, dependency: &str, members: &BTreeMap<String, Member>) -> Option<String> {
    let layer = member.layer.as_str();
    if matches!(layer, "base" | "wire" | "models") && FORBIDDEN_IN_PURE.contains(&dependency) {
        return Some("pure crates have no runtime, sockets, database or randomness".to_owned());
    }
    if layer == "services" && FORBIDDEN_IN_SERVICES.contains(&dependency) {
        return Some("services know nothing of codecs, HTTP servers or SQL".to_owned());
    }
    let target = &members.get(dependency)?.layer;
    if matches!(layer, "app" | "tools") {
        return (target == "app").then(|| "nothing uses the app".to_owned());
    }
    if SIDEWAYS.iter().any(|(from, to, _)| *from == name && *to == dependency) {
        return None;
    }
    let allowed = ALLOWED.iter().find(|(from, _)| *from == layer).map(|(_, to)| *to).unwrap_or_default();
    let fits = allowed.contains(&target.as_str()) || (layer == "base" && dependency == "stoa-types");
    (!fits).then(|| format!("layer {layer} may use {}", allowed.join(", ")))
}

fn members() -> Outcome<BTreeMap<String, Member>> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo metadata: {error}"))?;
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let mut members = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let path = package["manifest_path"].as_str().unwrap_or_default();
        let layer = match path.split_once("/crates/") {
            Some((_, rest)) => rest.split('/').next().unwrap_or_default(),
            None => "tools",
        };
        let dependencies = package["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|dependency| dependency["kind"].is_null())
            .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
            .collect();
        let name = package["name"].as_str().unwrap_or_default().to_owned();
        members.insert(name, Member { layer: layer.to_owned(), dependencies });
    }
    Ok(members)
}
